// SPDX-License-Identifier: MIT
// Goal: honours_timeout judges each deadline by itself: those of the manager's own steps, of several
// attempts, and of what is under way at once. Method: one small manager for each way to have several.

#include "bounded_create.hpp"

#include "shared/with_deadline.hpp"

#include <mishap/error.hpp>
#include <mishap/report.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace selftest;

// The manager's own steps -----------------------------------------------------------------------------------

/// What the manager does by itself with an open resource.
using step = std::function<awaitable<void>(mock_resource&)>;

awaitable<void> begins(mock_resource& resource) { return resource.begin(); }
awaitable<void> shakes_hands(mock_resource& resource) { return resource.use("handshake"); }
awaitable<void> does_nothing(mock_resource&) { co_return; }

/// Gives a step before the body, or one after it, up after that time.
mishap::adapter stepping_within(std::chrono::nanoseconds timeout, step before, step after = does_nothing)
{
    return [=](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        std::exception_ptr error;
        try {
            co_await catalogue::with_deadline([&] { return before(resource); }, timeout);
            co_await env.body()(resource);
            co_await catalogue::with_deadline([&] { return after(resource); }, timeout);
        } catch (...) {
            error = std::current_exception();
        }
        resource.force_close();
        if (error)
            std::rethrow_exception(error);
    };
}

mishap::adapter committing_within(std::chrono::nanoseconds timeout)
{
    return stepping_within(timeout, begins, [](mock_resource& resource) { return resource.commit(); });
}

const contract bounded_other{
    .time = {.other = T, .unbounded = {phase::create, phase::close}}, .closing = {.rolls_back = true}};

TEST(honours_timeout, a_step_of_the_managers_is_given_up_at_its_deadline)
{
    struct own
    {
        const char* name;
        std::function<mishap::adapter(std::chrono::nanoseconds)> within;
    };
    for (const own& one : {own{"begin", [](auto timeout) { return stepping_within(timeout, begins); }},
             own{"ping", [](auto timeout) { return stepping_within(timeout, pings); }},
             own{"handshake", [](auto timeout) { return stepping_within(timeout, shakes_hands); }},
             own{"acquire", [](auto timeout) { return stepping_within(timeout, acquires); }},
             own{"commit", [](auto timeout) { return committing_within(timeout); }}}) {
        SCOPED_TRACE(one.name);
        const std::string plan = std::string("resource.") + one.name + "=hang";
        const run_result done = run_under(plan, one.within(T), bounded_other);
        EXPECT_TRUE(holds(done));
        EXPECT_EQ(done.trace.outcomes[0].ending, mishap::ending::threw);
        EXPECT_TRUE(holds(run_under(plan, one.within(T + 1us), bounded_other)));
        const run_result late = run_under(plan, one.within(T + 2us), bounded_other);
        EXPECT_TRUE(breaks_only(late, "honours_timeout"));
        EXPECT_EQ(sentence_of(late),
            std::string("resource.") + one.name + "#1 took 5.000002s, past its deadline of 5s");
        EXPECT_TRUE(breaks_first(run_under(plan, one.within(T - 1us), bounded_other), "honours_timeout"));
        EXPECT_TRUE(holds_under_any_two_faults(one.within(T), bounded_other));
    }
}

TEST(honours_timeout, a_step_that_the_contract_does_not_bound_is_given_up_when_the_manager_likes)
{
    contract silent = bounded_other;
    silent.time.other.reset();
    for (const auto timeout : {1s, 7s})
        EXPECT_TRUE(holds(run_under("resource.begin=hang", stepping_within(timeout, begins), silent)));
    const auto cries_wolf = [](mock_resource& resource) -> awaitable<void> {
        co_await resource.begin();
        throw timed_out();
    };
    EXPECT_TRUE(breaks_only(run_under("", stepping_within(T, cries_wolf), silent), "invents_no_error"));
}

// Attempts -------------------------------------------------------------------------------------------------

/// Creates twice at most, `pause` apart, within T in all.
mishap::adapter dialling(std::chrono::nanoseconds pause, bool swallows = false)
{
    return [=](environment& env) -> awaitable<void> {
        mock_resource resource;
        std::exception_ptr error;
        const auto dial = [&]() -> awaitable<void> {
            try {
                co_await resource.create();
                co_return;
            } catch (const boost::system::system_error& e) {
                if (e.code() == asio::error::operation_aborted)
                    throw;
            }
            asio::steady_timer timer(co_await asio::this_coro::executor, pause);
            co_await timer.async_wait(asio::use_awaitable);
            co_await resource.create();
        };
        try {
            co_await catalogue::with_deadline(dial, T);
            co_await env.body()(resource);
        } catch (...) {
            error = std::current_exception();
        }
        if (resource.usable())
            resource.force_close();
        if (error && !swallows)
            std::rethrow_exception(error);
    };
}

const contract two_attempts{.time = {.create = T, .unbounded = {phase::close}}, .attempts = {.create = 2}};

TEST(honours_timeout, attempts_may_be_cancelled_between_them)
{
    const char* plan = "resource.create=fail(io_error) cancel(c0 after resource.create#1 +1)";
    const run_result done = run_under(plan, dialling(1s), two_attempts);
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(done.trace.events.back().at, 1s);
    EXPECT_EQ(mishap::describe(done.trace.outcomes[0].error), "operation_aborted");
    EXPECT_TRUE(breaks_only(run_under(plan, dialling(1s, true), two_attempts), "swallows_no_error"));
}

TEST(honours_timeout, the_deadline_of_attempts_may_pass_between_them)
{
    const char* plan = "resource.create=fail(io_error)";
    const run_result done = run_under(plan, dialling(T + 1s), two_attempts);
    ASSERT_TRUE(holds(done));
    EXPECT_EQ(done.trace.time_of(done.trace.outcomes[0].ended), T);
    EXPECT_TRUE(breaks_only(run_under(plan, dialling(T + 1s, true), two_attempts), "swallows_no_error"));
    EXPECT_TRUE(holds_under_any_two_faults(dialling(1s), two_attempts));
}

// Several at once ------------------------------------------------------------------------------------------

/// Creates two at once.
mishap::adapter creating_both_within(std::chrono::nanoseconds timeout)
{
    return [timeout](environment& env) -> awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        mock_resource first("first");
        mock_resource second("second");
        const auto within = [&](mock_resource& one) {
            return catalogue::with_deadline([&one] { return one.create(); }, timeout);
        };
        std::exception_ptr error;
        try {
            co_await (within(first) && within(second));
            co_await env.body()(first);
        } catch (...) {
            error = std::current_exception();
        }
        for (mock_resource* one : {&second, &first})
            if (one->usable())
                one->force_close();
        if (error)
            std::rethrow_exception(error);
    };
}

TEST(honours_timeout, two_creates_at_once_have_each_their_deadline)
{
    for (const char* plan :
        {"", "first.create=hang", "second.create=hang", "first.create=hang second.create=delay(4s)"})
        EXPECT_TRUE(holds(run_under(plan, creating_both_within(T), bounded_create))) << plan;
    for (const char* plan : {"first.create=hang", "second.create=hang"})
        EXPECT_TRUE(
            breaks_only(run_under(plan, creating_both_within(T + 2us), bounded_create), "honours_timeout"))
            << plan;
}

/// Opens two at once before there are clients, and goes on without what does not open.
awaitable<void> warms_up(environment& env)
{
    std::vector<std::unique_ptr<mock_resource>> sessions;
    std::size_t pending = 2;
    asio::steady_timer warm(env.executor(), asio::steady_timer::time_point::max());
    const auto open = [&]() -> awaitable<void> {
        auto one = std::make_unique<mock_resource>("session");
        try {
            co_await catalogue::with_deadline([&] { return one->create(); }, T);
            sessions.push_back(std::move(one));
        } catch (...) {
            env.report(std::current_exception());
        }
        if (--pending == 0)
            warm.cancel();
    };
    for (int i = 0; i < 2; ++i)
        asio::co_spawn(env.executor(), open(), asio::detached);
    boost::system::error_code woken;
    co_await warm.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    std::size_t next = 0;
    co_await env.clients([&](mishap::client& one) -> awaitable<void> {
        if (const std::size_t mine = next++; mine < sessions.size())
            co_await one.body(*sessions[mine]);
    });
    while (!sessions.empty()) {
        sessions.back()->force_close();
        sessions.pop_back();
    }
}

TEST(honours_timeout, what_is_opened_in_the_background_has_each_its_deadline)
{
    contract two = bounded_create;
    two.capacity.clients = 2;
    two.closing.any_order = true;
    EXPECT_TRUE(holds_under_any_two_faults(warms_up, two));
    two.time.create = T - 2us;
    EXPECT_TRUE(breaks_only(run_under("bg/session.create=hang", warms_up, two), "honours_timeout"));
}

/// Waits for a session so long, and closes its gateway then.
mishap::adapter acquiring_within(std::chrono::nanoseconds timeout)
{
    return [timeout](environment& env) -> awaitable<void> {
        mock_resource gateway("gateway");
        mock_resource session("session");
        co_await gateway.create();
        const auto work = [&]() -> awaitable<void> {
            co_await catalogue::with_deadline([&] { return session.create(); }, timeout);
            co_await env.body()(session);
        };
        const auto close = [&]() -> awaitable<void> {
            if (session.usable())
                session.force_close();
            co_await gateway.close();
        };
        co_await with_cleanup(work, close);
    };
}

TEST(honours_timeout, who_gives_up_waiting_in_time_may_clean_up_slowly)
{
    const contract promises{.time = {.close = T, .acquire = T, .unbounded = {phase::create}}};
    const char* plan = "session.create=hang gateway.close=delay(3s)";
    const run_result done = run_under(plan, acquiring_within(T), promises);
    ASSERT_TRUE(holds(done));
    EXPECT_EQ(done.trace.time_of(done.trace.outcomes[0].ended), T + 3s);
    EXPECT_TRUE(breaks_only(run_under(plan, acquiring_within(T + 2us), promises), "honours_timeout"));
}

/// Pings its session beside the body, and ends with the timeout of a ping that hangs.
mishap::adapter keeping_alive(std::chrono::nanoseconds patience)
{
    return [patience](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        asio::cancellation_signal stop_pings, stop_body;
        std::exception_ptr of_ping, error;
        const auto pings = [&]() -> awaitable<void> {
            asio::steady_timer timer(co_await asio::this_coro::executor);
            for (;;) {
                timer.expires_after(2s);
                co_await timer.async_wait(asio::use_awaitable);
                co_await catalogue::with_deadline([&] { return session.maintain("ping"); }, patience);
            }
        };
        bool pinging = true;
        asio::steady_timer pinged(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
        asio::co_spawn(co_await asio::this_coro::executor, pings(),
            asio::bind_cancellation_slot(stop_pings.slot(), [&](std::exception_ptr ended) {
                of_ping = ended;
                pinging = false;
                stop_body.emit(asio::cancellation_type::terminal);
                pinged.cancel();
            }));
        const auto caller = (co_await asio::this_coro::cancellation_state).slot();
        auto mine = caller;
        mine.assign([&](asio::cancellation_type how) { stop_body.emit(how); });
        try {
            co_await asio::co_spawn(co_await asio::this_coro::executor, env.body()(session),
                asio::bind_cancellation_slot(stop_body.slot(), asio::use_awaitable));
        } catch (...) {
            error = std::current_exception();
        }
        mine.clear();
        co_await shield();
        if (!pinging && of_ping)
            error = of_ping;
        stop_pings.emit(asio::cancellation_type::terminal);
        boost::system::error_code woken;
        if (pinging)
            co_await pinged.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        session.force_close();
        if (error)
            std::rethrow_exception(error);
    };
}

TEST(honours_timeout, a_ping_beside_the_body_may_end_it_and_ends_with_it)
{
    contract promises = patient;
    promises.work.pipelined = true;
    promises.time.other = T;
    const char* hangs = "session.use=hang session.ping=hang";
    const run_result done = run_under(hangs, keeping_alive(T), promises);
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(mishap::describe(done.trace.outcomes[0].error), "timed_out");
    // Nobody needs it any more when the body has ended.
    EXPECT_TRUE(holds(run_under("session.use=delay(3s) session.ping=hang", keeping_alive(T), promises)));
}

TEST(honours_timeout, steps_that_cost_time_make_nobody_late)
{
    for (const char* plan : {"resource.create=hang step_cost(1us)", "resource.create=hang step_cost(10us)"}) {
        EXPECT_TRUE(holds(run_under(plan, creating_within(T), bounded_create))) << plan;
        EXPECT_TRUE(breaks_only(run_under(plan, creating_within(T + 1ms), bounded_create), "honours_timeout"))
            << plan;
    }
}

} // namespace
