// SPDX-License-Identifier: MIT
#pragma once
// The managers of this folder over mock sessions, each with its contract and one of its flaws or none.

#include "mutex.hpp"
#include "pool.hpp"
#include "semaphore.hpp"
#include "session.hpp"

#include <mishap/environment.hpp>
#include <mishap/manager.hpp>
#include <mishap/resource.hpp>

#include <cstdint>
#include <memory>
#include <optional>

namespace mutants {

using namespace std::chrono_literals;

class fake_session
{
    mishap::resource resource_;

public:
    explicit fake_session(mishap::symbol kind = "session") : resource_(kind) {}
    mishap::awaitable<void> open() { return resource_.create(); }
    mishap::awaitable<void> close() { return resource_.close(); }
    void force_close() noexcept { resource_.force_close(); }
    operator mishap::resource&() { return resource_; }
};

/// So many resources at once, each client with one of them within 30 s.
inline mishap::contract shares(std::uint32_t capacity)
{
    return {.time = {.create = 30s, .close = 30s, .acquire = 30s},
        .capacity = {.resources = capacity, .fair = true},
        .work = {.cancelled_use_breaks = true}};
}

template <flaw Flaw = flaw::none>
mishap::manager pool_under_test(std::uint32_t capacity = 1)
{
    return {"pool",
        [capacity](mishap::environment& env) -> mishap::awaitable<void> {
            using pool = mutants::pool<fake_session, Flaw>;
            typename pool::options options{.size_max = capacity,
                .timeout = 30s,
                .make = [] { return std::make_shared<fake_session>("connection"); },
                .log = [&env](std::exception_ptr error) { env.report(error); }};
            pool under_test(options);
            co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                co_await under_test.with_connection(client.body());
            });
            co_await under_test.shut_down();
        },
        shares(capacity)};
}

/// Lets a client come later than those before it, by as many steps as the setting `stagger` says.
inline mishap::awaitable<void> arrive(const mishap::environment& env, const mishap::client& client)
{
    for (int steps = client.index() * env.setting("stagger", 0); steps > 0; --steps)
        co_await asio::post(asio::use_awaitable);
}

/// One session for three clients, who wait for it until a deadline or as long as it takes.
template <mutex_flaw Flaw = mutex_flaw::none>
mishap::manager mutex_under_test(bool patient = false)
{
    mishap::contract promises = shares(1);
    if (patient) {
        promises.time.acquire = {};
        promises.time.unbounded = {mishap::phase::acquire};
    }
    return {"mutex",
        [patient](mishap::environment& env) -> mishap::awaitable<void> {
            using guarded = guarded_session<fake_session, Flaw>;
            typename guarded::options options{.acquire_timeout = {},
                .operation_timeout = 30s,
                .log = [&env](std::exception_ptr error) { env.report(error); }};
            if (!patient)
                options.acquire_timeout = 30s;
            guarded under_test(options);
            co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                co_await arrive(env, client);
                co_await under_test.with_session(client.body());
            });
            co_await under_test.shut_down();
        },
        promises};
}

/// So many sessions at once for two clients more.
template <semaphore_flaw Flaw = semaphore_flaw::none>
mishap::manager semaphore_under_test(std::uint32_t capacity = 1)
{
    return {"semaphore",
        [capacity](mishap::environment& env) -> mishap::awaitable<void> {
            using limited = limited_sessions<fake_session, Flaw>;
            typename limited::options options{.sessions_max = static_cast<int>(capacity),
                .timeout = 30s,
                .log = [&env](std::exception_ptr error) { env.report(error); }};
            limited under_test(options);
            co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                co_await arrive(env, client);
                co_await under_test.with_session(client.body());
            });
        },
        shares(capacity)};
}

template <session_flaw Flaw = session_flaw::none>
mishap::manager session_under_test()
{
    return {"session",
        [](mishap::environment& env) -> mishap::awaitable<void> {
            session_manager<Flaw> under_test({.open_timeout = 30s,
                .close_timeout = 10s,
                .log = [&env](std::exception_ptr error) { env.report(error); }});
            fake_session session;
            co_await under_test.with_session(session, env.body());
        },
        {.time = {.create = 30s, .close = 10s}}};
}

} // namespace mutants
