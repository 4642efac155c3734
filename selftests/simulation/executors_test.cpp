// SPDX-License-Identifier: MIT
// Goal: posting, dispatching, strands, channels and io_context users behave as in production.
// Method: each test uses one of them inside a session manager and looks at the order of what happened.

#include "simulate.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/io_context_strand.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>

#include <functional>
#include <future>
#include <mutex>
#include <string>

namespace {

TEST(dispatch, runs_inline_where_post_and_defer_queue)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        std::string order;
        asio::post(executor, [&] { order += 'p'; });
        asio::defer(executor, [&] { order += 'd'; });
        asio::dispatch(executor, [&] { order += 'i'; });
        order += '.';
        co_await asio::post(asio::use_awaitable);
        EXPECT_EQ(order, "i.pd");
    });
    EXPECT_HOLDS(run);
}

TEST(dispatch, keeps_an_exception_from_unwinding_its_caller)
{
    // An io_context catches what an inline handler throws and rethrows it from run(); here it is an escape.
    bool went_on = false;
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        asio::dispatch(co_await asio::this_coro::executor, [] { throw std::runtime_error("on purpose"); });
        went_on = true;
    });
    EXPECT_TRUE(went_on);
    EXPECT_TRUE(run.violates("no_escape")) << why(run);
}

TEST(strand, serialises_its_handlers)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        auto strand = asio::make_strand(co_await asio::this_coro::executor);
        std::string order;
        for (const char c : std::string("abc"))
            asio::post(strand, [&order, c] { order += c; });
        co_await asio::post(asio::bind_executor(strand, asio::use_awaitable));
        EXPECT_EQ(order, "abc");
        EXPECT_TRUE(strand.running_in_this_thread()); // a bound token resumes where it is bound
    });
    EXPECT_HOLDS(run);
}

TEST(strand, carries_a_whole_manager)
{
    mishap::awaitable<void> (*inner)() = []() -> mishap::awaitable<void> {
        mishap::mock_resource nested("inner");
        co_await nested.create();
        asio::steady_timer timer(co_await asio::this_coro::executor, 3s);
        co_await timer.async_wait(asio::use_awaitable);
        co_await nested.close();
    };
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        auto strand = asio::make_strand(co_await asio::this_coro::executor);
        co_await asio::co_spawn(strand, inner(), asio::use_awaitable);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.events.back().at, 3s);
}

TEST(channel, hands_over_between_coroutines)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        asio::experimental::channel<void(boost::system::error_code, int)> channel(executor, 0);
        asio::co_spawn(
            executor,
            [&]() -> asio::awaitable<void> {
                asio::steady_timer timer(executor, 1s);
                co_await timer.async_wait(asio::use_awaitable);
                co_await channel.async_send({}, 7, asio::use_awaitable);
            },
            asio::detached);
        EXPECT_EQ(co_await channel.async_receive(asio::use_awaitable), 7);
        asio::experimental::concurrent_channel<void(boost::system::error_code, int)> concurrent(executor, 1);
        EXPECT_TRUE(concurrent.try_send(boost::system::error_code(), 8));
        EXPECT_EQ(co_await concurrent.async_receive(asio::use_awaitable), 8);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.events.back().at, 1s);
}

TEST(io_context, is_there_for_code_that_insists_on_one)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        asio::io_context& io = mishap::environment::current().context();
        asio::steady_timer timer(io, 2s);
        asio::io_context::strand legacy(io);
        std::string order;
        asio::post(legacy, [&] { order += 's'; });
        asio::post(io, [&] { order += 'p'; });
        asio::dispatch(io, [&] { order += 'i'; });
        co_await timer.async_wait(asio::use_awaitable);
        EXPECT_EQ(order.find('i'), 0u);
        EXPECT_EQ(order.size(), 3u);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.events.back().at, 2s);
}

TEST(io_context, of_the_managers_own_runs_in_virtual_time)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        asio::steady_timer worlds_own(co_await asio::this_coro::executor, 2s);
        bool fired = false;
        {
            asio::io_context mine;
            asio::steady_timer timer(mine, 1s);
            timer.async_wait([&](boost::system::error_code error) { fired = !error; });
            mine.run();
        }
        EXPECT_TRUE(fired);
        co_await worlds_own.async_wait(asio::use_awaitable);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.events.back().at, 2s);
}

TEST(mutex, without_a_suspension_inside_is_harmless)
{
    const auto run = simulate([&](mishap::resource& session) -> asio::awaitable<void> {
        std::mutex mutex;
        int guarded = 0;
        {
            const std::scoped_lock lock(mutex);
            ++guarded;
        }
        co_await session.use("query");
        EXPECT_EQ(guarded, 1);
    });
    EXPECT_HOLDS(run);
}

TEST(callbacks, drive_operations_without_a_coroutine)
{
    // Plain callbacks are all that a pool of the old style uses.
    int calls = 0;
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        asio::steady_timer timer(executor, 1s);
        asio::steady_timer done(executor, 10s);
        std::function<void(boost::system::error_code)> again = [&](boost::system::error_code error) {
            if (error || ++calls == 3) {
                done.cancel();
                return;
            }
            timer.expires_after(1s);
            timer.async_wait(again);
        };
        timer.async_wait(again);
        boost::system::error_code ignored;
        co_await done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(run.trace.events.back().at, 3s);
}

TEST(use_future, is_ready_when_the_operation_has_ended)
{
    const auto run = simulate([&](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        std::future<int> future = asio::co_spawn(
            executor, []() -> asio::awaitable<int> { co_return 5; }, asio::use_future);
        co_await asio::post(asio::use_awaitable);
        co_await asio::post(asio::use_awaitable);
        EXPECT_EQ(future.wait_for(0s), std::future_status::ready);
        EXPECT_EQ(future.get(), 5);
    });
    EXPECT_HOLDS(run);
}

} // namespace
