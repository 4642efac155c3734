// SPDX-License-Identifier: MIT
// Goal: code that spawns and awaits on plain Asio runs in the simulation as it does in production.
// Method: each test puts one thing that Asio offers inside a session manager, runs it once and looks at what
// it gave.

#include "simulate.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/redirect_error.hpp>

using namespace asio::experimental::awaitable_operators;

namespace {

asio::awaitable<int> answer_after(std::chrono::seconds delay)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, delay);
    co_await timer.async_wait(asio::use_awaitable);
    co_return 42;
}

TEST(co_spawn, completes_by_callback_awaitable_deferred_and_detached)
{
    int by_callback = 0;
    int by_awaitable = 0;
    int by_deferred = 0;
    bool detached = false;
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        asio::co_spawn(executor, answer_after(1s), [&](std::exception_ptr error, int value) {
            EXPECT_FALSE(error);
            by_callback = value;
        });
        asio::co_spawn(
            executor,
            [&]() -> asio::awaitable<void> {
                co_await answer_after(1s);
                detached = true;
            },
            asio::detached);
        by_awaitable = co_await asio::co_spawn(executor, answer_after(2s), asio::use_awaitable);
        auto operation = asio::co_spawn(executor, answer_after(1s), asio::deferred);
        by_deferred = co_await std::move(operation)(asio::use_awaitable);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(by_callback, 42);
    EXPECT_EQ(by_awaitable, 42);
    EXPECT_EQ(by_deferred, 42);
    EXPECT_TRUE(detached);
    EXPECT_EQ(run.trace.events.back().at, 3s);
}

TEST(co_spawn, hands_an_exception_to_its_handler)
{
    bool caught = false;
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto fails = []() -> asio::awaitable<void> {
            co_await asio::post(asio::use_awaitable);
            throw std::runtime_error("on purpose");
        };
        try {
            co_await asio::co_spawn(co_await asio::this_coro::executor, fails, asio::use_awaitable);
        } catch (const std::runtime_error&) {
            caught = true;
        }
    });
    EXPECT_HOLDS(run);
    EXPECT_TRUE(caught);
}

TEST(awaitable_operators, wait_for_all_and_for_the_first)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto start = std::chrono::steady_clock::now();
        const auto [first, second] = co_await (answer_after(3s) && answer_after(5s));
        EXPECT_EQ(first + second, 84);
        EXPECT_EQ(std::chrono::steady_clock::now() - start, 5s);
        const auto either = co_await (answer_after(9s) || answer_after(2s));
        EXPECT_EQ(either.index(), 1u);
        EXPECT_EQ(std::chrono::steady_clock::now() - start, 7s);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.events.back().at, 7s);
}

TEST(parallel_group, cancels_the_others)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        asio::steady_timer slow(executor, 1h);
        asio::steady_timer fast(executor, 1s);
        auto group = asio::experimental::make_parallel_group(
            slow.async_wait(asio::deferred), fast.async_wait(asio::deferred));
        const auto [order, slow_error, fast_error] =
            co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
        EXPECT_EQ(order[0], 1u);
        EXPECT_EQ(slow_error, asio::error::operation_aborted);
        EXPECT_FALSE(fast_error);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.events.back().at, 1s);
}

TEST(completion_tokens, adapt_errors_and_tuples)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
        asio::post(timer.get_executor(), [&] { timer.cancel(); });
        const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
        EXPECT_EQ(error, asio::error::operation_aborted);
        asio::post(timer.get_executor(), [&] { timer.cancel(); });
        timer.expires_after(1h);
        boost::system::error_code redirected;
        asio::post(timer.get_executor(), [&] { timer.cancel(); });
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, redirected));
        EXPECT_EQ(redirected, asio::error::operation_aborted);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.events.back().at, 0s);
}

TEST(bind_executor, decides_where_a_callback_runs)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        asio::steady_timer timer(executor, 1s);
        asio::steady_timer done(executor, asio::steady_timer::time_point::max());
        bool ran = false;
        timer.async_wait(asio::bind_executor(executor, [&](boost::system::error_code) {
            ran = true;
            done.cancel();
        }));
        co_await done.async_wait(asio::as_tuple(asio::use_awaitable));
        EXPECT_TRUE(ran);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.events.back().at, 1s);
}

TEST(bind_cancellation_slot, cancels_a_spawned_coroutine)
{
    bool aborted = false;
    const auto run = simulate(
        [&](mishap::resource& session) -> asio::awaitable<void> {
            const auto executor = co_await asio::this_coro::executor;
            asio::cancellation_signal signal;
            asio::steady_timer done(executor, asio::steady_timer::time_point::max());
            asio::co_spawn(
                executor, [&]() -> asio::awaitable<void> { co_await session.use("query"); },
                asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr error) {
                    aborted = error != nullptr;
                    done.cancel();
                }));
            asio::steady_timer timer(executor, 1s);
            co_await timer.async_wait(asio::use_awaitable);
            signal.emit(asio::cancellation_type::terminal);
            co_await done.async_wait(asio::as_tuple(asio::use_awaitable));
        },
        mishap::parse_plan("session.query=hang"));
    EXPECT_HOLDS(run);
    EXPECT_TRUE(aborted);
}

TEST(this_coro, gives_executor_and_cancellation_state)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        EXPECT_EQ(executor, mishap::environment::current().executor());
        const auto state = co_await asio::this_coro::cancellation_state;
        EXPECT_EQ(state.cancelled(), asio::cancellation_type::none);
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await asio::this_coro::throw_if_cancelled(false);
    });
    EXPECT_HOLDS(run);
}

TEST(background_coroutine, of_the_managers_own_ends_with_it)
{
    int ticks = 0;
    const auto run = simulate(
        [&](mishap::resource& session) -> asio::awaitable<void> {
            const auto executor = co_await asio::this_coro::executor;
            asio::steady_timer stop(executor, asio::steady_timer::time_point::max());
            asio::steady_timer stopped(executor, asio::steady_timer::time_point::max());
            bool running = true;
            asio::co_spawn(
                executor,
                [&]() -> asio::awaitable<void> {
                    asio::steady_timer tick(executor);
                    while (running) {
                        tick.expires_after(10s);
                        co_await (tick.async_wait(asio::as_tuple(asio::use_awaitable)) ||
                                  stop.async_wait(asio::as_tuple(asio::use_awaitable)));
                        ticks += running;
                    }
                    stopped.cancel();
                },
                asio::detached);
            co_await session.use("query");
            running = false;
            stop.cancel();
            co_await stopped.async_wait(asio::as_tuple(asio::use_awaitable));
        },
        mishap::parse_plan("session.query=delay(35s)"));
    EXPECT_HOLDS(run);
    EXPECT_EQ(ticks, 3);
    EXPECT_EQ(run.trace.events.back().at, 35s);
}

} // namespace
