// SPDX-License-Identifier: MIT
#include "session_fake.hpp"

#include "shared/lend.hpp"

#include <mishap/gtest.hpp>
#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

mishap::awaitable<fake_session> connect()
{
    fake_session session;
    co_await session.open();
    co_return session;
}

mishap::awaitable<void> ask(fake_session& session)
{
    const int answer = co_await session.query();
    EXPECT_EQ(answer, 42);
}

mishap::awaitable<void> lends_a_session(mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::lend(&connect, env.body(&ask), 30s, log);
}

} // namespace

TEST(lend, survives_any_two_mishaps)
{
    const mishap::contract promises{
        .time = {.create = 30s, .close = 30s},
        .errors = {.reports_cleanup = true},
    };
    EXPECT_THAT(mishap::sweep(&lends_a_session, {.contract = promises}), mishap::Holds());
}
