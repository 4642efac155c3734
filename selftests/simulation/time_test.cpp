// SPDX-License-Identifier: MIT
// Goal: every clock and timer obeys virtual time, to the microsecond that Asio rounds to, and nothing waits
// for real. Method: managers that wait for seconds, days and for ever; what they read is compared exactly.

#include "simulate.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/high_resolution_timer.hpp>
#include <boost/asio/system_timer.hpp>

#include <optional>

#include <sys/time.h>
#include <time.h>

namespace {

mishap::duration end_of(const mishap::run_result& run) { return run.trace.events.back().at; }

TEST(timers, wait_cancel_and_rearm)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 30s);
        co_await timer.async_wait(asio::use_awaitable);
        timer.expires_after(1500us);
        co_await timer.async_wait(asio::use_awaitable);
        timer.expires_at(timer.expiry() + 2s);
        co_await timer.async_wait(asio::use_awaitable);
        timer.expires_after(1h);
        asio::post(timer.get_executor(), [&] { EXPECT_EQ(timer.expires_after(1s), 1u); });
        const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
        EXPECT_EQ(error, asio::error::operation_aborted);
        co_await timer.async_wait(asio::use_awaitable);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(end_of(run), 33s + 1500us);
}

TEST(timers, of_every_clock)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        asio::system_timer system(executor, 10s);
        co_await system.async_wait(asio::use_awaitable);
        asio::high_resolution_timer high(executor, 10s);
        co_await high.async_wait(asio::use_awaitable);
        asio::system_timer at(executor, std::chrono::system_clock::now() + 20h);
        co_await at.async_wait(asio::use_awaitable);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(end_of(run), 20h + 20s);
}

TEST(timers, are_not_earlier_than_asked_and_at_most_a_microsecond_late)
{
    for (const auto wait : {1ns, 999ns, 1000ns, 1001ns, 1'500'000'001ns}) {
        const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
            asio::steady_timer timer(co_await asio::this_coro::executor, wait);
            co_await timer.async_wait(asio::use_awaitable);
        });
        EXPECT_HOLDS(run);
        EXPECT_GE(end_of(run), wait);
        EXPECT_LE(end_of(run), wait + 1us);
    }
}

TEST(timers, days_ahead_are_walked_to)
{
    const auto run = simulate(
        [&](mishap::resource&) -> asio::awaitable<void> {
            asio::steady_timer timer(co_await asio::this_coro::executor, 72h);
            co_await timer.async_wait(asio::use_awaitable);
        },
        {}, {.limits = {.horizon = 100h}});
    EXPECT_HOLDS(run);
    EXPECT_EQ(end_of(run), 72h);
    EXPECT_LT(run.trace.steps, 100u); // walking is no work
}

TEST(timers, never_due_make_a_condition_variable)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        asio::steady_timer condition(executor, asio::steady_timer::time_point::max());
        asio::co_spawn(
            executor,
            [&]() -> asio::awaitable<void> {
                asio::steady_timer timer(executor, 20min);
                co_await timer.async_wait(asio::use_awaitable);
                condition.cancel_one();
            },
            asio::detached);
        co_await condition.async_wait(asio::as_tuple(asio::use_awaitable));
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(end_of(run), 20min);
}

TEST(timers, that_nobody_wakes_leave_the_client_stuck_where_it_was)
{
    mishap::contract strict = nothing_promised();
    strict.time.unbounded = {mishap::phase::create, mishap::phase::close};
    const auto run = simulate(
        [&](mishap::resource& session) -> asio::awaitable<void> {
            co_await session.use("query");
            asio::steady_timer condition(
                co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
            co_await condition.async_wait(asio::use_awaitable);
        },
        mishap::parse_plan("session.query=delay(7s)"), {.contract = strict});
    ASSERT_EQ(run.verdict.violations.size(), 1u) << why(run);
    EXPECT_EQ(run.verdict.violations[0].invariant, "completes");
    ASSERT_NE(run.trace.outcomes[0].stuck, mishap::none);
    EXPECT_EQ(run.trace.time_of(run.trace.outcomes[0].stuck), 7s); // not at the horizon
    // Who waits is named, with the step and time at which it began.
    EXPECT_NE(
        run.verdict.violations[0].actual.find("a coroutine, timer or handler of lane c0 since 7s (step 4)"),
        std::string::npos)
        << run.verdict.violations[0].actual;
}

TEST(timers, that_were_cancelled_do_not_advance_time)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 30s);
        timer.async_wait([](boost::system::error_code) {});
        timer.cancel();
        co_await asio::post(asio::use_awaitable);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(end_of(run), 0s);
}

TEST(clocks, read_directly_agree_with_the_simulation)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto steady = std::chrono::steady_clock::now();
        const auto system = std::chrono::system_clock::now();
        const auto high = std::chrono::high_resolution_clock::now();
        const time_t seconds = ::time(nullptr);
        timeval day{};
        ::gettimeofday(&day, nullptr);
        asio::steady_timer timer(co_await asio::this_coro::executor, 90s);
        co_await timer.async_wait(asio::use_awaitable);
        EXPECT_EQ(std::chrono::steady_clock::now() - steady, 90s);
        EXPECT_EQ(std::chrono::system_clock::now() - system, 90s);
        EXPECT_EQ(std::chrono::high_resolution_clock::now() - high, 90s);
        EXPECT_EQ(::time(nullptr) - seconds, 90);
        timeval later{};
        ::gettimeofday(&later, nullptr);
        EXPECT_EQ(later.tv_sec - day.tv_sec, 90);
        // Two readings without a suspension between them are equal: time stands still while a handler runs.
        EXPECT_EQ(std::chrono::steady_clock::now(), std::chrono::steady_clock::now());
    });
    EXPECT_HOLDS(run);
}

TEST(clocks, are_real_again_after_a_run)
{
    const auto before = std::chrono::system_clock::now();
    simulate([](mishap::resource&) -> asio::awaitable<void> { co_return; });
    const auto after = std::chrono::system_clock::now();
    EXPECT_GE(after, before);
    EXPECT_LT(after - before, 1h);
}

TEST(step_cost, makes_time_pass_while_handlers_run)
{
    mishap::fault_plan plan;
    plan.step_cost = 1ms;
    bool expired_already = false;
    const auto run = simulate(
        [&](mishap::resource& session) -> asio::awaitable<void> {
            const auto deadline = std::chrono::steady_clock::now() + 1500us;
            co_await session.use("query");
            co_await session.use("query");
            expired_already = std::chrono::steady_clock::now() > deadline;
        },
        plan);
    EXPECT_HOLDS(run);
    EXPECT_TRUE(expired_already);
    EXPECT_EQ(run.trace.events.back().at, mishap::duration(1ms) * run.trace.steps);
    EXPECT_EQ(run.fired.step_cost, 1ms);
}

TEST(frozen_time, makes_waiting_an_end)
{
    const auto release = [](bool frozen) {
        return [frozen](mishap::resource&) -> asio::awaitable<void> {
            std::optional<mishap::frozen_time> no_waiting;
            if (frozen)
                no_waiting.emplace(mishap::environment::current().freeze_time());
            asio::steady_timer timer(co_await asio::this_coro::executor, 1s);
            co_await timer.async_wait(asio::use_awaitable);
        };
    };
    const mishap::run_options strict{
        .contract = mishap::contract{.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}}};
    EXPECT_HOLDS(simulate(release(false), {}, strict));
    const auto frozen = simulate(release(true), {}, strict);
    EXPECT_TRUE(frozen.violates("completes")) << why(frozen);
    EXPECT_EQ(frozen.trace.time_of(frozen.trace.outcomes[0].stuck), 0s);
}

} // namespace
