// SPDX-License-Identifier: MIT
// Goal: no state passes from run to run. What a hostile manager leaves behind, whatever it is, changes
// nothing about the next run on its thread. Method: hostile and right managers in random order, under random
// plans; each run has the verdict and the trace that it has as the first run of a thread of its own.

#include "generators.hpp"

#include <mishap/environment.hpp>
#include <mishap/manager.hpp>
#include <mishap/resource.hpp>
#include <mishap/run.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using mishap::awaitable;
using mishap::client;
using mishap::environment;

using hostility = std::function<awaitable<void>(environment&)>;

/// A right manager, apart from what it does before it closes.
mishap::adapter session_with(hostility more)
{
    return [more](environment& env) -> awaitable<void> {
        mishap::mock_resource session("session");
        co_await session.create();
        std::exception_ptr error;
        try {
            co_await env.body()(session);
            if (more)
                co_await more(env);
        } catch (...) {
            error = std::current_exception();
        }
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        try {
            co_await session.close();
        } catch (...) {
            if (!error)
                throw;
        }
        if (error)
            std::rethrow_exception(error);
    };
}

awaitable<void> serve(client& one)
{
    mishap::mock_resource session("session");
    co_await session.create();
    std::exception_ptr error;
    try {
        co_await one.body()(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await session.close();
    } catch (...) {
        if (!error)
            throw;
    }
    if (error)
        std::rethrow_exception(error);
}

/// A plain callback that queues itself again and again.
struct again
{
    asio::any_io_executor on;
    void operator()() const { asio::post(on, again{on}); }
};

struct again_as_timer
{
    std::shared_ptr<asio::steady_timer> timer;
    void operator()(boost::system::error_code = {}) const
    {
        timer->expires_after(0s);
        timer->async_wait(again_as_timer{timer});
    }
};

awaitable<void> waits_for_ever()
{
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
}

const std::vector<mishap::manager>& managers()
{
    static const mishap::contract of_one{
        .time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};
    static const auto of = [](const char* name, hostility more) {
        return mishap::manager(name, session_with(std::move(more)), of_one);
    };
    static const std::vector<mishap::manager> all{
        of("right", nullptr),
        {"serves", [](environment& env) -> awaitable<void> { co_await env.clients(serve); },
            {.time = {.unbounded = {mishap::phase::create, mishap::phase::close}},
                .capacity = {.clients = 3}}},
        of("posts_again",
            [](environment& env) -> awaitable<void> {
                asio::post(env.executor(), again{env.executor()});
                co_return;
            }),
        of("posts_again_beside",
            [](environment& env) -> awaitable<void> {
                asio::post(env.context(), again{env.context().get_executor()});
                co_return;
            }),
        of("times_again",
            [](environment& env) -> awaitable<void> {
                again_as_timer{std::make_shared<asio::steady_timer>(env.executor())}();
                co_return;
            }),
        of("awaits_again",
            [](environment&) -> awaitable<void> {
                for (;;)
                    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
            }),
        of("leaves_a_coroutine",
            [](environment& env) -> awaitable<void> {
                asio::co_spawn(env.executor(), waits_for_ever(), asio::detached);
                co_return;
            }),
        of("leaves_a_timer",
            [](environment& env) -> awaitable<void> {
                const auto timer = std::make_shared<asio::steady_timer>(
                    env.executor(), asio::steady_timer::time_point::max());
                timer->async_wait([timer](auto) {});
                co_return;
            }),
        of("throws_in_a_handler",
            [](environment& env) -> awaitable<void> {
                asio::post(env.executor(), [] { throw std::runtime_error("from a handler"); });
                co_return;
            }),
        of("stops_the_context",
            [](environment& env) -> awaitable<void> {
                env.context().stop();
                co_return;
            }),
        of("hangs", [](environment&) -> awaitable<void> { return waits_for_ever(); }),
        of("terminates",
            [](environment& env) -> awaitable<void> {
                asio::post(env.executor(), [] { std::terminate(); });
                co_return;
            }),
    };
    return all;
}

struct run_as_seen
{
    std::uint64_t hash;
    std::string broken;
    std::size_t events;

    friend bool operator==(const run_as_seen&, const run_as_seen&) = default;
};

run_as_seen run_once(const mishap::manager& which, const std::string& plan)
{
    const mishap::run_result done =
        mishap::run(which, mishap::parse_plan(plan), {.limits = {.steps_max = 2'000}});
    std::string broken;
    for (const mishap::violation& v : done.verdict.violations)
        broken.append(v.invariant).append(" ");
    return {done.trace.hash, broken, done.trace.events.size()};
}

run_as_seen run_on_a_thread_of_its_own(const mishap::manager& which, const std::string& plan)
{
    run_as_seen found{};
    std::thread([&] { found = run_once(which, plan); }).join();
    return found;
}

RC_GTEST_PROP(isolation, nothing_passes_from_run_to_run, ())
{
    // Each run that std::terminate ends stays in memory for good, so it is chosen seldom.
    const auto index =
        rc::gen::weightedOneOf<std::size_t>({{40, rc::gen::inRange<std::size_t>(0, managers().size() - 1)},
            {1, rc::gen::just(managers().size() - 1)}});
    const auto plan = rc::gen::element<std::string>("", "session.use=fail(io_error)", "session.use=hang",
        "session.close=fail(io_error)", "session.create=delay(1s)", "cancel(c0 after session.create#1 +1)",
        "abandon(c0 after session.create#1)", "abandon(world after session.create#1)");
    const auto order = *rc::gen::resize(
        12, rc::gen::container<std::vector<std::pair<std::size_t, std::string>>>(rc::gen::pair(index, plan)));
    for (const auto& [which, under] : order) {
        const run_as_seen fresh = run_on_a_thread_of_its_own(managers()[which], under);
        const run_as_seen here = run_once(managers()[which], under);
        RC_LOG() << managers()[which].name << " under '" << under << "': " << here.broken << "\n";
        RC_ASSERT(here == fresh);
    }
}

// The one that was accused for what another left.
TEST(isolation, a_right_manager_is_right_after_a_livelock)
{
    for (const mishap::manager& hostile : managers()) {
        run_once(hostile, "");
        EXPECT_EQ(run_once(managers()[0], "").broken, "") << "after " << hostile.name;
        EXPECT_EQ(run_once(managers()[1], "").broken, "") << "after " << hostile.name;
    }
}

} // namespace
