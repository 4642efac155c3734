// Goal: honours_timeout knows the deadline to the tick: who gives up before T or after T + 1 us is blamed,
// who gives up in between is not, and at T itself both outcomes are right. Method: managers whose time-out is
// the contract's and a little more or less; the ways to make a time-out.

#include "support/under_test.hpp"

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
    contract promises{.close_timeout = 2s, .unbounded = {phase::create}, .grace = 10s};
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
    promises.grace = 2s;
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

/// Hands its one resource to the first in line. Who waits asks whether it was handed to it, or takes the end
/// of its timer for a time-out.
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
    const contract in_turn{.acquire_timeout = T,
        .unbounded = {phase::create, phase::close},
        .capacity = 1,
        .clients = 2,
        .keeps_broken = true};
    const auto trusts = mishap::sweep({"trusts", handing_on(true), in_turn}, {.perturbations = 1});
    EXPECT_TRUE(trusts.violates("recovers"));
    const auto asks = mishap::sweep({"asks", handing_on(false), in_turn}, {.perturbations = 1});
    EXPECT_TRUE(asks.complete) << asks.covered;
    EXPECT_TRUE(asks.holds()) << (asks.counterexamples.empty() ? asks.invalid
                                                               : mishap::report(asks.counterexamples[0]));
}

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
    .other_timeout = T, .unbounded = {phase::create, phase::close}, .close_rolls_back = true};

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
    silent.other_timeout.reset();
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

const contract two_attempts{.create_timeout = T, .create_attempts = 2, .unbounded = {phase::close}};

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
    co_await env.clients([](mishap::client&) -> awaitable<void> { co_return; });
    while (!sessions.empty()) {
        sessions.back()->force_close();
        sessions.pop_back();
    }
}

TEST(honours_timeout, what_is_opened_in_the_background_has_each_its_deadline)
{
    contract two = bounded_create;
    two.clients = 2;
    two.closes_in_any_order = true;
    EXPECT_TRUE(holds_under_any_two_faults(warms_up, two));
    two.create_timeout = T - 2us;
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
    const contract promises{.close_timeout = T, .acquire_timeout = T, .unbounded = {phase::create}};
    const char* plan = "session.create=hang gateway.close=delay(3s)";
    const run_result done = run_under(plan, acquiring_within(T), promises);
    ASSERT_TRUE(holds(done));
    EXPECT_EQ(done.trace.time_of(done.trace.outcomes[0].ended), T + 3s);
    EXPECT_TRUE(breaks_only(run_under(plan, acquiring_within(T + 2us), promises), "honours_timeout"));
}

/// Pings its session beside the body, and ends with the time-out of a ping that hangs.
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
    promises.pipelined = true;
    promises.other_timeout = T;
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
