// Goal: honours_timeout knows the deadline to the tick: who gives up before T or after T + 1 us is blamed,
// who gives up in between is not, and at T itself both outcomes are right. Method: managers whose time-out is
// the contract's and a little more or less; the ways to make a time-out.

#include "under_test.hpp"

#include "shared/with_deadline.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>
#include <stdexcept>

namespace {

using namespace selftest;

constexpr auto T = 5s;

const contract bounded_create{.create_timeout = T, .unbounded = {phase::close}};
const contract bounded_close{.close_timeout = T, .unbounded = {phase::create}};

boost::system::system_error timed_out()
{
    return boost::system::system_error(asio::error::make_error_code(asio::error::timed_out));
}

awaitable<void> lend_and_drop(environment& env, mock_resource& resource)
{
    std::exception_ptr error;
    try {
        co_await env.body()(resource);
    } catch (...) {
        error = std::current_exception();
    }
    resource.force_close();
    if (error)
        std::rethrow_exception(error);
}

/// Gives a create up after that time.
mishap::adapter creating_within(std::chrono::nanoseconds timeout)
{
    return [timeout](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await catalogue::with_deadline([&] { return resource.create(); }, timeout);
        co_await lend_and_drop(env, resource);
    };
}

// How long ------------------------------------------------------------------------------------------------

TEST(honours_timeout, does_not_blame_giving_up_at_the_deadline)
{
    EXPECT_TRUE(holds(run_under("resource.create=hang", creating_within(T), bounded_create)));
    EXPECT_TRUE(holds_under_any_two_faults(creating_within(T), bounded_create));
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

// semantics (N) -------------------------------------------------------------------------------------------

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
    promises.timeout_errors = {"value_error"};
    EXPECT_TRUE(holds(run_under("resource.create=hang", says_invalid, promises)));
    EXPECT_TRUE(
        breaks_only(run_under("resource.create=hang", creating_within(T), promises), "honours_timeout"));
}

// semantics (I): the time-out is made by cancelling the operation, so its abort is the manager's own doing.
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
    const contract in_turn{.create_timeout = T, .acquire_timeout = T, .capacity = 1, .clients = 2};
    EXPECT_TRUE(holds(run_under("c0/resource.use=hang", lending_in_turn(T), in_turn)));
    EXPECT_TRUE(
        breaks_only(run_under("c0/resource.use=hang", lending_in_turn(T + 2us), in_turn), "honours_timeout"));
}

TEST(honours_timeout, who_waits_in_line_without_a_deadline_is_blamed_although_there_is_room_in_the_end)
{
    const contract in_turn{.create_timeout = T, .acquire_timeout = T, .capacity = 1, .clients = 2};
    const auto patient = lending_in_turn(asio::steady_timer::duration::max());
    EXPECT_TRUE(holds(run_under("", patient, in_turn)));
    EXPECT_TRUE(breaks_only(run_under("c0/resource.use=hang", patient, in_turn), "honours_timeout"));
}

} // namespace
