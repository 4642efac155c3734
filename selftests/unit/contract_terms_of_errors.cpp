// SPDX-License-Identifier: MIT
// Goal: each term of the contract about errors permits or demands what it says: a manager that needs the
// permission is blamed without it and not with it, one that breaks the demand is blamed, and a twin that
// keeps it is not. Method: one small manager per term; single runs and sweeps.

#include "contract_terms.hpp"

#include "shared/with_deadline.hpp"

#include <mishap/error.hpp>
#include <mishap/report.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

namespace {

using namespace selftest;

TEST(suppresses, permits_swallowing_what_it_names_and_nothing_else)
{
    const mishap::adapter tolerant = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        const auto work = [&]() -> awaitable<void> {
            try {
                co_await env.body()(resource);
            } catch (const std::invalid_argument&) {
                // Not found is an answer, too.
            }
        };
        co_await with_cleanup(work, [&] { return resource.close(); });
    };
    const contract promises = with(patient, [](contract& c) { c.errors.suppresses = {"value_error"}; });
    EXPECT_TRUE(holds(run_under("resource.use=fail(value_error)", tolerant, promises)));
    EXPECT_TRUE(holds(run_under("body=fail(value_error)", tolerant, promises)));
    EXPECT_TRUE(breaks_only(run_under("resource.use=fail(value_error)", tolerant), "swallows_no_error"));
    EXPECT_TRUE(holds(run_under("resource.use=fail(io_error)", tolerant, promises)));
    // What comes after it is the first error that counts.
    EXPECT_TRUE(
        holds(run_under("resource.use=fail(value_error) resource.close=fail(io_error)", tolerant, promises)));
}

/// Turns everybody away for a while after a create failed. `hides`: also the one whose create it was.
/// `half_opens`: afterwards lets one pass, and the others when that one has succeeded.
struct breaker
{
    std::chrono::seconds open_for = 10s;
    bool hides = false;
    bool half_opens = false;
};

mishap::adapter breaking(breaker how)
{
    return [how](environment& env) -> awaitable<void> {
        std::optional<asio::steady_timer::time_point> opened;
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            if (opened && asio::steady_timer::clock_type::now() < *opened + how.open_for)
                throw std::invalid_argument("the breaker is open");
            if (how.half_opens && opened)
                opened = asio::steady_timer::clock_type::now();
            mock_resource resource;
            try {
                co_await resource.create();
                opened.reset();
            } catch (...) {
                opened = asio::steady_timer::clock_type::now();
                if (how.hides)
                    throw std::invalid_argument("the breaker is open");
                throw;
            }
            co_await with_cleanup([&] { return client.body(resource); }, [&] { return resource.close(); });
        });
    };
}

TEST(refuses, permits_turning_clients_away_for_a_while_and_not_for_ever)
{
    const contract strict{
        .time = {.unbounded = {phase::create, phase::close}}, .capacity = {.resources = 3, .clients = 3}};
    const contract promises = with(strict, [](contract& c) {
        c.errors.refuses = {"value_error"};
        c.time.recovery = 20s;
    });
    const char* plan = "c0/resource.create=fail(io_error) sequential";
    EXPECT_TRUE(holds(run_under(plan, breaking({}), promises)));
    const run_result unknown = run_under(plan, breaking({}), strict);
    EXPECT_TRUE(unknown.violates("invents_no_error"));
    EXPECT_TRUE(unknown.violates("recovers"));
    EXPECT_TRUE(breaks_only(run_under(plan, breaking({.open_for = 3600s}), promises), "recovers"));
    EXPECT_TRUE(breaks_only(run_under(plan, breaking({.hides = true}), promises), "preserves_error"));
    EXPECT_TRUE(holds_under_any_two_faults(breaking({}), promises));
    EXPECT_TRUE(holds_under_any_two_faults(breaking({.half_opens = true}), promises));
    EXPECT_FALSE(holds_under_any_two_faults(breaking({.open_for = 3600s}), promises));
}

/// Serves one after the other, and turns away whom it has no room for in its line. `forgets`: who has gone
/// by way of an error still takes up room.
mishap::adapter queueing(std::size_t room, bool forgets)
{
    return [=](environment& env) -> awaitable<void> {
        bool busy = false;
        std::size_t waiting = 0;
        asio::steady_timer turn(env.executor(), asio::steady_timer::time_point::max());
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            if (busy && waiting == room)
                throw std::invalid_argument("the queue is full");
            while (busy) {
                ++waiting;
                boost::system::error_code woken;
                co_await turn.async_wait(asio::redirect_error(asio::use_awaitable, woken));
                const auto state = co_await asio::this_coro::cancellation_state;
                const bool cancelled = state.cancelled() != asio::cancellation_type::none;
                if (!cancelled || !forgets)
                    --waiting;
                if (cancelled)
                    throw boost::system::system_error(asio::error::operation_aborted);
            }
            busy = true;
            mock_resource resource;
            bool created = false;
            const auto work = [&]() -> awaitable<void> {
                co_await resource.create();
                created = true;
                co_await client.body(resource);
            };
            const auto close = [&]() -> awaitable<void> {
                busy = false;
                turn.cancel();
                if (created)
                    co_await resource.close();
            };
            co_await with_cleanup(work, close);
        });
    };
}

TEST(waiters, demands_that_a_waiting_line_never_shrinks)
{
    const contract promises{.time = {.unbounded = {phase::create, phase::close, phase::acquire}},
        .capacity = {.resources = 1, .clients = 3, .waiters = 1},
        .errors = {.refuses = {"value_error"}}};
    EXPECT_TRUE(holds_under_any_two_faults(queueing(1, false), promises));
    EXPECT_FALSE(holds_under_any_two_faults(queueing(1, true), promises));
    EXPECT_TRUE(run_under("", queueing(1, false), with(promises, [](contract& c) {
        c.errors.refuses.clear();
    })).violates("invents_no_error"));
}

/// Runs the body in a transaction, and all of it again where the commit failed, three times at most. `hides`:
/// who could not begin again tells nobody.
mishap::adapter committing(bool hides)
{
    return [hides](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        const auto work = [&]() -> awaitable<void> {
            for (int i = 1;; ++i) {
                bool begun = false;
                try {
                    co_await session.begin();
                    begun = true;
                } catch (...) {
                    if (i == 1 || !hides)
                        throw;
                }
                if (!begun)
                    co_return;
                std::exception_ptr error;
                try {
                    co_await env.body()(session);
                } catch (...) {
                    error = std::current_exception();
                }
                if (error) {
                    co_await shield();
                    try {
                        co_await session.rollback();
                    } catch (...) {
                        env.report(std::current_exception());
                    }
                    std::rethrow_exception(error);
                }
                try {
                    co_await session.commit();
                    co_return;
                } catch (const std::exception&) {
                    if (i == 3)
                        throw;
                }
            }
        };
        co_await with_cleanup(work, [&] { return session.close(); });
    };
}

TEST(body_attempts, lets_what_kept_another_attempt_from_being_made_be_told)
{
    const contract thrice = with(patient, [](contract& c) { c.attempts.body = 3; });
    const char* plan = "session.commit=fail(io_error) session.begin#2=fail(foreign)";
    const run_result done = run_under(plan, committing(false), thrice);
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(mishap::describe(done.trace.outcomes[0].error), "foreign");
    EXPECT_TRUE(breaks_only(run_under(plan, committing(true), thrice), "swallows_no_error"));
    EXPECT_TRUE(holds(run_under("session.commit#*=fail(io_error)", committing(false), thrice)));
    const char* slow = "session.commit=fail(io_error) session.begin#2=fail(foreign,1s)";
    EXPECT_TRUE(holds(run_under(slow, committing(false), thrice)));
    EXPECT_TRUE(breaks_only(run_under(slow, committing(false)), "preserves_error"));
}

/// Renews its lease every second beside the body, each time within a second. A renewal that fails ends the
/// body, or is only logged.
mishap::adapter renewing(bool tells)
{
    return [tells](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        const auto renew = [&]() -> awaitable<void> {
            asio::steady_timer timer(co_await asio::this_coro::executor);
            for (;;) {
                timer.expires_after(1s);
                co_await timer.async_wait(asio::use_awaitable);
                try {
                    co_await catalogue::with_deadline([&] { return resource.maintain("renew"); }, 1s);
                } catch (const std::exception&) {
                    if (tells)
                        throw;
                    env.report(std::current_exception());
                }
            }
        };
        const auto work = [&]() -> awaitable<void> {
            const auto executor = co_await asio::this_coro::executor;
            auto group = asio::experimental::make_parallel_group(
                asio::co_spawn(executor, env.body()(resource), asio::deferred),
                asio::co_spawn(executor, renew(), asio::deferred));
            const auto [order, of_body, of_renewal] =
                co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
            if (const std::exception_ptr first = order[0] == 0 ? of_body : of_renewal)
                std::rethrow_exception(first);
        };
        co_await with_cleanup(work, [&] { return resource.close(); });
    };
}

TEST(checks_are_told, demands_that_the_client_learns_of_a_check_that_failed)
{
    const contract own_affair = with(patient, [](contract& c) { c.work.pipelined = true; });
    const contract told = with(own_affair, [](contract& c) { c.errors.checks_are_told = true; });
    const char* plan = "resource.use=delay(3s) resource.renew=fail(io_error)";
    const run_result done = run_under(plan, renewing(true), told);
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(done.trace.time_of(done.trace.outcomes[0].ended), 1s);
    EXPECT_EQ(mishap::describe(done.trace.outcomes[0].error), "io_error");
    EXPECT_TRUE(holds(run_under(plan, renewing(true), own_affair)));
    EXPECT_TRUE(holds(run_under(plan, renewing(false), own_affair)));
    EXPECT_TRUE(breaks_only(run_under(plan, renewing(false), told), "swallows_no_error"));
}

TEST(checks_are_told, speaks_of_a_check_that_was_given_up_too)
{
    const contract own_affair = with(patient, [](contract& c) {
        c.work.pipelined = true;
        c.time.other = 1s;
    });
    const contract told = with(own_affair, [](contract& c) { c.errors.checks_are_told = true; });
    const char* plan = "resource.use=delay(9s) resource.renew=hang";
    const run_result done = run_under(plan, renewing(true), told);
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(mishap::describe(done.trace.outcomes[0].error), "timed_out");
    EXPECT_TRUE(holds(run_under(plan, renewing(false), own_affair)));
    EXPECT_TRUE(breaks_only(run_under(plan, renewing(false), told), "swallows_no_error"));
}

TEST(translates, lets_an_error_become_another)
{
    const auto translating = [](std::exception_ptr to) -> mishap::adapter {
        return [to](environment& env) -> awaitable<void> {
            mock_resource resource;
            co_await resource.create();
            const auto work = [&]() -> awaitable<void> {
                try {
                    co_await env.body()(resource);
                } catch (const boost::system::system_error& e) {
                    if (e.code() == boost::system::errc::io_error)
                        std::rethrow_exception(to);
                    throw;
                }
            };
            co_await with_cleanup(work, [&] { return resource.close(); });
        };
    };
    const auto invalid = translating(std::make_exception_ptr(std::invalid_argument("cannot be read")));
    const auto other = translating(std::make_exception_ptr(std::runtime_error("something else")));
    const contract promises = with(patient, [](contract& c) {
        c.errors.translates = {{"io_error", "value_error"}};
    });
    const char* plan = "resource.use=fail(io_error)";
    EXPECT_TRUE(holds(run_under(plan, invalid, promises)));
    EXPECT_TRUE(breaks_only(run_under(plan, invalid), "preserves_error"));
    EXPECT_TRUE(breaks_only(run_under(plan, other, promises), "preserves_error"));
    EXPECT_TRUE(holds(run_under("resource.use=fail(connection_reset)", invalid, promises)));
}

TEST(translates, speaks_of_errors_wherever_they_come_from)
{
    const auto closes_badly = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        std::exception_ptr error;
        try {
            co_await env.body()(resource);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        std::exception_ptr of_close;
        try {
            co_await resource.close();
        } catch (...) {
            of_close = std::make_exception_ptr(std::invalid_argument("could not be closed"));
        }
        if (error && of_close)
            env.report(of_close);
        if (error || of_close)
            std::rethrow_exception(error ? error : of_close);
    };
    contract promises = patient;
    promises.errors.reports_cleanup = true;
    const char* both = "resource.use=fail(foreign) resource.close=fail(io_error)";
    EXPECT_TRUE(breaks_only(run_under("resource.close=fail(io_error)", closes_badly), "invents_no_error"));
    EXPECT_TRUE(breaks_only(run_under(both, closes_badly, promises), "reports_cleanup_errors"));
    promises.errors.translates = {{"io_error", "value_error"}};
    EXPECT_TRUE(holds(run_under("resource.close=fail(io_error)", closes_badly, promises)));
    EXPECT_TRUE(holds(run_under(both, closes_badly, promises)));
}

TEST(reports_cleanup_errors, holds_for_what_is_closed_in_the_background)
{
    const auto shutting_down = [](bool reports) -> mishap::adapter {
        return [reports](environment& env) -> awaitable<void> {
            mock_resource resource;
            co_await resource.create();
            co_await env.clients(
                [&](mishap::client& one) -> awaitable<void> { co_await one.body()(resource); });
            try {
                co_await resource.close();
            } catch (...) {
                if (reports)
                    env.report(std::current_exception());
            }
        };
    };
    contract promises = patient;
    promises.capacity.clients = 2;
    promises.capacity.shared = promises.work.pipelined = promises.work.keeps_broken = true;
    const char* plan = "bg/resource.close=fail(io_error)";
    EXPECT_TRUE(holds(run_under(plan, shutting_down(false), promises)));
    promises.errors.reports_cleanup = true;
    EXPECT_TRUE(breaks_only(run_under(plan, shutting_down(false), promises), "swallows_no_error"));
    EXPECT_TRUE(holds(run_under(plan, shutting_down(true), promises)));
}

/// Carries its cause in a way of its own.
struct service_error : std::runtime_error
{
    explicit service_error(std::exception_ptr why) : std::runtime_error("service"), cause(std::move(why)) {}
    std::exception_ptr cause;
};

TEST(unwrap, finds_the_cause_inside_an_error_of_the_managers_own)
{
    const auto wrapping = [](bool keeps) -> mishap::adapter {
        return [keeps](environment& env) -> awaitable<void> {
            mock_resource resource;
            co_await resource.create();
            const auto work = [&]() -> awaitable<void> {
                try {
                    co_await env.body()(resource);
                } catch (...) {
                    throw service_error(keeps ? std::current_exception() : nullptr);
                }
            };
            co_await with_cleanup(work, [&] { return resource.close(); });
        };
    };
    const contract promises = with(patient, [](contract& c) {
        c.errors.unwrap = [](const std::exception_ptr& thrown) -> std::exception_ptr {
            try {
                std::rethrow_exception(thrown);
            } catch (const service_error& e) {
                return e.cause;
            } catch (...) {
                return nullptr;
            }
        };
    });
    const char* plan = "resource.use=fail(foreign)";
    EXPECT_TRUE(holds(run_under(plan, wrapping(true), promises)));
    EXPECT_TRUE(breaks_only(run_under(plan, wrapping(true)), "preserves_error"));
    EXPECT_TRUE(breaks_only(run_under(plan, wrapping(false), promises), "preserves_error"));
}

TEST(errors, are_found_inside_what_an_or_of_two_throws)
{
    // Both operands fail: Asio throws multiple_exceptions, with the first of them inside.
    const mishap::adapter either = [](environment& env) -> awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        mock_resource resource;
        co_await resource.create();
        const auto body = [](mock_resource& lent) -> awaitable<void> {
            co_await (lent.use("query") || lent.use("other"));
        };
        co_await with_cleanup([&] { return env.body(body)(resource); }, [&] { return resource.close(); });
    };
    const contract promises = with(patient, [](contract& c) { c.work.pipelined = true; });
    const run_result done =
        run_under("resource.query=fail(io_error) resource.other=fail(foreign)", either, promises);
    EXPECT_TRUE(holds(done));
    EXPECT_NE(mishap::find_source(done.trace, done.trace.outcomes[0].error), mishap::none);
}

TEST(errors, that_lost_every_mark_are_told_by_their_value)
{
    // Keeps a std::error_code, which carries no mark, and throws it as its own type.
    const auto keeps_the_code = [](bool of_the_body) -> mishap::adapter {
        return [of_the_body](environment& env) -> awaitable<void> {
            mock_resource resource;
            co_await resource.create();
            std::error_code body_code;
            try {
                co_await env.body()(resource);
            } catch (const boost::system::system_error& e) {
                body_code = std::error_code(e.code());
            }
            co_await shield();
            std::error_code close_code;
            try {
                co_await resource.close();
            } catch (const boost::system::system_error& e) {
                close_code = std::error_code(e.code());
            }
            const std::error_code first =
                (of_the_body ? bool(body_code) : !close_code) ? body_code : close_code;
            if (first)
                throw std::system_error(first);
        };
    };
    const mishap::sweep_options codes{.kinds = {mishap::fault::fail("io_error")}, .contract = patient};
    const auto right = mishap::sweep({"right", keeps_the_code(true), patient}, codes);
    EXPECT_TRUE(right.holds()) << (right.counterexamples.empty() ? right.invalid
                                                                 : mishap::report(right.counterexamples[0]));
    const auto wrong = mishap::sweep({"wrong", keeps_the_code(false), patient}, codes);
    EXPECT_TRUE(wrong.violates("preserves_error")); // each site failed with a value of its own
}

} // namespace
