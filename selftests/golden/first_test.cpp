// SPDX-License-Identifier: MIT
#include "session.hpp"

#include <mishap/gtest.hpp>
#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

class fake_session // the mock: one line per operation
{
    mishap::resource resource_{"session"};

public:
    mishap::awaitable<void> open() { return resource_.create(); }
    mishap::awaitable<int> query() { return resource_.use("query", 42); }
    mishap::awaitable<void> close() { return resource_.close(); }
    operator mishap::resource&() { return resource_; }
};

TEST(session, survives_any_two_mishaps)
{
    auto with_session = [](mishap::environment& env) -> mishap::awaitable<void> {
        fake_session session;
        auto work = env.body([](fake_session& s) -> mishap::awaitable<void> { co_await s.query(); });
        co_await app::with_session(session, work); // production code, as it is
    };
    const mishap::contract promises{.time = {.create = 5s, .close = 5s}};
    EXPECT_THAT(mishap::sweep(with_session, {.contract = promises}), mishap::Holds());
}
