// SPDX-License-Identifier: MIT
// Goal: each event tells what set it off. Method: managers of a few lines; the event in question is found by
// its operation, and its cause is followed.

#include "simulate.hpp"

#include <mishap/explore.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>

#include <string>

namespace {

using namespace boost::asio::experimental::awaitable_operators;
using mishap::event_kind;
using mishap::origin;

const mishap::operation_record& operation(const mishap::run_result& run, std::string_view name)
{
    for (const mishap::operation_record& op : run.trace.operations)
        if (to_string(run.trace, op) == name)
            return op;
    throw std::logic_error("no operation " + std::string(name));
}

const mishap::event& at(const mishap::run_result& run, mishap::index event)
{
    return run.trace.events.at(event);
}

/// "strike: client_cancelled", in words that a test can compare.
std::string cause_of(const mishap::run_result& run, mishap::index of)
{
    const mishap::event& e = at(run, of);
    std::string text(to_string(e.why));
    if (e.cause == mishap::none)
        return text;
    const mishap::event& cause = at(run, e.cause);
    if (e.why == origin::completion)
        return text + " of " + to_string(run.trace, run.trace.operations[cause.subject]);
    return text + " at " + std::to_string(e.cause);
}

TEST(causes, the_clean_up_of_a_cancelled_client_comes_of_the_strike)
{
    const auto cleans_up = [](mishap::resource& session) -> mishap::awaitable<void> {
        try {
            co_await session.use("query");
        } catch (const boost::system::system_error&) {
        }
        co_await asio::this_coro::reset_cancellation_state();
        co_await asio::post(asio::use_awaitable);
        co_await session.use("farewell");
    };
    const auto run = simulate(cleans_up, mishap::parse_plan("session.query=cancel"));
    const mishap::index struck = run.trace.outcomes[0].cancelled;
    ASSERT_NE(struck, mishap::none);
    EXPECT_EQ(at(run, struck).why, origin::environment);
    for (const mishap::index caused :
        {operation(run, "session.query#1").cancel_requested, operation(run, "session.query#1").completed,
            operation(run, "session.query#1").delivered, operation(run, "session.farewell#1").started}) {
        EXPECT_EQ(at(run, caused).why, origin::strike);
        EXPECT_EQ(at(run, caused).cause, struck);
    }
    EXPECT_EQ(cause_of(run, operation(run, "session.close#1").started), "completion of session.farewell#1");
}

TEST(causes, an_operation_that_a_time_out_ends_was_stopped_by_a_timer)
{
    const auto run = simulate(
        [](mishap::resource& session) -> mishap::awaitable<void> {
            asio::steady_timer timer(co_await asio::this_coro::executor, 5s);
            co_await (session.use("query") || timer.async_wait(asio::use_awaitable));
        },
        mishap::parse_plan("session.query=hang"));
    EXPECT_EQ(cause_of(run, operation(run, "session.query#1").cancel_requested), "timer");
    EXPECT_EQ(cause_of(run, operation(run, "session.query#1").delivered), "timer");
    EXPECT_EQ(cause_of(run, operation(run, "session.close#1").started), "timer");
}

TEST(causes, a_wait_that_was_cancelled_is_no_timer_that_expired)
{
    const auto run = simulate([](mishap::resource& session) -> mishap::awaitable<void> {
        asio::steady_timer never(co_await asio::this_coro::executor, 1h);
        co_await (session.use("query") || never.async_wait(asio::use_awaitable));
    });
    EXPECT_EQ(cause_of(run, operation(run, "session.close#1").started), "completion of session.query#1");
}

TEST(causes, whoever_expires_at_the_same_instant_is_a_timer_each)
{
    const auto run = simulate([](mishap::resource& session) -> mishap::awaitable<void> {
        const auto use = [&](mishap::symbol name) -> mishap::awaitable<void> {
            asio::steady_timer timer(co_await asio::this_coro::executor, 5s);
            co_await timer.async_wait(asio::use_awaitable);
            co_await session.use(name);
        };
        co_await (use("first") && use("second"));
    });
    EXPECT_EQ(cause_of(run, operation(run, "session.first#1").started), "timer");
    EXPECT_EQ(cause_of(run, operation(run, "session.second#1").started), "timer");
}

TEST(causes, a_chain_of_posted_handlers_inherits)
{
    const auto run = simulate([](mishap::resource& session) -> mishap::awaitable<void> {
        co_await session.use("first");
        for (int i = 0; i < 3; ++i)
            co_await asio::post(asio::use_awaitable);
        co_await asio::co_spawn(
            co_await asio::this_coro::executor,
            [&]() -> mishap::awaitable<void> { co_await session.use("second"); }, asio::use_awaitable);
    });
    EXPECT_EQ(cause_of(run, operation(run, "session.create#1").started), "start at 0");
    EXPECT_EQ(cause_of(run, operation(run, "session.second#1").started), "completion of session.first#1");
}

TEST(causes, a_completion_handler_has_its_operation_as_the_cause)
{
    const auto run = simulate([](mishap::resource& session) -> mishap::awaitable<void> {
        co_await session.async<void(boost::system::error_code)>(
            mishap::role::use, "first", asio::use_awaitable);
        co_await session.use("second");
    });
    EXPECT_EQ(cause_of(run, operation(run, "session.first#1").delivered), "completion of session.first#1");
    EXPECT_EQ(cause_of(run, operation(run, "session.second#1").started), "completion of session.first#1");
}

TEST(causes, strands_know_what_delivers_to_them_and_nothing_else)
{
    const auto run = simulate([](mishap::resource& session) -> mishap::awaitable<void> {
        const auto strand = asio::make_strand(co_await asio::this_coro::executor);
        co_await asio::co_spawn(
            strand,
            [&]() -> mishap::awaitable<void> {
                co_await session.use("first");
                co_await session.use("second");
                co_await asio::post(asio::use_awaitable);
                co_await session.use("third");
            },
            asio::use_awaitable);
    });
    EXPECT_EQ(cause_of(run, operation(run, "session.first#1").started), "unknown");
    EXPECT_EQ(cause_of(run, operation(run, "session.second#1").started), "completion of session.first#1");
    EXPECT_EQ(cause_of(run, operation(run, "session.third#1").started), "unknown");
}

// A lock whose waiters sleep on a timer, as stock code does it.
TEST(causes, a_waiter_that_was_woken_tells_by_whom)
{
    const mishap::manager lock("lock",
        [](mishap::environment& env) -> mishap::awaitable<void> {
            mishap::mock_resource shared("shared");
            co_await shared.create();
            bool taken = false;
            std::vector<asio::steady_timer*> waiting;
            co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                while (taken) {
                    asio::steady_timer wake(
                        co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
                    waiting.push_back(&wake);
                    boost::system::error_code woken;
                    co_await wake.async_wait(asio::redirect_error(asio::use_awaitable, woken));
                }
                taken = true;
                co_await client.body(shared);
                taken = false;
                if (!waiting.empty()) {
                    waiting.front()->cancel();
                    waiting.erase(waiting.begin());
                }
            });
            co_await shared.close();
        },
        {.capacity = {.clients = 2}, .work = {.uses = {"work"}}});
    const auto run = mishap::run(lock, {});
    EXPECT_HOLDS(run);
    const auto second = std::find_if(run.trace.bodies.begin(), run.trace.bodies.end(),
        [](const mishap::body_record& body) { return body.lane == 1; });
    ASSERT_NE(second, run.trace.bodies.end());
    EXPECT_EQ(cause_of(run, second->entered), "completion of c0/shared.work#1");
}

// What is posted to the io_context itself, by one handler or by several.
TEST(causes, the_queue_of_the_io_context_is_told_apart_where_one_handler_filled_it)
{
    const auto run = simulate([](mishap::resource& session) -> mishap::awaitable<void> {
        co_await session.use("first");
        co_await asio::post(asio::bind_executor(
            mishap::environment::current().context().get_executor(), asio::use_awaitable));
        co_await session.use("second");
    });
    EXPECT_EQ(cause_of(run, operation(run, "session.second#1").started), "completion of session.first#1");
}

TEST(causes, a_cause_comes_before_its_effect)
{
    const auto run = simulate(
        [](mishap::resource& session) -> mishap::awaitable<void> {
            asio::steady_timer timer(co_await asio::this_coro::executor, 5s);
            co_await (session.use("query") || timer.async_wait(asio::use_awaitable));
        },
        mishap::parse_plan("session.query=hang session.close=cancel"));
    for (mishap::index i = 0; i < run.trace.events.size(); ++i) {
        const mishap::index cause = run.trace.events[i].cause;
        EXPECT_TRUE(cause == mishap::none || cause < i) << i;
    }
}

} // namespace
