// SPDX-License-Identifier: MIT
// Goal: stackful coroutines run in the simulation too.
// Method: a manager made of `spawn` and a yield context; built where the Boost coroutine library is
// installed.

#include "simulate.hpp"

#include <boost/asio/spawn.hpp>

namespace {

TEST(spawn, runs_a_stackful_coroutine_in_virtual_time)
{
    const auto run = simulate([](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const int value = co_await asio::spawn(
            executor,
            [](asio::yield_context yield) {
                asio::steady_timer timer(yield.get_executor(), 20s);
                timer.async_wait(yield);
                return 42;
            },
            asio::use_awaitable);
        EXPECT_EQ(value, 42);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.events.back().at, 20s);
}

} // namespace
