// SPDX-License-Identifier: MIT
// Goal: preserves_error, swallows_no_error and invents_no_error blame whoever loses, hides or makes up an
// error, by the identity of the error and not by its text. Method: one manager whose handling of errors is a
// parameter, and its right variants.

#include "support/under_test.hpp"

#include "shared/with_deadline.hpp"

#include <mishap/error.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <functional>
#include <memory>
#include <stdexcept>

namespace {

using namespace selftest;

using error = std::exception_ptr;

/// Decides what the caller sees, given the earlier error, if any, and the close error, if any.
using policy = std::function<void(environment&, const error& first, const error& of_close)>;

/// What the manager does by itself with an open resource.
using step = std::function<awaitable<void>(mock_resource&)>;

awaitable<void> nothing(mock_resource&) { co_return; }
awaitable<void> logs_out(mock_resource& resource) { return resource.use("logout"); }

mishap::adapter handling(policy decide, step before_the_body = nothing, step farewell = nothing)
{
    return [=](environment& env) -> awaitable<void> {
        mock_resource resource;
        error first;
        error of_close;
        bool created = false;
        try {
            co_await resource.create();
            created = true;
            co_await before_the_body(resource);
            co_await env.body()(resource);
        } catch (...) {
            first = std::current_exception();
        }
        co_await shield();
        if (created) {
            try {
                co_await farewell(resource);
            } catch (...) {
                first = first ? first : std::current_exception();
            }
            try {
                co_await resource.close();
            } catch (...) {
                of_close = std::current_exception();
            }
        }
        decide(env, first, of_close);
    };
}

void raises_close_error(environment& env, const error& first, const error& of_close)
{
    if (first && of_close)
        env.report(of_close);
    raise(first);
    raise(of_close);
}

void reports_close_error(environment& env, const error& first, const error& of_close)
{
    if (of_close)
        env.report(of_close);
    raise(first);
}

void loses_close_error(environment&, const error& first, const error&) { raise(first); }

void lets_close_error_win(environment&, const error& first, const error& of_close)
{
    raise(of_close);
    raise(first);
}

void swallows_everything(environment&, const error&, const error&) {}

void wraps(environment&, const error& first, const error& of_close)
{
    try {
        raise(first);
        raise(of_close);
    } catch (...) {
        std::throw_with_nested(std::runtime_error("while the session was open"));
    }
}

void throws_its_like(environment&, const error& first, const error& of_close)
{
    namespace errc = boost::system::errc;
    if (first || of_close)
        throw boost::system::system_error(errc::make_error_code(errc::io_error));
}

void complains_always(environment& env, const error& first, const error& of_close)
{
    raises_close_error(env, first, of_close);
    throw std::runtime_error("all went too well");
}

contract with_policy(mishap::close_error_policy of_close)
{
    contract promises = patient;
    promises.errors.close = of_close;
    return promises;
}

const contract either = with_policy(mishap::close_error_policy::either);
const contract raised = with_policy(mishap::close_error_policy::raised);
const contract reported = with_policy(mishap::close_error_policy::reported);

constexpr const char* use_fails = "resource.use=fail(io_error)";
constexpr const char* close_fails = "resource.close=fail(connection_reset)";
constexpr const char* both_fail = "resource.use=fail(io_error) resource.close=fail(connection_reset)";

// preserves_error -----------------------------------------------------------------------------------------

TEST(preserves_error, blames_a_close_error_that_replaces_the_bodys)
{
    const run_result done = run_under(both_fail, handling(lets_close_error_win));
    EXPECT_TRUE(breaks_only(done, "preserves_error"));
    EXPECT_EQ(sentence_of(done),
        "the body failed with io_error (raised by resource.use#1), but the caller saw connection_reset "
        "(raised by resource.close#1)");
}

TEST(preserves_error, does_not_blame_who_keeps_the_first)
{
    EXPECT_TRUE(holds(run_under(both_fail, handling(raises_close_error))));
    EXPECT_TRUE(holds(run_under(both_fail, handling(reports_close_error))));
    EXPECT_TRUE(holds_under_any_two_faults(handling(raises_close_error)));
    EXPECT_TRUE(holds_under_any_two_faults(handling(reports_close_error)));
}

// Comparing messages, or codes, would let this pass.
TEST(preserves_error, tells_two_equal_errors_apart)
{
    EXPECT_TRUE(breaks_only(run_under("resource.use=fail(io_error) resource.close=fail(io_error)",
                                handling(lets_close_error_win)),
        "preserves_error"));
    EXPECT_TRUE(breaks_only(run_under(use_fails, handling(throws_its_like)), "preserves_error"));
}

TEST(preserves_error, an_error_wrapped_with_its_cause_is_kept)
{
    for (const char* plan : {use_fails, both_fail, "resource.create=fail(foreign)", "body=fail(value_error)"})
        EXPECT_TRUE(holds(run_under(plan, handling(wraps)))) << plan;
}

TEST(preserves_error, a_create_error_is_the_first)
{
    const auto complains = [](environment&) -> awaitable<void> {
        mock_resource resource;
        bool failed = false;
        try {
            co_await resource.create();
        } catch (...) {
            failed = true;
        }
        if (failed)
            throw std::runtime_error("no session");
        co_await resource.close();
    };
    EXPECT_TRUE(breaks_only(run_under("resource.create=fail(io_error)", complains), "preserves_error"));
}

TEST(preserves_error, a_body_that_throws_something_of_its_own_is_kept)
{
    const auto work = [](mock_resource&) -> awaitable<void> {
        throw std::domain_error("the body's own");
        co_return;
    };
    const auto keeps = [work](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        error first;
        try {
            co_await env.body(work)(resource);
        } catch (...) {
            first = std::current_exception();
        }
        resource.force_close();
        raise(first);
    };
    const auto replaces = [work](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        bool failed = false;
        try {
            co_await env.body(work)(resource);
        } catch (...) {
            failed = true;
        }
        resource.force_close();
        if (failed)
            throw std::runtime_error("the work failed");
    };
    EXPECT_TRUE(holds(run_under("", keeps)));
    EXPECT_TRUE(breaks_only(run_under("", replaces), "preserves_error"));
}

// An error that the body catches by itself is nobody's.
TEST(preserves_error, an_error_inside_the_body_that_does_not_leave_it_is_none)
{
    const auto resilient = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        const auto work = [](mock_resource& lent) -> awaitable<void> {
            try {
                co_await lent.use("query");
            } catch (const boost::system::system_error&) {
            }
        };
        co_await env.body(work)(resource);
        co_await resource.close();
    };
    const run_result done = run_under("resource.query=fail(io_error)", resilient);
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(done.trace.outcomes[0].ending, mishap::ending::returned);
}

TEST(preserves_error, a_cancelled_caller_sees_the_cancellation)
{
    const auto renames = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        bool failed = false;
        try {
            co_await env.body()(resource);
        } catch (...) {
            failed = true;
        }
        co_await shield();
        co_await resource.close();
        if (failed)
            throw std::runtime_error("something happened");
    };
    EXPECT_TRUE(breaks_only(run_under("resource.use=hang", renames), "preserves_error"));
    EXPECT_TRUE(holds(run_under("resource.use=hang", right)));
}

// What `a && b` throws when both failed, and what wraps its cause.
awaitable<void> opens_two_at_once(bool wraps)
{
    using namespace asio::experimental::awaitable_operators;
    mock_resource first("first"), second("second");
    error failed;
    try {
        co_await (first.create() && second.create());
    } catch (...) {
        failed = std::current_exception();
    }
    co_await shield();
    for (mock_resource* one : {&first, &second})
        if (one->usable())
            co_await one->close();
    if (!failed)
        co_return;
    if (!wraps)
        std::rethrow_exception(failed);
    try {
        std::rethrow_exception(failed);
    } catch (...) {
        std::throw_with_nested(std::runtime_error("could not open both"));
    }
}

TEST(preserves_error, a_cancellation_is_known_inside_of_what_wraps_it)
{
    for (const bool wraps : {false, true}) {
        const auto both = [wraps](environment&) { return opens_two_at_once(wraps); };
        const run_result done =
            run_under("cancel(c0 after 2 steps) first.create=hang second.create=hang", both);
        EXPECT_TRUE(holds(done));
        EXPECT_FALSE(done.trace.strikes.empty());
        EXPECT_TRUE(done.trace.outcomes[0].error);
    }
}

TEST(preserves_error, a_body_that_fails_after_its_work_counts_as_any)
{
    for (const char* plan : {"body=fail(value_error) resource.close=fail(io_error)",
             "body=fail(value_error after resource.use) resource.close=fail(io_error)"}) {
        EXPECT_TRUE(breaks_only(run_under(plan, handling(lets_close_error_win)), "preserves_error")) << plan;
        EXPECT_TRUE(holds(run_under(plan, handling(raises_close_error)))) << plan;
    }
}

// swallows_no_error ---------------------------------------------------------------------------------------

TEST(swallows_no_error, blames_who_returns_after_an_error)
{
    const run_result done = run_under(use_fails, handling(swallows_everything));
    EXPECT_TRUE(breaks_only(done, "swallows_no_error"));
    EXPECT_EQ(sentence_of(done),
        "the body failed with io_error (raised by resource.use#1), but the caller saw success");
    EXPECT_TRUE(breaks_only(
        run_under("resource.create=fail(foreign)", handling(swallows_everything)), "swallows_no_error"));
    EXPECT_TRUE(
        breaks_only(run_under("body=fail(io_error)", handling(swallows_everything)), "swallows_no_error"));
}

TEST(swallows_no_error, blames_a_close_error_that_nobody_learns_of)
{
    const run_result done = run_under(close_fails, handling(loses_close_error));
    EXPECT_TRUE(breaks_only(done, "swallows_no_error"));
    EXPECT_EQ(sentence_of(done), "resource.close#1 failed, and nobody was told");
}

TEST(swallows_no_error, a_close_error_alone_is_raised_or_reported_as_the_contract_says)
{
    EXPECT_TRUE(holds(run_under(close_fails, handling(raises_close_error), either)));
    EXPECT_TRUE(holds(run_under(close_fails, handling(reports_close_error), either)));
    EXPECT_TRUE(holds(run_under(close_fails, handling(raises_close_error), raised)));
    EXPECT_TRUE(
        breaks_only(run_under(close_fails, handling(reports_close_error), raised), "swallows_no_error"));
    EXPECT_TRUE(holds(run_under(close_fails, handling(reports_close_error), reported)));
    EXPECT_TRUE(
        breaks_only(run_under(close_fails, handling(raises_close_error), reported), "invents_no_error"));
}

// Reporting another error is not reporting this one.
TEST(swallows_no_error, a_report_of_something_else_does_not_count)
{
    const auto confused = [](environment& env, const error& first, const error& of_close) {
        if (of_close)
            env.report(std::make_exception_ptr(std::runtime_error("close failed")));
        raise(first);
    };
    EXPECT_TRUE(breaks_only(run_under(close_fails, handling(confused)), "swallows_no_error"));
}

// invents_no_error ----------------------------------------------------------------------------------------

TEST(invents_no_error, blames_an_error_out_of_nothing)
{
    const run_result done = run_under("", handling(complains_always));
    EXPECT_TRUE(breaks_only(done, "invents_no_error"));
    EXPECT_EQ(sentence_of(done), "nothing failed, but the caller saw std::runtime_error (all went too well)");
    EXPECT_TRUE(holds(run_under(use_fails, handling(complains_always))));
}

TEST(invents_no_error, delay_and_success_at_once_are_no_errors)
{
    for (const char* plan :
        {"", "resource.create=ok_now", "resource.use=delay(5s) resource.close=delay(1h)"}) {
        EXPECT_TRUE(holds(run_under(plan, handling(raises_close_error)))) << plan;
        EXPECT_TRUE(breaks_only(run_under(plan, handling(complains_always)), "invents_no_error")) << plan;
    }
}

TEST(invents_no_error, a_close_error_under_another_name_is_made_up)
{
    const auto renames = [](environment&, const error& first, const error& of_close) {
        raise(first);
        if (of_close)
            throw std::runtime_error("close failed");
    };
    EXPECT_TRUE(breaks_only(run_under(close_fails, handling(renames)), "invents_no_error"));
    EXPECT_TRUE(holds(run_under(close_fails, handling(wraps))));
}

TEST(preserves_error, what_ignores_a_cancellation_may_fail_in_its_place)
{
    EXPECT_TRUE(holds(run_under(
        "resource.use=deaf cancel(c0 after resource.create#1 +3)", handling(raises_close_error), patient)));
}

TEST(invents_no_error, what_fails_at_the_end_of_a_run_is_not_made_up)
{
    // Client 1 comes when whatever hangs fails at once: nobody cancels it, and no fault of the plan failed.
    contract promises = patient;
    promises.time.unbounded.push_back(phase::acquire);
    promises.capacity.clients = 2;
    const auto serve_all = [](environment& env) -> awaitable<void> {
        co_await env.clients([](mishap::client& client) -> awaitable<void> {
            mock_resource resource;
            co_await resource.create();
            std::exception_ptr error;
            try {
                co_await client.body(resource);
            } catch (...) {
                error = std::current_exception();
            }
            co_await shield();
            co_await resource.close();
            raise(error);
        });
    };
    EXPECT_TRUE(
        holds(run_under("c0/resource.close=hang c1/resource.create=hang sequential", serve_all, promises)));
}

TEST(invents_no_error, a_step_of_the_managers_that_failed_may_be_passed_on)
{
    EXPECT_TRUE(holds(run_under("resource.ping=fail(io_error)", handling(raises_close_error, pings))));
    EXPECT_TRUE(breaks_only(
        run_under("resource.ping=fail(io_error)", handling(throws_its_like, pings)), "invents_no_error"));
    EXPECT_TRUE(holds(run_under("resource.acquire=fail(io_error)", handling(raises_close_error, acquires))));
    EXPECT_TRUE(breaks_only(run_under("resource.acquire=fail(io_error)", handling(throws_its_like, acquires)),
        "preserves_error"));
    EXPECT_TRUE(
        holds(run_under("resource.logout=fail(io_error)", handling(raises_close_error, nothing, logs_out))));
}

/// Pings its session in the background, and stops the body when a ping fails. `decide` says what the client
/// sees then.
mishap::adapter watching(policy decide)
{
    return [decide](environment& env) -> awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        mock_resource session("session");
        co_await session.create();
        asio::cancellation_signal stop;
        error of_ping;
        const auto watch = [&]() -> awaitable<void> {
            asio::steady_timer timer(env.executor(), 1s);
            co_await timer.async_wait(asio::use_awaitable);
            try {
                co_await session.maintain("ping");
            } catch (...) {
                of_ping = std::current_exception();
                stop.emit(asio::cancellation_type::terminal);
            }
        };
        const auto serve = [&](mishap::client& client) -> awaitable<void> {
            bool stopped = false;
            try {
                co_await asio::co_spawn(env.executor(), client.body(session),
                    asio::bind_cancellation_slot(stop.slot(), asio::use_awaitable));
            } catch (...) {
                if (!of_ping)
                    throw;
                stopped = true;
            }
            if (stopped)
                decide(env, of_ping, nullptr);
        };
        co_await (env.clients(serve) && watch());
        co_await session.close();
    };
}

contract watched()
{
    contract promises = patient;
    promises.capacity.clients = 2;
    promises.capacity.shared = true;
    promises.work.pipelined = true;
    return promises;
}

constexpr const char* ping_fails_during_the_body =
    "sequential c0/session.use=delay(5s) bg/session.ping=fail(io_error)";

TEST(invents_no_error, a_background_ping_that_ends_the_body_may_be_passed_on)
{
    const run_result done = run_under(ping_fails_during_the_body, watching(raises_close_error), watched());
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(done.trace.outcomes[0].ending, mishap::ending::threw);
    EXPECT_TRUE(breaks_only(
        run_under(ping_fails_during_the_body, watching(throws_its_like), watched()), "invents_no_error"));
}

TEST(swallows_no_error, blames_success_after_a_body_that_the_manager_stopped)
{
    const run_result done = run_under(ping_fails_during_the_body, watching(swallows_everything), watched());
    EXPECT_TRUE(breaks_only(done, "swallows_no_error"));
    EXPECT_EQ(sentence_of(done), "the body was stopped before its end, but client 0 saw success");
    EXPECT_TRUE(holds(run_under(ping_fails_during_the_body, watching(raises_close_error), watched())));
}

// Cancellations -------------------------------------------------------------------------------------------

/// Runs the body as a coroutine of its own; a cancellation reaches it by way of a handler, or not at all.
mishap::adapter passing_on(bool passes)
{
    return [passes](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        const auto stop = std::make_shared<asio::cancellation_signal>();
        auto caller = (co_await asio::this_coro::cancellation_state).slot();
        caller.assign([&](asio::cancellation_type how) {
            if (passes)
                asio::post(env.executor(), [stop, how] { stop->emit(how); });
        });
        error first;
        try {
            co_await asio::co_spawn(env.executor(), env.body()(resource),
                asio::bind_cancellation_slot(stop->slot(), asio::use_awaitable));
        } catch (...) {
            first = std::current_exception();
        }
        caller.clear();
        resource.force_close();
        raise(first);
    };
}

TEST(swallows_no_error, a_cancellation_that_is_passed_on_by_a_handler_is_heard)
{
    const run_result done = run_under("resource.use=cancel", passing_on(true));
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(mishap::describe(done.trace.outcomes[0].error), "operation_aborted");
    EXPECT_TRUE(breaks_only(run_under("resource.use=cancel", passing_on(false)), "swallows_no_error"));
    EXPECT_TRUE(mishap::sweep({"passing_on", passing_on(true), patient}).holds());
}

TEST(swallows_no_error, a_cancellation_during_a_farewell_may_go_unnoticed)
{
    for (const auto& [plan, farewell] :
        {std::pair("resource.logout=cancel", &logs_out), std::pair("resource.ping=cancel", &pings)}) {
        const run_result done = run_under(plan, handling(raises_close_error, nothing, farewell));
        EXPECT_TRUE(holds(done)) << plan;
        EXPECT_EQ(done.trace.outcomes[0].ending, mishap::ending::returned) << plan;
    }
    EXPECT_TRUE(
        breaks_only(run_under("resource.use=cancel", handling(swallows_everything, nothing, logs_out)),
            "swallows_no_error"));
    EXPECT_TRUE(holds(run_under("resource.use=cancel", handling(raises_close_error, nothing, logs_out))));
}

} // namespace
