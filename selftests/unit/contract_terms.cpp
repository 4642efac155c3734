// SPDX-License-Identifier: MIT
// Goal: each term of the contract about attempts, time and pools permits or demands what it says: a manager
// that needs the permission is blamed without it and not with it, one that breaks the demand is blamed, and a
// twin that keeps it is not. Method: one small manager per term; single runs and sweeps.

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
    const contract thrice = with(patient, [](contract& c) { c.attempts.create = 3; });
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
    const contract promises{.time = {.create = 5s, .unbounded = {phase::close}}, .attempts = {.create = 3}};
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
    const contract shared{.time = {.create = 3s, .unbounded = {phase::close}}, .attempts = {.create = 2}};
    const contract each = with(shared, [](contract& c) { c.time.per_attempt = true; });
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
    const contract each{
        .time = {.create = 3s, .per_attempt = true, .unbounded = {phase::close}}, .attempts = {.create = 2}};
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
    const contract promises{.time = {.create = 5s, .unbounded = {phase::close}}, .attempts = {.create = 2}};
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
    const contract promises{.time = {.create = 5s, .unbounded = {phase::close}}, .attempts = {.create = 2}};
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
    const contract twice = with(patient, [](contract& c) { c.attempts.close = 2; });
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
        holds(run_under("", closes_twice, with(patient, [](contract& c) { c.closing.idempotent = true; }))));
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
    const contract promises{.time = {.use = 5s, .unbounded = {phase::create, phase::close}}};
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
    const contract promises{.time = {.whole = 5s, .unbounded = {phase::close}}};
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
    const contract promises{.time = {.whole = 5s, .unbounded = {phase::close}}};
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
        .time = {.unbounded = {phase::create, phase::close, phase::acquire, phase::other}},
        .capacity = {.resources = 1}};
    const contract counts = with(promises, [](contract& c) { c.capacity.closing_counts = true; });
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
        c.capacity.clients = 2;
        c.capacity.shared = c.work.pipelined = true;
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
    const contract promises{.time = {.acquire = 5s, .unbounded = {phase::create, phase::close}},
        .capacity = {.resources = 1, .clients = 2},
        .work = {.keeps_broken = true}};
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
    const contract promises{
        .time = {.unbounded = {phase::create, phase::close}}, .capacity = {.resources = 1, .clients = 2}};
    const contract keeps = with(promises, [](contract& c) { c.work.keeps_broken = true; });
    const char* plan = "sequential c0/session.use=fail(connection_reset)";
    EXPECT_TRUE(run_under(plan, lending(false), promises).violates("discards_broken"));
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
    const contract promises{.time = {.unbounded = {phase::create, phase::close, phase::other}},
        .capacity = {.resources = 2, .clients = 2, .fair = true}};
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
    const contract structured{.time = {.whole = 5s, .unbounded = {phase::close}}};
    const contract survives = with(structured, [](contract& c) { c.work.survives_deaf = true; });
    const mishap::manager under_test("waits", waits, structured);
    EXPECT_TRUE(mishap::sweep(under_test, {.perturbations = 1}).holds());
    const auto strict = mishap::sweep(under_test, {.perturbations = 1, .contract = survives});
    EXPECT_FALSE(strict.holds());
    EXPECT_NE(strict.covered.find("deaf"), std::string::npos) << strict.covered;
}

TEST(contract, refuses_terms_that_cannot_be_meant)
{
    for (const contract& bad : {contract{.attempts = {.create = 0}}, contract{.attempts = {.close = 0}},
             contract{.time = {.use = 0s}}, contract{.time = {.whole = -1s}},
             contract{.errors = {.suppresses = {"nothing"}}},
             contract{.errors = {.translates = {{"io_error", "nothing"}}}}})
        EXPECT_FALSE(mishap::contradiction(bad).empty());
}

} // namespace
