// SPDX-License-Identifier: MIT
// Goal: completes blames a manager that waits for ever where it promised not to, and nobody for the body's
// own waiting. Method: one operation hangs, under contracts that do and do not permit it; managers that wait
// for nothing at all.

#include "support/under_test.hpp"

#include "shared/with_deadline.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>

namespace {

using namespace selftest;

contract unbounded_in(std::vector<phase> phases) { return {.time = {.unbounded = std::move(phases)}}; }

TEST(completes, blames_hanging_in_create_without_a_promise)
{
    const run_result done = run_under("resource.create=hang", right, contract());
    EXPECT_TRUE(breaks_only(done, "completes"));
    EXPECT_EQ(sentence_of(done), "the caller waits for resource.create#1 for ever");
    EXPECT_EQ(done.trace.outcomes[0].ending, mishap::ending::hung);
}

TEST(completes, does_not_blame_hanging_in_create_where_that_is_declared)
{
    EXPECT_TRUE(holds(run_under("resource.create=hang", right, unbounded_in({phase::create}))));
    EXPECT_TRUE(breaks_only(
        run_under("resource.create=hang", right, unbounded_in({phase::close, phase::other})), "completes"));
}

TEST(completes, judges_close_likewise)
{
    EXPECT_TRUE(breaks_only(run_under("resource.close=hang", right, contract()), "completes"));
    EXPECT_TRUE(
        breaks_only(run_under("resource.close=hang", right, unbounded_in({phase::create})), "completes"));
    EXPECT_TRUE(holds(run_under("resource.close=hang", right, unbounded_in({phase::close}))));
}

//  nobody but the body promised anything about its own work.
TEST(completes, does_not_blame_a_body_that_hangs_in_its_own_use)
{
    EXPECT_TRUE(holds(run_under("resource.use=hang", right, contract())));
    EXPECT_TRUE(holds(run_under("body=hang", right, contract())));
    EXPECT_EQ(
        run_under("resource.use=hang", right, contract()).trace.outcomes[0].ending, mishap::ending::hung);
}

TEST(completes, blames_a_managers_own_ping_that_hangs)
{
    const auto pings = [](environment&) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        std::exception_ptr error;
        try {
            co_await resource.maintain("ping");
        } catch (...) {
            error = std::current_exception();
        }
        resource.force_close();
        if (error)
            std::rethrow_exception(error);
    };
    EXPECT_TRUE(breaks_only(run_under("resource.ping=hang", pings, contract()), "completes"));
    EXPECT_TRUE(holds(run_under("resource.ping=hang", pings, unbounded_in({phase::other}))));
}

/// As a condition variable is waited for in Asio, and nobody notifies it.
awaitable<void> waits_for_nobody(environment& env)
{
    asio::steady_timer never(env.executor(), asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
}

TEST(completes, blames_waiting_for_what_is_no_operation)
{
    const run_result done = run_under("", waits_for_nobody, contract());
    EXPECT_TRUE(breaks_only(done, "completes"));
    EXPECT_EQ(sentence_of(done), "the caller waits for something that is no operation for ever");
    EXPECT_TRUE(holds(run_under("", waits_for_nobody, unbounded_in({phase::other}))));
}

TEST(completes, does_not_blame_a_body_that_waits_for_what_is_no_operation)
{
    const auto lends = [](environment& env) -> awaitable<void> {
        co_await env.body([&env]() -> awaitable<void> { return waits_for_nobody(env); })();
    };
    EXPECT_TRUE(holds(run_under("", lends, contract())));
}

TEST(completes, blames_a_client_that_does_not_end_when_it_is_cancelled)
{
    const auto deaf = [](environment& env) -> awaitable<void> {
        co_await shield();
        co_await waits_for_nobody(env);
    };
    EXPECT_TRUE(breaks_only(run_under("", deaf, contract()), "completes"));
    const run_result done = run_under("", deaf, unbounded_in({phase::other}));
    EXPECT_TRUE(breaks_only(done, "completes"));
    EXPECT_TRUE(sentence_of(done).starts_with("the caller never ended, although it was cancelled"));
}

// What follows a hang is its consequence: a leak behind it is no news.
TEST(completes, is_reported_alone)
{
    const auto leaks = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        co_await waits_for_nobody(env);
    };
    EXPECT_TRUE(breaks_only(run_under("", leaks, contract()), "completes"));
    EXPECT_TRUE(breaks_only(run_under("", leaks, unbounded_in({phase::other})), "closes_everything"));
}

TEST(completes, a_long_wait_is_not_for_ever)
{
    const auto patient_one = [](environment& env) -> awaitable<void> {
        asio::steady_timer timer(env.executor(), 23h);
        co_await timer.async_wait(asio::use_awaitable);
    };
    EXPECT_TRUE(holds(run_under("", patient_one, contract())));
    EXPECT_TRUE(holds(run_under("resource.create=delay(23h)", right, contract())));
}

// Several clients -----------------------------------------------------------------------------------------

/// Lends its one session in turn, and wakes the next one, or not.
mishap::adapter lending_in_turn(bool wakes)
{
    return [wakes](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        bool taken = false;
        asio::steady_timer turn(env.executor(), asio::steady_timer::time_point::max());
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            while (taken) {
                boost::system::error_code woken;
                co_await turn.async_wait(asio::redirect_error(asio::use_awaitable, woken));
            }
            taken = true;
            std::exception_ptr error;
            try {
                co_await client.body(session);
            } catch (...) {
                error = std::current_exception();
            }
            taken = false;
            if (wakes)
                turn.cancel();
            if (error)
                std::rethrow_exception(error);
        });
        co_await session.close();
    };
}

TEST(completes, blames_a_client_that_sleeps_while_a_resource_is_idle)
{
    contract in_turn = unbounded_in({phase::create, phase::close, phase::acquire});
    in_turn.capacity.resources = 1;
    in_turn.capacity.clients = 2;
    const run_result done = run_under("", lending_in_turn(false), in_turn);
    EXPECT_TRUE(breaks_only(done, "completes"));
    EXPECT_EQ(sentence_of(done), "client 1 waits for ever although bg/session#1 is idle");
    EXPECT_TRUE(holds(run_under("", lending_in_turn(true), in_turn)));
    EXPECT_TRUE(holds(run_under("c0/session.use=hang", lending_in_turn(true), in_turn)));
    in_turn.capacity.keyed = true;
    EXPECT_TRUE(holds(run_under("", lending_in_turn(false), in_turn)));
}

/// The body of client 1 waits until that of client 0 has worked, and is told of it, or not.
mishap::adapter meeting(bool tells)
{
    return [tells](environment& env) -> awaitable<void> {
        asio::steady_timer told(env.executor(), asio::steady_timer::time_point::max());
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            mock_resource session("session");
            co_await session.create();
            const auto work = [&](mock_resource& lent) -> awaitable<void> {
                if (client.index() == 1) {
                    boost::system::error_code woken;
                    co_await told.async_wait(asio::redirect_error(asio::use_awaitable, woken));
                } else {
                    co_await lent.use("query");
                    if (tells)
                        told.cancel();
                }
            };
            std::exception_ptr error;
            try {
                co_await client.body(session, work);
            } catch (...) {
                error = std::current_exception();
            }
            session.force_close();
            if (error)
                std::rethrow_exception(error);
        });
    };
}

TEST(completes, blames_a_client_whose_body_waits_for_nothing_that_could_happen)
{
    contract two = patient;
    two.capacity.clients = 2;
    EXPECT_TRUE(breaks_only(run_under("", meeting(false), two), "completes"));
    EXPECT_TRUE(holds(run_under("", meeting(true), two)));
    EXPECT_TRUE(holds(run_under("c0/session.query=hang", meeting(true), two)));
}

/// Pings in the background for as long as there are clients, and gives a close up after that time.
mishap::adapter pinging_meanwhile(std::chrono::nanoseconds close_timeout)
{
    return [close_timeout](environment& env) -> awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        mock_resource server("server");
        co_await server.create();
        bool over = false;
        asio::steady_timer pause(env.executor());
        const auto ping = [&]() -> awaitable<void> {
            while (!over) {
                boost::system::error_code woken;
                pause.expires_after(10s);
                co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, woken));
                if (!woken)
                    co_await server.maintain("ping");
            }
        };
        const auto serve = [&](mishap::client& client) -> awaitable<void> {
            mock_resource session("session");
            co_await session.create();
            std::exception_ptr error;
            try {
                co_await client.body(session);
            } catch (...) {
                error = std::current_exception();
            }
            co_await shield();
            try {
                co_await catalogue::with_deadline([&] { return session.close(); }, close_timeout);
            } catch (...) {
                error = error ? error : std::current_exception();
                session.force_close();
            }
            if (error)
                std::rethrow_exception(error);
        };
        const auto serve_all = [&]() -> awaitable<void> {
            co_await env.clients(serve);
            over = true;
            pause.cancel();
        };
        co_await (serve_all() && ping());
        server.force_close();
    };
}

TEST(completes, who_is_stuck_until_the_horizon_may_still_close_within_its_deadline)
{
    const contract two{.time = {.close = 5s, .unbounded = {phase::create}}, .capacity = {.clients = 2}};
    const mishap::limits minute{.horizon = 1min};
    for (const char* plan :
        {"c0/session.use=hang c0/session.close=delay(3s)", "c0/session.use=hang c0/session.close=hang"}) {
        const run_result done = run_under(plan, pinging_meanwhile(5s), two, minute);
        ASSERT_TRUE(holds(done)) << plan;
        EXPECT_GT(done.trace.time_of(done.trace.outcomes[0].ended), 1min) << plan;
    }
    EXPECT_TRUE(breaks_only(
        run_under("c0/session.use=hang c0/session.close=hang", pinging_meanwhile(5s + 2us), two, minute),
        "honours_timeout"));
}

// Work that is left ----------------------------------------------------------------------------------------

/// What a connection and the pings on it share.
struct pinged
{
    explicit pinged(environment& env) : timer(env.executor()) {}

    mock_resource resource;
    asio::steady_timer timer;
    asio::cancellation_signal stop;
    bool over = false;
};

awaitable<void> ping_every_second(std::shared_ptr<pinged> one)
{
    while (!one->over) {
        boost::system::error_code stopped;
        one->timer.expires_after(1s);
        co_await one->timer.async_wait(asio::redirect_error(asio::use_awaitable, stopped));
        if (!one->over)
            co_await one->resource.maintain("ping");
    }
}

/// Pings beside the body. Then it stops that and waits for its end, or stops nothing but the timer.
mishap::adapter pinging_beside(bool waits)
{
    return [waits](environment& env) -> awaitable<void> {
        const auto one = std::make_shared<pinged>(env);
        co_await one->resource.create();
        const auto ended =
            std::make_shared<asio::steady_timer>(env.executor(), asio::steady_timer::time_point::max());
        asio::co_spawn(env.executor(), ping_every_second(one),
            asio::bind_cancellation_slot(one->stop.slot(), [one, ended](const std::exception_ptr&) {
                one->over = true;
                ended->cancel();
                ended->expires_at(asio::steady_timer::time_point::min());
            }));
        const auto stop_pings = [&]() -> awaitable<void> {
            one->over = true;
            one->timer.cancel();
            if (waits) {
                one->stop.emit(asio::cancellation_type::terminal);
                boost::system::error_code woken;
                co_await ended->async_wait(asio::redirect_error(asio::use_awaitable, woken));
            }
            one->resource.force_close();
        };
        co_await with_cleanup([&] { return env.body()(one->resource); }, stop_pings);
    };
}

TEST(no_stray_work, blames_a_ping_beside_the_body_that_is_left_under_way)
{
    contract promises = patient;
    promises.work.pipelined = true;
    const char* hangs = "body=delay(2.5s) resource.ping=hang";
    EXPECT_TRUE(holds(run_under(hangs, pinging_beside(true), promises)));
    const run_result done = run_under(hangs, pinging_beside(false), promises);
    EXPECT_TRUE(breaks_only(done, "no_stray_work"));
    EXPECT_EQ(sentence_of(done), "resource.ping#1 was left under way when everybody had ended");
    for (const bool waits : {false, true})
        EXPECT_TRUE(holds(run_under("body=delay(2.5s)", pinging_beside(waits), promises))) << waits;
}

} // namespace
