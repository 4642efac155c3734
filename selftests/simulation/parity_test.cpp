// SPDX-License-Identifier: MIT
// Goal: what a manager does in the simulation is what it does in production.
// Method: the same managers and the same scripted sessions, once on a real io_context with short real timers,
// once in the simulation; the outcomes must be equal. These are the only tests that use real time, at most 20
// ms each, and they compare outcomes, never durations.

#include "simulate.hpp"

#include "cleanup_error/managers.hpp"
#include "none_resource/managers.hpp"
#include "timeout_protection/managers.hpp"

#include <mishap/error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <string>
#include <vector>

namespace {

/// What each operation of a session does.
struct script
{
    std::string name;
    std::string create = "ok";
    std::string use = "ok";
    std::string close = "ok";
};

std::vector<script> scripts()
{
    std::vector<script> all;
    for (const char* create : {"ok", "fail io_error", "hang"})
        for (const char* use : {"ok", "fail io_error", "fail timed_out"})
            for (const char* close : {"ok", "fail connection_reset"})
                all.push_back({std::string(create) + "/" + use + "/" + close, create, use, close});
    return all;
}

/// A session by hand, for the real io_context: the same scripts, without mishap's simulation.
class real_session
{
public:
    explicit real_session(const script& what) : script_(what) {}

    asio::awaitable<void> create() { return act(script_.create); }
    asio::awaitable<void> use(const char*) { return act(script_.use); }
    asio::awaitable<void> close() { return act(script_.close); }

private:
    static asio::awaitable<void> act(std::string what)
    {
        if (what == "hang") {
            asio::steady_timer never(
                co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
            co_await never.async_wait(asio::use_awaitable);
        }
        co_await asio::post(asio::use_awaitable);
        if (what.starts_with("fail "))
            std::rethrow_exception(mishap::get_error(what.substr(5)).make());
    }

    script script_;
};

std::string outcome_of(const std::exception_ptr& error)
{
    return error ? mishap::describe(error) : "returns";
}

template <class Manager>
std::string really(const script& what, Manager manager)
{
    asio::io_context io;
    std::string outcome = "never ended";
    real_session session(what);
    asio::co_spawn(io, manager(session), [&](std::exception_ptr error) { outcome = outcome_of(error); });
    io.run();
    return outcome;
}

template <class Manager>
std::string simulated(const script& what, Manager manager)
{
    const mishap::manager under_test("parity", [&](mishap::environment&) -> mishap::awaitable<void> {
        mishap::mock_resource session("session");
        co_await manager(session);
    });
    mishap::fault_plan plan;
    plan.at("session.create", mishap::parse_fault(what.create));
    plan.at("session.use", mishap::parse_fault(what.use));
    plan.at("session.close", mishap::parse_fault(what.close));
    const auto run = mishap::run(under_test, plan);
    return run.trace.outcomes[0].ended == mishap::none ? "never ended"
                                                       : outcome_of(run.trace.outcomes[0].error);
}

const auto body = [](auto& session) -> asio::awaitable<void> { co_await session.use("use"); };
const auto log_nothing = [](std::exception_ptr) {};

template <class Manager>
void compare(Manager manager)
{
    for (const script& what : scripts()) {
        SCOPED_TRACE(what.name);
        EXPECT_EQ(simulated(what, manager), really(what, manager));
    }
}

TEST(parity, of_unsafe_and_safe)
{
    // Without a timeout a hung creation never ends in production, so only the timeout managers see one.
    const auto without_hangs = [](auto manager) {
        for (const script& what : scripts())
            if (what.create != "hang") {
                SCOPED_TRACE(what.name);
                EXPECT_EQ(simulated(what, manager), really(what, manager));
            }
    };
    without_hangs([](auto& session) { return catalogue::unsafe(session, body); });
    without_hangs([](auto& session) { return catalogue::safe(session, body, log_nothing); });
}

TEST(parity, of_managers_with_a_time_out)
{
    compare([](auto& session) { return catalogue::timeout_protected_as_written(session, body, 0s); });
    compare([](auto& session) -> asio::awaitable<void> {
        co_await catalogue::with_deadline([&] { return session.create(); }, 5ms);
        co_await session.use("use");
        co_await session.close();
    });
}

} // namespace
