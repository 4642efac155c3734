// SPDX-License-Identifier: MIT
// Goal: honours_timeout knows the deadline to the tick: who gives up before T or after T + 1 us is blamed,
// who gives up in between is not, and at T itself both outcomes are right. Method: managers whose timeout is
// the contract's and a little more or less; the ways to make a timeout.

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

const contract bounded_close{.time = {.close = T, .unbounded = {phase::create}}};

// How long ------------------------------------------------------------------------------------------------

TEST(honours_timeout, does_not_blame_giving_up_at_the_deadline)
{
    EXPECT_TRUE(holds(run_under("resource.create=hang", creating_within(T), bounded_create)));
    EXPECT_TRUE(holds_under_any_two_faults(creating_within(T), bounded_create));
}

TEST(honours_timeout, does_not_blame_a_permitted_refusal_at_the_very_deadline)
{
    const auto refuses = [](environment& env) -> awaitable<void> {
        asio::steady_timer deadline(env.executor(), T);
        co_await deadline.async_wait(asio::use_awaitable);
        throw std::invalid_argument("the queue is full");
    };
    contract promises{.time = {.acquire = T}};
    EXPECT_TRUE(breaks_first(run_under("", refuses, promises), "honours_timeout"));
    promises.errors.refuses = {"value_error"};
    EXPECT_TRUE(holds(run_under("", refuses, promises)));
}

// A call that blocks the thread makes every timer late, whoever waits for it.
TEST(honours_timeout, does_not_blame_what_a_blocking_call_delays)
{
    const auto peeks = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        mock_resource other("other");
        asio::steady_timer soon(env.executor(), 1s);
        asio::co_spawn(
            env.executor(),
            [&]() -> awaitable<void> {
                co_await soon.async_wait(asio::use_awaitable);
                other.now(mishap::role::use, "peek");
            },
            asio::detached);
        co_await catalogue::with_deadline([&] { return resource.create(); }, T);
        co_await lend_and_drop(env, resource);
    };
    EXPECT_TRUE(holds(run_under("resource.create=hang other.peek=delay(60s)", peeks, bounded_create)));
}

TEST(honours_timeout, does_not_blame_a_tick_more)
{
    EXPECT_TRUE(holds(run_under("resource.create=hang", creating_within(T + 1us), bounded_create)));
}

TEST(honours_timeout, blames_two_ticks_more)
{
    const run_result done = run_under("resource.create=hang", creating_within(T + 2us), bounded_create);
    EXPECT_TRUE(breaks_only(done, "honours_timeout"));
    EXPECT_EQ(sentence_of(done), "resource.create#1 took 5.000002s, past its deadline of 5s");
}

TEST(honours_timeout, blames_a_tick_less)
{
    const run_result done = run_under("resource.create=hang", creating_within(T - 1us), bounded_create);
    EXPECT_TRUE(breaks_first(done, "honours_timeout"));
    EXPECT_EQ(sentence_of(done), "resource.create#1 was given up after 4.999999s, before its deadline of 5s");
    EXPECT_TRUE(breaks_first(
        run_under("resource.create=delay(4.5s)", creating_within(4s), bounded_create), "honours_timeout"));
}

TEST(honours_timeout, blames_who_has_no_deadline_at_all)
{
    EXPECT_TRUE(
        breaks_first(run_under("resource.create=delay(6s)", right, bounded_create), "honours_timeout"));
    EXPECT_TRUE(breaks_only(run_under("resource.create=hang", right, bounded_create), "completes"));
}

TEST(honours_timeout, what_ends_in_time_is_nobodys_business)
{
    for (const char* plan :
        {"", "resource.create=ok_now", "resource.create=delay(4.999999s)", "resource.create=fail(io_error)"})
        EXPECT_TRUE(holds(run_under(plan, creating_within(T), bounded_create))) << plan;
}

TEST(honours_timeout, the_body_and_its_uses_are_not_bounded_by_the_create)
{
    EXPECT_TRUE(holds(run_under("resource.use=delay(1h)", creating_within(T), bounded_create)));
    EXPECT_TRUE(holds(run_under("body=hang", creating_within(T), bounded_create)));
}

// At the deadline -----------------------------------------------------------------------------------------

/// Closes and gives up a resource that arrived exactly at the deadline.
awaitable<void> gives_up_what_comes_at_the_deadline(environment& env)
{
    mock_resource resource;
    const auto deadline = std::chrono::steady_clock::now() + T;
    co_await catalogue::with_deadline([&] { return resource.create(); }, T);
    if (std::chrono::steady_clock::now() >= deadline) {
        resource.force_close();
        throw timed_out();
    }
    co_await lend_and_drop(env, resource);
}

TEST(honours_timeout, at_exactly_the_deadline_both_outcomes_are_right)
{
    const run_result taken = run_under("resource.create=delay(5s)", creating_within(T + 1us), bounded_create);
    EXPECT_TRUE(holds(taken));
    EXPECT_EQ(taken.trace.outcomes[0].ending, mishap::ending::returned);

    const run_result given_up =
        run_under("resource.create=delay(5s)", gives_up_what_comes_at_the_deadline, bounded_create);
    EXPECT_TRUE(holds(given_up));
    EXPECT_EQ(given_up.trace.outcomes[0].ending, mishap::ending::threw);

    EXPECT_TRUE(holds(run_under("resource.create=delay(5s)", creating_within(T), bounded_create)));
}

TEST(honours_timeout, a_tick_before_the_deadline_only_success_is_right)
{
    const auto hasty = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        const auto enough = std::chrono::steady_clock::now() + T - 1us;
        co_await catalogue::with_deadline([&] { return resource.create(); }, T);
        if (std::chrono::steady_clock::now() >= enough) {
            resource.force_close();
            throw timed_out();
        }
        co_await lend_and_drop(env, resource);
    };
    EXPECT_FALSE(run_under("resource.create=delay(4.999999s)", hasty, bounded_create).holds());
    EXPECT_TRUE(holds(run_under("resource.create=delay(4.999999s)", creating_within(T), bounded_create)));
}

// By which error ------------------------------------------------------------------------------------------

mishap::adapter timing_out_with(std::exception_ptr error)
{
    return [error](environment& env) -> awaitable<void> {
        mock_resource resource;
        bool late = false;
        try {
            co_await catalogue::with_deadline([&] { return resource.create(); }, T);
        } catch (const catalogue::deadline_error&) {
            late = true;
        }
        if (late)
            std::rethrow_exception(error);
        co_await lend_and_drop(env, resource);
    };
}

TEST(honours_timeout, blames_an_error_that_does_not_say_time_out)
{
    const auto mute = timing_out_with(std::make_exception_ptr(std::runtime_error("no session")));
    const run_result done = run_under("resource.create=hang", mute, bounded_create);
    EXPECT_TRUE(breaks_only(done, "honours_timeout"));
    EXPECT_EQ(
        sentence_of(done), "resource.create#1 timed out, but the caller saw std::runtime_error (no session)");
}

TEST(honours_timeout, the_contract_says_which_errors_mean_time_out)
{
    const auto says_invalid = timing_out_with(std::make_exception_ptr(std::invalid_argument("too late")));
    contract promises = bounded_create;
    EXPECT_TRUE(breaks_only(run_under("resource.create=hang", says_invalid, promises), "honours_timeout"));
    promises.time.errors = {"value_error"};
    EXPECT_TRUE(holds(run_under("resource.create=hang", says_invalid, promises)));
    EXPECT_TRUE(
        breaks_only(run_under("resource.create=hang", creating_within(T), promises), "honours_timeout"));
}

// The timeout is made by cancelling the operation, so its abort is the manager's own doing.
TEST(honours_timeout, does_not_blame_cancelling_the_operation_and_throwing_timed_out)
{
    const auto cancels = [](environment& env) -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        mock_resource resource;
        asio::cancellation_signal stop;
        bool passed = false;
        asio::steady_timer timer(executor, T);
        timer.async_wait([&](boost::system::error_code error) {
            if (error)
                return;
            passed = true;
            stop.emit(asio::cancellation_type::terminal);
        });
        std::exception_ptr error;
        try {
            co_await asio::co_spawn(
                executor, resource.create(), asio::bind_cancellation_slot(stop.slot(), asio::use_awaitable));
        } catch (...) {
            error = std::current_exception();
        }
        timer.cancel();
        if (error && passed)
            throw timed_out();
        if (error)
            std::rethrow_exception(error);
        co_await lend_and_drop(env, resource);
    };
    const run_result done = run_under("resource.create=hang", cancels, bounded_create);
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(done.trace.outcomes[0].ending, mishap::ending::threw);
    EXPECT_TRUE(holds(run_under("resource.create=delay(6s)", cancels, bounded_create)));
    EXPECT_TRUE(holds(run_under("resource.create=fail(io_error)", cancels, bounded_create)));
}

// The close -----------------------------------------------------------------------------------------------

/// Gives the close up after that time, and drops the resource by force.
mishap::adapter closing_within(std::chrono::nanoseconds timeout, bool raise)
{
    return [=](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        std::exception_ptr error;
        try {
            co_await env.body()(resource);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        std::exception_ptr close_error;
        try {
            co_await catalogue::with_deadline([&] { return resource.close(); }, timeout);
        } catch (...) {
            close_error = std::current_exception();
            resource.force_close();
        }
        if (error || !raise) {
            if (close_error)
                env.report(close_error);
        } else if (close_error) {
            std::rethrow_exception(close_error);
        }
        if (error)
            std::rethrow_exception(error);
    };
}

TEST(honours_timeout, a_bounded_close_is_given_up_at_its_deadline)
{
    for (const bool raise : {false, true}) {
        EXPECT_TRUE(holds_under_any_two_faults(closing_within(T, raise), bounded_close)) << raise;
        EXPECT_TRUE(holds(run_under("resource.close=hang", closing_within(T + 1us, raise), bounded_close)));
        EXPECT_TRUE(
            breaks_only(run_under("resource.close=hang", closing_within(T + 2us, raise), bounded_close),
                "honours_timeout"));
        EXPECT_TRUE(
            breaks_only(run_under("resource.close=hang", closing_within(T - 1us, raise), bounded_close),
                "honours_timeout"));
    }
    EXPECT_TRUE(breaks_only(run_under("resource.close=hang", right, bounded_close), "completes"));
}

/// Closes that within 2 s, or for as long as it takes; a close error is logged.
awaitable<void> close_and_log(std::shared_ptr<mock_resource> resource, environment& env,
    std::optional<std::chrono::nanoseconds> timeout)
{
    try {
        if (timeout)
            co_await catalogue::with_deadline([&] { return resource->close(); }, *timeout);
        else
            co_await resource->close();
    } catch (...) {
        env.report(std::current_exception());
    }
}

/// Does not wait for its close.
mishap::adapter closing_detached(std::optional<std::chrono::nanoseconds> timeout)
{
    return [timeout](environment& env) -> awaitable<void> {
        const auto resource = std::make_shared<mock_resource>();
        co_await resource->create();
        std::exception_ptr error;
        try {
            co_await env.body()(*resource);
        } catch (...) {
            error = std::current_exception();
        }
        asio::co_spawn(env.executor(), close_and_log(resource, env, timeout), asio::detached);
        if (error)
            std::rethrow_exception(error);
    };
}

TEST(honours_timeout, a_detached_close_is_given_up_at_its_deadline)
{
    contract promises{.time = {.close = 2s, .grace = 10s, .unbounded = {phase::create}}};
    for (const char* plan :
        {"", "resource.close=hang", "resource.close=delay(1s)", "resource.close=fail(io_error)"})
        EXPECT_TRUE(holds(run_under(plan, closing_detached(2s), promises))) << plan;
    EXPECT_TRUE(
        breaks_only(run_under("resource.close=hang", closing_detached({}), promises), "honours_timeout"));
    EXPECT_TRUE(breaks_only(
        run_under("resource.close=delay(3s)", closing_detached({}), promises), "honours_timeout"));
    EXPECT_TRUE(breaks_only(
        run_under("resource.close=hang", closing_detached(2s + 2us), promises), "honours_timeout"));
    EXPECT_TRUE(holds_under_any_two_faults(closing_detached(2s), promises));
    promises.time.grace = 2s;
    for (const char* plan :
        {"resource.close=hang", "resource.close=late(2s)", "resource.close=late(2.000001s)"})
        EXPECT_TRUE(holds(run_under(plan, closing_detached(2s), promises))) << plan;
    EXPECT_TRUE(breaks_only(
        run_under("resource.close=late(2.000002s)", closing_detached(2s), promises), "no_stray_work"));
}

// Waiting in line ------------------------------------------------------------------------------------------

/// One resource for two clients; the second waits for its turn until `patience` has passed.
mishap::adapter lending_in_turn(asio::steady_timer::duration patience)
{
    return [patience](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await catalogue::with_deadline([&] { return resource.create(); }, T);
        bool taken = false;
        asio::steady_timer turn(env.executor());
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            if (taken) {
                turn.expires_at(patience == patience.max()
                                    ? turn.expiry().max()
                                    : asio::steady_timer::clock_type::now() + patience);
                boost::system::error_code woken;
                co_await turn.async_wait(asio::redirect_error(asio::use_awaitable, woken));
                if (taken)
                    throw timed_out();
            }
            taken = true;
            std::exception_ptr error;
            try {
                co_await client.body(resource);
            } catch (...) {
                error = std::current_exception();
            }
            taken = false;
            turn.cancel();
            if (error)
                std::rethrow_exception(error);
        });
        resource.force_close();
    };
}

TEST(honours_timeout, who_waits_in_line_gives_up_at_the_deadline)
{
    const contract in_turn{.time = {.create = T, .acquire = T}, .capacity = {.resources = 1, .clients = 2}};
    EXPECT_TRUE(holds(run_under("c0/resource.use=hang", lending_in_turn(T), in_turn)));
    EXPECT_TRUE(
        breaks_only(run_under("c0/resource.use=hang", lending_in_turn(T + 2us), in_turn), "honours_timeout"));
}

TEST(honours_timeout, who_waits_in_line_without_a_deadline_is_blamed_although_there_is_room_in_the_end)
{
    const contract in_turn{.time = {.create = T, .acquire = T}, .capacity = {.resources = 1, .clients = 2}};
    const auto patient = lending_in_turn(asio::steady_timer::duration::max());
    EXPECT_TRUE(holds(run_under("", patient, in_turn)));
    EXPECT_TRUE(breaks_only(run_under("c0/resource.use=hang", patient, in_turn), "honours_timeout"));
}

/// Hands its one resource to the first in line. Who waits asks whether it was handed to it, or takes the end
/// of its timer for a timeout.
mishap::adapter handing_on(bool trusts_the_timer)
{
    return [trusts_the_timer](environment& env) -> awaitable<void> {
        struct waiter
        {
            asio::steady_timer timer;
            bool granted = false;
        };
        mock_resource resource;
        co_await resource.create();
        bool taken = false;
        std::deque<waiter*> line;
        const auto give_back = [&] {
            taken = !line.empty();
            if (!taken)
                return;
            line.front()->granted = true;
            line.front()->timer.cancel();
            line.pop_front();
        };
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            if (taken) {
                waiter mine{asio::steady_timer(env.executor(), T)};
                line.push_back(&mine);
                boost::system::error_code stopped;
                co_await mine.timer.async_wait(asio::redirect_error(asio::use_awaitable, stopped));
                std::erase(line, &mine);
                if (!stopped && (trusts_the_timer || !mine.granted))
                    throw timed_out();
                const auto state = co_await asio::this_coro::cancellation_state;
                if (state.cancelled() != asio::cancellation_type::none) {
                    if (mine.granted)
                        give_back();
                    throw boost::system::system_error(asio::error::operation_aborted);
                }
            }
            taken = true;
            std::exception_ptr error;
            try {
                co_await client.body(resource);
            } catch (...) {
                error = std::current_exception();
            }
            give_back();
            if (error)
                std::rethrow_exception(error);
        });
        resource.force_close();
    };
}

TEST(honours_timeout, a_sweep_finds_who_takes_its_timer_for_a_time_out_although_it_was_granted)
{
    const contract in_turn{.time = {.acquire = T, .unbounded = {phase::create, phase::close}},
        .capacity = {.resources = 1, .clients = 2},
        .work = {.keeps_broken = true}};
    const auto trusts = mishap::sweep({"trusts", handing_on(true), in_turn}, {.perturbations = 1});
    EXPECT_TRUE(trusts.violates("recovers"));
    const auto asks = mishap::sweep({"asks", handing_on(false), in_turn}, {.perturbations = 1});
    EXPECT_TRUE(asks.complete) << asks.covered;
    EXPECT_TRUE(asks.holds()) << (asks.counterexamples.empty() ? asks.invalid
                                                               : mishap::report(asks.counterexamples[0]));
}

} // namespace
