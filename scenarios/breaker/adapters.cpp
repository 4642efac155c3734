// SPDX-License-Identifier: MIT
#include "breaker.hpp"
#include "never_closes.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

class fake_session
{
    mishap::resource resource_{"session"};

public:
    mishap::awaitable<void> open() { return resource_.create(); }
    mishap::awaitable<void> close() { return resource_.close(); }
    operator mishap::resource&() { return resource_; }
};

constexpr catalogue::breaker::settings settings{.failures_max = 3, .pause = 30s, .timeout = 5s};

} // namespace

MISHAP_ERROR(breaker_open, catalogue::breaker_open());

MISHAP_CONTRACT(breaker){
    .time = {.create = 5s, .close = 5s, .recovery = 30s},
    .capacity = {.clients = 4},
    .errors = {.refuses = {"breaker_open"}, .reports_cleanup = true},
};

MISHAP_MANAGER(breaker, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    catalogue::breaker breaker(settings, log);
    co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
        fake_session session;
        co_await breaker.with_session(session, client.body());
    });
}

MISHAP_CONTRACT(never_closes){
    .time = {.create = 5s, .close = 5s, .recovery = 30s},
    .capacity = {.clients = 4},
    .errors = {.refuses = {"breaker_open"}, .reports_cleanup = true},
};

MISHAP_MANAGER(never_closes, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    catalogue::never_closes breaker(settings, log);
    co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
        fake_session session;
        co_await breaker.with_session(session, client.body());
    });
}
