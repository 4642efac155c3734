// Goal: each term of the contract permits or demands what it says: a manager that needs the permission is
// blamed without it and not with it, one that breaks the demand is blamed, and a twin that keeps it is not.
// Method: one small manager per term; single runs and sweeps.

#include "support/under_test.hpp"

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

contract with(const contract& base, auto change)
{
    contract changed = base;
    change(changed);
    return changed;
}

/// Lends and closes what is open; a failed close is told, unless something failed before.
awaitable<void> lend_and_close(environment& env, mock_resource& resource)
{
    co_await with_cleanup([&] { return env.body()(resource); }, [&] { return resource.close(); });
}

// Attempts ------------------------------------------------------------------------------------------------

mishap::adapter creating_in(int attempts)
{
    return [attempts](environment& env) -> awaitable<void> {
        mock_resource resource;
        for (int i = 1;; ++i) {
            try {
                co_await resource.create();
                break;
            } catch (const std::exception&) {
                if (i == attempts)
                    throw;
            }
            if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
                throw boost::system::system_error(asio::error::operation_aborted);
        }
        co_await lend_and_close(env, resource);
    };
}

TEST(create_attempts, permits_trying_again_and_no_more)
{
    const contract thrice = with(patient, [](contract& c) { c.create_attempts = 3; });
    const char* fails_twice = "resource.create#1..2=fail(io_error)";
    EXPECT_TRUE(holds(run_under(fails_twice, creating_in(3), thrice)));
    EXPECT_TRUE(breaks_only(run_under(fails_twice, creating_in(3)), "swallows_no_error"));
    EXPECT_TRUE(holds(run_under("resource.create#*=fail(io_error)", creating_in(3), thrice)));
    EXPECT_TRUE(breaks_only(
        run_under("resource.create#1..3=fail(io_error)", creating_in(4), thrice), "swallows_no_error"));
    EXPECT_TRUE(breaks_only(
        run_under("resource.create#*=fail(io_error)", creating_in(4), thrice), "preserves_error"));
    EXPECT_TRUE(holds_under_any_two_faults(creating_in(3), thrice));
}

TEST(create_attempts, share_one_deadline)
{
    const auto retries = [](bool shares) -> mishap::adapter {
        return [shares](environment& env) -> awaitable<void> {
            mock_resource resource;
            const auto until = asio::steady_timer::clock_type::now() + 5s;
            for (int i = 1;; ++i) {
                const auto left = shares ? until - asio::steady_timer::clock_type::now() : 5s;
                std::exception_ptr error;
                try {
                    co_await catalogue::with_deadline([&] { return resource.create(); }, left);
                    break;
                } catch (const catalogue::deadline_error&) {
                    throw;
                } catch (const std::exception&) {
                    if (i == 3)
                        throw;
                }
            }
            co_await lend_and_close(env, resource);
        };
    };
    const contract promises{.create_timeout = 5s, .create_attempts = 3, .unbounded = {phase::close}};
    const char* slow = "resource.create=fail(io_error) resource.create#2=hang";
    EXPECT_TRUE(holds(run_under(slow, retries(true), promises)));
    EXPECT_TRUE(holds(run_under(slow, retries(false), promises))); // no time passed before the second
    const auto pauses = [](bool shares) -> mishap::adapter {
        return [shares](environment& env) -> awaitable<void> {
            mock_resource resource;
            asio::steady_timer pause(co_await asio::this_coro::executor);
            const auto until = asio::steady_timer::clock_type::now() + 5s;
            try {
                co_await catalogue::with_deadline([&] { return resource.create(); }, 5s);
            } catch (const catalogue::deadline_error&) {
                throw;
            } catch (const std::exception&) {
                pause.expires_after(1s);
            }
            if (!resource.usable()) {
                co_await pause.async_wait(asio::use_awaitable);
                const auto left = shares ? until - asio::steady_timer::clock_type::now() : 5s;
                co_await catalogue::with_deadline([&] { return resource.create(); }, left);
            }
            co_await lend_and_close(env, resource);
        };
    };
    EXPECT_TRUE(holds(run_under(slow, pauses(true), promises)));
    EXPECT_TRUE(breaks_only(run_under(slow, pauses(false), promises), "honours_timeout"));
}

/// Opens a replica where the primary cannot be opened within 3 s, with that deadline or none.
mishap::adapter falling_back(std::optional<std::chrono::nanoseconds> second)
{
    return [second](environment& env) -> awaitable<void> {
        mock_resource primary("primary");
        mock_resource replica("replica");
        bool failed = false;
        try {
            co_await catalogue::with_deadline([&] { return primary.create(); }, 3s);
        } catch (const std::exception&) {
            failed = true;
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        if (failed && state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
        if (failed && second)
            co_await catalogue::with_deadline([&] { return replica.create(); }, *second);
        else if (failed)
            co_await replica.create();
        co_await lend_and_close(env, failed ? replica : primary);
    };
}

TEST(deadline_per_attempt, gives_each_of_them_its_own)
{
    const contract shared{.create_timeout = 3s, .create_attempts = 2, .unbounded = {phase::close}};
    const contract each = with(shared, [](contract& c) { c.deadline_per_attempt = true; });
    const char* slow = "primary.create=fail(io_error,2s) replica.create=hang";
    const run_result done = run_under(slow, falling_back(3s), each);
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(done.trace.time_of(done.trace.outcomes[0].ended), 5s);
    EXPECT_TRUE(holds(run_under("primary.create=hang replica.create=hang", falling_back(3s), each)));
    EXPECT_TRUE(breaks_only(run_under(slow, falling_back(3s), shared), "honours_timeout"));
    EXPECT_TRUE(
        holds(run_under("primary.create=hang replica.create=fail(io_error,1s)", falling_back(3s), each)));
    EXPECT_TRUE(holds_under_any_two_faults(falling_back(3s), each));
}

TEST(deadline_per_attempt, demands_one_of_each)
{
    const contract each{.create_timeout = 3s,
        .create_attempts = 2,
        .deadline_per_attempt = true,
        .unbounded = {phase::close}};
    const char* late = "primary.create=fail(io_error) replica.create=delay(4s)";
    EXPECT_TRUE(holds(run_under(late, falling_back(3s), each)));
    EXPECT_TRUE(breaks_only(run_under(late, falling_back({}), each), "honours_timeout"));
    EXPECT_TRUE(breaks_only(run_under(late, falling_back(3s + 2us), each), "honours_timeout"));
    EXPECT_TRUE(breaks_only(
        run_under("primary.create=fail(io_error) replica.create=hang", falling_back({}), each), "completes"));
}

/// Starts another create beside one that has not ended after a second, and keeps one of them. All within 5 s.
mishap::adapter hedging(bool closes_the_loser)
{
    return [closes_the_loser](environment& env) -> awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        mock_resource first("conn");
        mock_resource second("conn");
        const auto later = [&]() -> awaitable<void> {
            asio::steady_timer timer(co_await asio::this_coro::executor, 1s);
            co_await timer.async_wait(asio::use_awaitable);
            co_await second.create();
        };
        const auto race = [&]() -> awaitable<void> {
            try {
                co_await (first.create() || later());
            } catch (const asio::multiple_exceptions& both) {
                std::rethrow_exception(both.first_exception());
            }
        };
        co_await catalogue::with_deadline(race, 5s);
        if (first.usable() && second.usable() && closes_the_loser)
            second.force_close();
        co_await lend_and_close(env, first.usable() ? first : second);
    };
}

TEST(create_attempts, permits_rivals_that_share_one_deadline)
{
    const contract promises{.create_timeout = 5s, .create_attempts = 2, .unbounded = {phase::close}};
    for (const char* plan :
        {"conn.create=delay(2s)", "conn.create=hang", "conn.create=hang conn.create#2=delay(4s)",
            "conn.create=fail(io_error,5s) conn.create#2=delay(4s)",
            "conn.create=hang conn.create#2=fail(io_error)", "conn.create=hang conn.create#2=hang",
            "conn.create=fail(io_error,2s) conn.create#2=fail(foreign,2s)"})
        EXPECT_TRUE(holds(run_under(plan, hedging(true), promises))) << plan;
    EXPECT_TRUE(holds_under_any_two_faults(hedging(true), promises));
}

TEST(create_attempts, demands_closing_the_rival_that_lost)
{
    const contract promises{.create_timeout = 5s, .create_attempts = 2, .unbounded = {phase::close}};
    const char* both_come = "conn.create=late(2s)";
    EXPECT_TRUE(holds(run_under(both_come, hedging(true), promises)));
    EXPECT_TRUE(breaks_only(run_under(both_come, hedging(false), promises), "closes_everything"));
}

mishap::adapter closing_in(int attempts)
{
    return [attempts](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        std::exception_ptr error;
        try {
            co_await env.body()(resource);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        for (int i = 1;; ++i) {
            try {
                co_await resource.close();
                break;
            } catch (...) {
                env.report(std::current_exception());
                if (i == attempts)
                    break;
            }
        }
        if (error)
            std::rethrow_exception(error);
    };
}

TEST(close_attempts, permits_closing_again_what_did_not_close)
{
    const contract twice = with(patient, [](contract& c) { c.close_attempts = 2; });
    EXPECT_TRUE(holds(run_under("resource.close=fail(io_error)", closing_in(2), twice)));
    EXPECT_TRUE(breaks_only(run_under("resource.close=fail(io_error)", closing_in(2)), "closes_once"));
    EXPECT_TRUE(breaks_only(
        run_under("resource.close=fail(io_error) resource.close#1.2=fail(io_error)", closing_in(3), twice),
        "closes_once"));
    EXPECT_TRUE(holds_under_any_two_faults(closing_in(2), twice));
}

TEST(idempotent_close, permits_closing_what_is_closed)
{
    const mishap::adapter closes_twice = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        co_await env.body()(resource);
        co_await resource.close();
        resource.force_close();
    };
    EXPECT_TRUE(breaks_only(run_under("", closes_twice), "closes_once"));
    EXPECT_TRUE(
        holds(run_under("", closes_twice, with(patient, [](contract& c) { c.idempotent_close = true; }))));
}

// Time ----------------------------------------------------------------------------------------------------

mishap::adapter bounding(
    std::optional<std::chrono::nanoseconds> use, std::optional<std::chrono::nanoseconds> whole)
{
    return [use, whole](environment& env) -> awaitable<void> {
        mock_resource resource;
        const auto work = [&]() -> awaitable<void> {
            co_await resource.create();
            const auto body = [&](mock_resource& lent) -> awaitable<void> {
                if (use)
                    co_await catalogue::with_deadline([&] { return lent.use("query"); }, *use);
                else
                    co_await lent.use("query");
            };
            co_await env.body(body)(resource);
        };
        std::exception_ptr error;
        try {
            if (whole)
                co_await catalogue::with_deadline(work, *whole);
            else
                co_await work();
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        if (resource.usable() || !error)
            resource.force_close();
        if (error)
            std::rethrow_exception(error);
    };
}

TEST(use_timeout, demands_that_a_use_is_given_up)
{
    const contract promises{.use_timeout = 5s, .unbounded = {phase::create, phase::close}};
    for (const char* plan : {"resource.query=hang", "resource.query=delay(6s)"}) {
        EXPECT_TRUE(holds(run_under(plan, bounding(5s, {}), promises))) << plan;
        EXPECT_TRUE(breaks_only(run_under(plan, bounding(4s, {}), promises), "honours_timeout")) << plan;
        EXPECT_FALSE(run_under(plan, bounding({}, {}), promises).holds()) << plan;
    }
    EXPECT_TRUE(run_under("resource.query=hang", bounding({}, {}), promises).violates("completes"));
    EXPECT_TRUE(holds(run_under("resource.query=hang", bounding({}, {})))); // nobody promised
    EXPECT_TRUE(holds_under_any_two_faults(bounding(5s, {}), promises));
}

TEST(whole_timeout, demands_that_all_work_is_given_up)
{
    const contract promises{.whole_timeout = 5s, .unbounded = {phase::close}};
    for (const char* plan : {"resource.query=hang", "resource.create=hang", "resource.query=delay(6s)",
             "resource.create=delay(3s) resource.query=delay(3s)"}) {
        EXPECT_TRUE(holds(run_under(plan, bounding({}, 5s), promises))) << plan;
        EXPECT_TRUE(run_under(plan, bounding({}, 6s), promises).violates("honours_timeout")) << plan;
        EXPECT_FALSE(run_under(plan, bounding({}, {}), promises).holds()) << plan;
    }
    EXPECT_TRUE(holds_under_any_two_faults(bounding({}, 5s), promises));
}

TEST(whole_timeout, is_tried_by_sweeps_at_creates_and_uses)
{
    const contract promises{.whole_timeout = 5s, .unbounded = {phase::close}};
    const mishap::sweep_options delays{
        .perturbations = 1, .kinds = {mishap::fault::delay(mishap::duration(0))}};
    const auto right = mishap::sweep({"right", bounding({}, 5s), promises}, delays);
    EXPECT_TRUE(right.holds()) << (right.counterexamples.empty() ? right.invalid
                                                                 : mishap::report(right.counterexamples[0]));
    const auto delay = static_cast<std::size_t>(mishap::fault_kind::delay);
    for (const char* operation : {"resource.create", "resource.query"})
        EXPECT_EQ(right.coverage.at(operation)[delay].fired, 2u) << operation;
    EXPECT_FALSE(mishap::sweep({"hasty", bounding({}, 5s - 2us), promises}, delays).holds());
}

// Errors --------------------------------------------------------------------------------------------------

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
    const contract promises = with(patient, [](contract& c) { c.suppresses = {"value_error"}; });
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
    const contract strict{.unbounded = {phase::create, phase::close}, .capacity = 3, .clients = 3};
    const contract promises = with(strict, [](contract& c) {
        c.refuses = {"value_error"};
        c.recovery_time = 20s;
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
    const contract promises{.unbounded = {phase::create, phase::close, phase::acquire},
        .capacity = 1,
        .waiters = 1,
        .clients = 3,
        .refuses = {"value_error"}};
    EXPECT_TRUE(holds_under_any_two_faults(queueing(1, false), promises));
    EXPECT_FALSE(holds_under_any_two_faults(queueing(1, true), promises));
    EXPECT_TRUE(run_under("", queueing(1, false), with(promises, [](contract& c) {
        c.refuses.clear();
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
    const contract thrice = with(patient, [](contract& c) { c.body_attempts = 3; });
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
    const contract own_affair = with(patient, [](contract& c) { c.pipelined = true; });
    const contract told = with(own_affair, [](contract& c) { c.checks_are_told = true; });
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
        c.pipelined = true;
        c.other_timeout = 1s;
    });
    const contract told = with(own_affair, [](contract& c) { c.checks_are_told = true; });
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
        c.translates = {{"io_error", "value_error"}};
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
    promises.reports_cleanup_errors = true;
    const char* both = "resource.use=fail(foreign) resource.close=fail(io_error)";
    EXPECT_TRUE(breaks_only(run_under("resource.close=fail(io_error)", closes_badly), "invents_no_error"));
    EXPECT_TRUE(breaks_only(run_under(both, closes_badly, promises), "reports_cleanup_errors"));
    promises.translates = {{"io_error", "value_error"}};
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
    promises.clients = 2;
    promises.shared = promises.pipelined = promises.keeps_broken = true;
    const char* plan = "bg/resource.close=fail(io_error)";
    EXPECT_TRUE(holds(run_under(plan, shutting_down(false), promises)));
    promises.reports_cleanup_errors = true;
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
        c.unwrap = [](const std::exception_ptr& thrown) -> std::exception_ptr {
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
    const contract promises = with(patient, [](contract& c) { c.pipelined = true; });
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

// Pools ---------------------------------------------------------------------------------------------------

TEST(closing_counts, demands_a_free_slot_only_when_the_close_has_ended)
{
    // One slot; a session that is done is closed beside the next one's create, or before it.
    const auto pool = [](bool waits) -> mishap::adapter {
        return [waits](environment& env) -> awaitable<void> {
            bool taken = false;
            asio::steady_timer free(env.executor(), asio::steady_timer::time_point::max());
            co_await env.clients([&](mishap::client& client) -> awaitable<void> {
                while (taken) {
                    boost::system::error_code ignored;
                    co_await free.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
                }
                taken = true;
                mock_resource session("session");
                co_await session.create();
                co_await client.body(session);
                if (!waits) {
                    taken = false;
                    free.cancel();
                }
                co_await session.close();
                taken = false;
                free.cancel();
            });
        };
    };
    const contract promises{
        .unbounded = {phase::create, phase::close, phase::acquire, phase::other}, .capacity = 1};
    const contract counts = with(promises, [](contract& c) { c.closing_counts = true; });
    EXPECT_TRUE(run_under("c0/session.close=delay(1s)", pool(false), counts).violates("within_capacity"));
    EXPECT_FALSE(run_under("c0/session.close=delay(1s)", pool(false), promises).violates("within_capacity"));
    EXPECT_TRUE(holds(run_under("c0/session.close=delay(1s)", pool(true), counts)));
}

/// Lends its one connection to two at once. Where one of them breaks it, the other's work ends, too, and it
/// is told why, or sees only that it was stopped.
mishap::adapter sharing(bool tells)
{
    return [tells](environment& env) -> awaitable<void> {
        std::unique_ptr<mock_resource> connection;
        const auto open = [&]() -> awaitable<void> {
            auto made = std::make_unique<mock_resource>("conn");
            co_await made->create();
            connection = std::move(made);
        };
        co_await open();
        std::array<asio::cancellation_signal, 2> stop;
        std::exception_ptr broken;
        int users = 0;
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            if (!connection)
                co_await open();
            const auto mine = static_cast<std::size_t>(client.index()) % 2;
            std::exception_ptr error;
            ++users;
            try {
                co_await asio::co_spawn(env.executor(), client.body(*connection),
                    asio::bind_cancellation_slot(stop[mine].slot(), asio::use_awaitable));
            } catch (...) {
                error = std::current_exception();
            }
            if (error && broken && tells)
                error = broken;
            if (error && !broken && !connection->usable()) {
                broken = error;
                stop[1 - mine].emit(asio::cancellation_type::terminal);
            }
            // Who leaves it last drops it.
            if (--users == 0 && !connection->usable()) {
                connection->force_close();
                connection = nullptr;
                broken = nullptr;
            }
            if (error)
                std::rethrow_exception(error);
        });
        if (connection)
            connection->force_close();
    };
}

TEST(shared, lets_all_be_told_of_what_broke_it)
{
    const contract promises = with(patient, [](contract& c) {
        c.clients = 2;
        c.shared = c.pipelined = true;
    });
    const char* plan = "c0/conn.use=fail(connection_reset,1s) c1/conn.use=delay(2s)";
    const run_result done = run_under(plan, sharing(true), promises);
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(mishap::describe(done.trace.outcomes[1].error), "connection_reset");
    EXPECT_TRUE(breaks_only(run_under(plan, sharing(false), promises), "invents_no_error"));
    // What breaks nothing is nobody else's.
    EXPECT_TRUE(
        holds(run_under("c0/conn.use=fail(io_error,1s) c1/conn.use=delay(2s)", sharing(false), promises)));
}

/// Lends its one resource to one after the other. A client takes some steps before it starts its timer.
mishap::adapter taking_turns_within(std::chrono::nanoseconds patience)
{
    return [patience](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        bool taken = false;
        asio::steady_timer turn(env.executor(), asio::steady_timer::time_point::max());
        const auto take = [&]() -> awaitable<void> {
            while (taken) {
                boost::system::error_code woken;
                co_await turn.async_wait(asio::redirect_error(asio::use_awaitable, woken));
            }
            taken = true;
        };
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            for (int i = 0; i < 5; ++i)
                co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
            co_await catalogue::with_deadline(take, patience);
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

TEST(acquire_timeout, is_kept_although_the_timer_starts_some_steps_after_the_client)
{
    const contract promises{.acquire_timeout = 5s,
        .unbounded = {phase::create, phase::close},
        .capacity = 1,
        .clients = 2,
        .keeps_broken = true};
    EXPECT_TRUE(
        holds(run_under("c0/resource.use=delay(5s) step_cost(1us)", taking_turns_within(5s), promises)));
    for (const char* plan : {"c0/resource.use=hang", "c0/resource.use=hang step_cost(1us)",
             "c0/resource.use=hang step_cost(10us)"}) {
        EXPECT_TRUE(holds(run_under(plan, taking_turns_within(5s), promises))) << plan;
        EXPECT_TRUE(breaks_only(run_under(plan, taking_turns_within(5s + 1ms), promises), "honours_timeout"))
            << plan;
    }
}

TEST(keeps_broken, permits_lending_what_is_broken)
{
    /// Lends its session to one after the other, and a new one for one that is broken, or not.
    const auto lending = [](bool replaces) -> mishap::adapter {
        return [replaces](environment& env) -> awaitable<void> {
            auto session = std::make_unique<mock_resource>("session");
            co_await session->create();
            co_await env.clients([&](mishap::client& client) -> awaitable<void> {
                if (replaces && !session->usable()) {
                    session->force_close();
                    session = std::make_unique<mock_resource>("session");
                    co_await session->create();
                }
                co_await client.body(*session);
            });
            session->force_close();
        };
    };
    const contract promises{.unbounded = {phase::create, phase::close}, .capacity = 1, .clients = 2};
    const contract keeps = with(promises, [](contract& c) { c.keeps_broken = true; });
    const char* plan = "sequential c0/session.use=fail(connection_reset)";
    EXPECT_TRUE(breaks_only(run_under(plan, lending(false), promises), "discards_broken"));
    EXPECT_TRUE(holds(run_under(plan, lending(true), promises)));
    EXPECT_TRUE(holds(run_under(plan, lending(false), keeps)));
}

TEST(fair, lets_who_is_being_served_be_overtaken)
{
    // Each takes one of two sessions, pings it, and gets a new one if that fails. The first client may
    // dawdle.
    const auto pool = [](bool dawdles) -> mishap::adapter {
        return [dawdles](environment& env) -> awaitable<void> {
            std::vector<std::unique_ptr<mock_resource>> idle;
            for (int i = 0; i < 2; ++i) {
                idle.push_back(std::make_unique<mock_resource>("session"));
                co_await idle.back()->create();
            }
            co_await env.clients([&](mishap::client& client) -> awaitable<void> {
                if (dawdles && client.index() == 0) {
                    asio::steady_timer timer(co_await asio::this_coro::executor, 1s);
                    co_await timer.async_wait(asio::use_awaitable);
                }
                auto mine = std::move(idle.back());
                idle.pop_back();
                bool healthy = true;
                try {
                    co_await mine->maintain("ping");
                } catch (const std::exception&) {
                    healthy = false;
                }
                if (!healthy) {
                    mine->force_close();
                    mine = std::make_unique<mock_resource>("session");
                    co_await mine->create();
                }
                co_await client.body(*mine);
                idle.push_back(std::move(mine));
            });
            while (!idle.empty()) {
                idle.back()->force_close();
                idle.pop_back();
            }
        };
    };
    const contract promises{
        .unbounded = {phase::create, phase::close, phase::other}, .capacity = 2, .clients = 2, .fair = true};
    EXPECT_TRUE(holds(run_under("", pool(false), promises)));
    for (const char* plan : {"c0/session.ping=fail(io_error)", "c0/session.ping=delay(1s)"}) {
        const run_result done = run_under(plan, pool(false), promises);
        EXPECT_TRUE(holds(done)) << plan;
        ASSERT_FALSE(done.trace.bodies.empty());
        EXPECT_EQ(done.trace.bodies.front().lane, 1) << plan;
    }
    EXPECT_TRUE(breaks_only(run_under("", pool(true), promises), "fair"));
}

TEST(survives_deaf, demands_giving_up_what_does_not_listen)
{
    // Waits for what it cancelled, as structured concurrency asks.
    const auto waits = bounding({}, 5s);
    const contract structured{.whole_timeout = 5s, .unbounded = {phase::close}};
    const contract survives = with(structured, [](contract& c) { c.survives_deaf = true; });
    const mishap::manager under_test("waits", waits, structured);
    EXPECT_TRUE(mishap::sweep(under_test, {.perturbations = 1}).holds());
    const auto strict = mishap::sweep(under_test, {.perturbations = 1, .contract = survives});
    EXPECT_FALSE(strict.holds());
    EXPECT_NE(strict.covered.find("deaf"), std::string::npos) << strict.covered;
}

TEST(contract, refuses_terms_that_cannot_be_meant)
{
    for (const contract& bad : {contract{.create_attempts = 0}, contract{.close_attempts = 0},
             contract{.use_timeout = 0s}, contract{.whole_timeout = -1s}, contract{.suppresses = {"nothing"}},
             contract{.translates = {{"io_error", "nothing"}}}})
        EXPECT_FALSE(mishap::contradiction(bad).empty());
}

} // namespace
