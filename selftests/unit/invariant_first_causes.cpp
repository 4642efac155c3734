// SPDX-License-Identifier: MIT
// Goal: no_escape and livelock blame what no caller ever sees, and report it alone.
// Method: exceptions that leave handlers of every origin; handlers without end.

#include "support/under_test.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <stdexcept>

namespace {

using namespace selftest;

/// Works in the background; what becomes of an error there is up to `told`.
template <class Token>
mishap::adapter working_behind(Token told)
{
    return [told](environment& env) -> awaitable<void> {
        const auto work = []() -> awaitable<void> {
            mock_resource resource("helper");
            co_await resource.create();
            resource.force_close();
        };
        asio::co_spawn(env.executor(), work, told);
        asio::steady_timer timer(env.executor(), 1s);
        co_await timer.async_wait(asio::use_awaitable);
    };
}

void rethrow(std::exception_ptr error)
{
    if (error)
        std::rethrow_exception(error);
}

TEST(no_escape, blames_a_completion_handler_that_rethrows)
{
    const run_result done = run_under("helper.create=fail(foreign)", working_behind(&rethrow));
    EXPECT_TRUE(breaks_only(done, "no_escape"));
    EXPECT_EQ(done.trace.escapes.size(), 1u);
    EXPECT_TRUE(holds(run_under("", working_behind(&rethrow))));
}

// asio::detached drops the error, so nothing reaches the executor: the error is lost, and that is what is
// said.
TEST(no_escape, an_error_in_a_detached_coroutine_is_swallowed_rather)
{
    const run_result done = run_under("helper.create=fail(io_error)", working_behind(asio::detached));
    EXPECT_TRUE(breaks_only(done, "swallows_no_error"));
    EXPECT_TRUE(done.trace.escapes.empty());
    EXPECT_TRUE(holds(run_under("", working_behind(asio::detached))));
}

TEST(no_escape, blames_a_handler_that_throws)
{
    const auto posts = [](environment& env) -> awaitable<void> {
        asio::post(env.executor(), [] { throw std::runtime_error("from a handler"); });
        asio::steady_timer timer(env.executor(), 1s);
        co_await timer.async_wait(asio::use_awaitable);
    };
    const run_result done = run_under("", posts);
    EXPECT_TRUE(breaks_only(done, "no_escape"));
    EXPECT_EQ(
        sentence_of(done), "std::runtime_error (from a handler) escaped from a handler into the executor");
}

TEST(no_escape, blames_a_timers_handler_that_throws)
{
    const auto times = [](environment& env) -> awaitable<void> {
        asio::steady_timer timer(env.executor(), 1s);
        timer.async_wait([](boost::system::error_code) { throw std::runtime_error("from a timer"); });
        asio::steady_timer later(env.executor(), 2s);
        co_await later.async_wait(asio::use_awaitable);
    };
    EXPECT_TRUE(breaks_only(run_under("", times), "no_escape"));
}

TEST(no_escape, blames_a_handler_of_the_io_context_itself)
{
    const auto posts = [](environment& env) -> awaitable<void> {
        asio::post(env.context(), [] { throw 42; });
        asio::steady_timer later(env.executor(), 2s);
        co_await later.async_wait(asio::use_awaitable);
    };
    EXPECT_TRUE(breaks_only(run_under("", posts), "no_escape"));
}

/// Posts itself that often.
mishap::adapter posting(std::uint64_t times)
{
    return [times](environment& env) -> awaitable<void> {
        for (std::uint64_t i = 0; i < times; ++i)
            co_await asio::post(env.executor(), asio::use_awaitable);
    };
}

TEST(livelock, blames_handlers_without_end)
{
    const run_result done = run_under("", posting(1'000'000), patient, {.steps_max = 200});
    EXPECT_TRUE(breaks_only(done, "livelock"));
    EXPECT_EQ(sentence_of(done), "the run was still busy after 200 steps");
    EXPECT_EQ(done.trace.steps, 200u);
}

TEST(livelock, does_not_blame_many_handlers)
{
    EXPECT_TRUE(holds(run_under("", posting(100), patient, {.steps_max = 200})));
}

TEST(livelock, blames_timers_without_end_that_take_no_time)
{
    const auto times = [](environment& env) -> awaitable<void> {
        for (;;) {
            asio::steady_timer timer(env.executor(), 0s);
            co_await timer.async_wait(asio::use_awaitable);
        }
    };
    EXPECT_TRUE(breaks_only(run_under("", times, patient, {.steps_max = 200}), "livelock"));
}

TEST(livelock, blames_handlers_of_the_io_context_without_end)
{
    struct loop
    {
        asio::io_context& context;
        void operator()() const { asio::post(context, loop{context}); }
    };
    const auto posts = [](environment& env) -> awaitable<void> {
        asio::post(env.context(), loop{env.context()});
        asio::steady_timer timer(env.executor(), 1s);
        co_await timer.async_wait(asio::use_awaitable);
    };
    EXPECT_TRUE(breaks_only(run_under("", posts, patient, {.steps_max = 200}), "livelock"));
}

// A resource that a cut-off run leaves open is no news.
TEST(livelock, is_reported_alone)
{
    const auto busy = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        for (;;)
            co_await asio::post(env.executor(), asio::use_awaitable);
    };
    EXPECT_TRUE(breaks_only(run_under("", busy, patient, {.steps_max = 200}), "livelock"));
}

} // namespace
