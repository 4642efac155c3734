// SPDX-License-Identifier: MIT
// Goal: several clients run in one world, each cancelled where the plan says, and fresh ones come after them.
// Method: small managers with one thing to look at; plans in the text form that reports print.

#include "simulate.hpp"

#include <mishap/explore.hpp>
#include <mishap/input_error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/strand.hpp>

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace {

/// Each client has a session of its own.
mishap::manager one_session_each(std::uint32_t clients)
{
    return {"sessions",
        [](mishap::environment& env) -> mishap::awaitable<void> {
            co_await env.clients([](mishap::client& client) -> mishap::awaitable<void> {
                mishap::mock_resource session("session");
                co_await session.create();
                std::exception_ptr error;
                try {
                    co_await client.body(session);
                } catch (...) {
                    error = std::current_exception();
                }
                co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
                co_await session.close();
                if (error)
                    std::rethrow_exception(error);
            });
        },
        {.time = {.unbounded = {mishap::phase::create, mishap::phase::close}},
            .capacity = {.clients = clients}}};
}

std::string started(const mishap::run_result& run)
{
    std::string names;
    for (const mishap::operation_record& op : run.trace.operations)
        if (op.role != mishap::role::body && !op.in_probe)
            names += mishap::to_string(op.id, true) + " ";
    return names;
}

std::string ends(const mishap::run_result& run)
{
    std::string text;
    for (const mishap::outcome& client : run.trace.outcomes)
        if (!client.probe)
            text += client.error ? "throws " : client.ended != mishap::none ? "returns " : "hangs ";
    return text;
}

TEST(clients, run_side_by_side_in_lanes_of_their_own)
{
    const auto run = mishap::run(one_session_each(3), {});
    EXPECT_HOLDS(run);
    EXPECT_EQ(started(run),
        "c0/session.create#1 c1/session.create#1 c2/session.create#1 c0/session.use#1 c1/session.use#1 "
        "c2/session.use#1 c0/session.close#1 c1/session.close#1 c2/session.close#1 ");
    EXPECT_EQ(ends(run), "returns returns returns ");
}

TEST(clients, come_one_after_the_other_when_the_plan_says_so)
{
    const auto run = mishap::run(one_session_each(2), mishap::parse_plan("sequential"));
    EXPECT_HOLDS(run);
    EXPECT_EQ(started(run), "c0/session.create#1 c0/session.use#1 c0/session.close#1 c1/session.create#1 "
                            "c1/session.use#1 c1/session.close#1 ");
}

TEST(clients, are_as_many_as_the_plan_says)
{
    const auto run = mishap::run(one_session_each(2), mishap::parse_plan("clients(5)"));
    EXPECT_EQ(ends(run), "returns returns returns returns returns ");
}

TEST(clients, are_followed_by_a_fresh_one)
{
    const auto run = mishap::run(one_session_each(2), {});
    ASSERT_EQ(run.trace.outcomes.size(), 3u);
    EXPECT_TRUE(run.trace.outcomes[2].probe);
    EXPECT_FALSE(run.trace.outcomes[2].error);
}

TEST(clients, need_a_contract_that_speaks_of_them)
{
    const mishap::manager undeclared("undeclared", [](mishap::environment& env) -> mishap::awaitable<void> {
        co_await env.clients([](mishap::client&) -> mishap::awaitable<void> { co_return; });
    });
    EXPECT_THROW(mishap::run(undeclared, {}), mishap::input_error);
}

TEST(clients, fault_one_without_touching_the_others)
{
    const auto run = mishap::run(one_session_each(3), mishap::parse_plan("c1/session.use=fail(io_error)"));
    EXPECT_HOLDS(run);
    EXPECT_EQ(ends(run), "returns throws returns ");
}

TEST(cancellation, strikes_at_each_moment)
{
    struct expected
    {
        const char* plan;
        const char* ends;
        const char* operations; // of client 0
    };
    for (const expected& e : {
             expected{"session.use=cancel", "throws returns ", "create use close "},
             expected{"cancel(c0 before session.use)", "throws returns ", "create close "},
             expected{"cancel(c0 queued c0/session.create#1)", "throws returns ", "create close "},
             // The session was lent already when the cancellation came: the body's next co_await throws.
             expected{"cancel(c0 queued c0/session.use#1)", "returns returns ", "create use close "},
             expected{"cancel(c0 during c0/session.close#1)", "returns returns ", "create use close "},
             // Shielded: nothing that is left listens.
             expected{"cancel(c0 queued c0/session.close#1)", "returns returns ", "create use close "},
         }) {
        SCOPED_TRACE(e.plan);
        const auto run = mishap::run(one_session_each(2), mishap::parse_plan(e.plan));
        EXPECT_EQ(ends(run), e.ends);
        std::string operations;
        for (const mishap::operation_record& op : run.trace.operations)
            if (op.id.lane == 0 && op.role != mishap::role::body)
                operations += std::string(op.id.name.text()) + " ";
        EXPECT_EQ(operations, e.operations);
        EXPECT_EQ(mishap::to_string(mishap::parse_plan(mishap::to_string(run.fired))),
            mishap::to_string(run.fired));
    }
}

TEST(cancellation, after_steps_is_told_relative_to_an_operation)
{
    const auto by_steps = mishap::run(one_session_each(2), mishap::parse_plan("cancel(c1 after 7 steps)"));
    const std::string canonical = mishap::to_string(by_steps.fired);
    EXPECT_NE(canonical.find("session."), std::string::npos) << canonical;
    const auto again = mishap::run(one_session_each(2), mishap::parse_plan(canonical));
    EXPECT_EQ(again.trace.hash, by_steps.trace.hash);
    EXPECT_EQ(mishap::to_string(again.fired), canonical);
}

TEST(cancellation, that_the_managers_state_filters_out_is_nothing)
{
    const mishap::manager terminal_only("terminal_only", [](mishap::environment&) -> mishap::awaitable<void> {
        co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
        mishap::mock_resource session("session");
        co_await session.create();
        co_await session.use("query");
        co_await session.close();
    });
    const auto total = mishap::run(terminal_only, mishap::parse_plan("session.query=cancel(total)"));
    EXPECT_EQ(ends(total), "returns ");
    EXPECT_FALSE(total.violates("closes_everything")) << why(total);
    const auto terminal = mishap::run(terminal_only, mishap::parse_plan("session.query=cancel"));
    EXPECT_EQ(ends(terminal), "throws ");
    EXPECT_TRUE(terminal.violates("closes_everything")) << why(terminal);
}

TEST(cancellation, refuses_what_it_cannot_read)
{
    for (const char* plan : {"cancel(c0)", "cancel(c0 sometimes session.use)", "cancel(x queued session.use)",
             "cancel(c0 during c1/session.use)", "cancel(c0 queued session.use gently)",
             "cancel(c0 queued session.use +x)", "cancel(c0 after 7 steps terminal now)",
             "session.use=cancel(gently)"})
        EXPECT_THROW(mishap::parse_plan(plan), mishap::input_error) << plan;
}

TEST(late, arrives_whatever_was_cancelled_and_deaf_never_listens)
{
    const mishap::manager gives_up("gives_up", [](mishap::environment&) -> mishap::awaitable<void> {
        mishap::mock_resource session("session");
        co_await session.create();
        co_await session.close();
    });
    const auto late =
        mishap::run(gives_up, mishap::parse_plan("session.create=late(3s) cancel(c0 after 2 steps)"));
    EXPECT_EQ(late.trace.events.back().at, 3s);
    EXPECT_TRUE(late.violates("closes_everything"))
        << why(late) << mishap::timeline(late); // it arrived, and the close could not start
    const auto deaf = mishap::run(gives_up, mishap::parse_plan("session.create=deaf"));
    EXPECT_TRUE(deaf.violates("completes")) << why(deaf);
}

TEST(fail_after_effect, of_a_create_leaves_something_that_may_be_closed)
{
    // The reply was lost, not the session: who closes to be on the safe side is right, and so is who cannot.
    const auto manager = [](bool closes) -> mishap::manager {
        return {"careful",
            [closes](mishap::environment&) -> mishap::awaitable<void> {
                mishap::mock_resource session("session");
                std::exception_ptr error;
                try {
                    co_await session.create();
                } catch (...) {
                    error = std::current_exception();
                }
                if (closes || !error)
                    co_await session.close();
                if (error)
                    std::rethrow_exception(error);
            },
            nothing_promised()};
    };
    const auto lost_reply = mishap::parse_plan("session.create=fail_after_effect(io_error)");
    EXPECT_HOLDS(mishap::run(manager(true), lost_reply));
    EXPECT_HOLDS(mishap::run(manager(false), lost_reply));
    EXPECT_TRUE(mishap::run(manager(true), mishap::parse_plan("session.create=fail(io_error)"))
                    .violates("closes_only_what_exists"));
}

TEST(sweep, with_runs_that_were_cut_short_is_not_complete)
{
    const mishap::manager spins("spins", [](mishap::environment&) -> mishap::awaitable<void> {
        mishap::mock_resource session("session");
        co_await session.create();
        for (;;)
            co_await asio::post(asio::use_awaitable);
    });
    const auto result = mishap::sweep(spins,
        {.perturbations = 1, .kinds = {mishap::fault::fail("io_error")}, .limits = {.steps_max = 500}});
    EXPECT_FALSE(result.complete);
    EXPECT_NE(result.covered.find("incomplete"), std::string::npos) << result.covered;
}

TEST(sweep, strikes_so_many_of_equal_operations)
{
    const mishap::manager pings(
        "pings",
        [](mishap::environment&) -> mishap::awaitable<void> {
            mishap::mock_resource session("session");
            co_await session.create();
            std::exception_ptr error;
            try {
                for (int i = 0; i < 40; ++i)
                    co_await session.maintain("ping");
            } catch (...) {
                error = std::current_exception();
            }
            session.force_close();
            if (error)
                std::rethrow_exception(error);
        },
        nothing_promised());
    mishap::sweep_options once{.perturbations = 1, .kinds = {mishap::fault::fail("io_error")}};
    const auto fail = static_cast<std::size_t>(mishap::fault_kind::fail);
    const auto some = mishap::sweep(pings, once);
    EXPECT_TRUE(some.holds());
    EXPECT_FALSE(some.complete);
    EXPECT_EQ(some.coverage.at("session.ping")[fail].fired, 16u);
    EXPECT_TRUE(some.covered.starts_with("incomplete")) << some.covered;
    EXPECT_NE(some.covered.find("of equal operations only the first 16"), std::string::npos) << some.covered;
    once.occurrences_max = 40;
    const auto all = mishap::sweep(pings, once);
    EXPECT_TRUE(all.complete) << all.covered;
    EXPECT_EQ(all.coverage.at("session.ping")[fail].fired, 40u);
}

TEST(probes, find_a_lock_that_a_cancelled_waiter_kept)
{
    /// A lock that is handed on while somebody waits. One who is cancelled may go on being counted.
    const auto under_a_lock = [](bool forgets) -> mishap::manager {
        return {"under_a_lock",
            [forgets](mishap::environment& env) -> mishap::awaitable<void> {
                bool locked = false;
                bool handed_on = false;
                int waiting = 0;
                asio::steady_timer turn(env.executor(), asio::steady_timer::time_point::max());
                const auto unlock = [&] {
                    locked = handed_on = waiting > 0;
                    turn.cancel_one();
                };
                co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                    if (std::exchange(locked, true)) {
                        ++waiting;
                        co_await turn.async_wait(asio::as_tuple(asio::use_awaitable));
                        const bool cancelled = (co_await asio::this_coro::cancellation_state).cancelled() !=
                                               asio::cancellation_type::none;
                        if (!cancelled || !forgets)
                            --waiting;
                        const bool mine = std::exchange(handed_on, false);
                        if (cancelled && mine)
                            unlock();
                        if (cancelled)
                            throw boost::system::system_error(
                                asio::error::make_error_code(asio::error::operation_aborted));
                    }
                    mishap::mock_resource session("session");
                    co_await session.create();
                    std::exception_ptr error;
                    try {
                        co_await client.body(session);
                    } catch (...) {
                        error = std::current_exception();
                    }
                    session.force_close();
                    unlock();
                    if (error)
                        std::rethrow_exception(error);
                });
            },
            {.time = {.unbounded = {mishap::phase::acquire, mishap::phase::create, mishap::phase::close}},
                .capacity = {.clients = 2}}};
    };
    const auto cancelled_waiter =
        mishap::parse_plan("c0/session.use=delay(1s) cancel(c1 queued c0/session.use#1)");
    const auto forgetful = mishap::run(under_a_lock(true), cancelled_waiter);
    ASSERT_EQ(forgetful.verdict.violations.size(), 1u) << why(forgetful);
    EXPECT_EQ(forgetful.verdict.violations[0].invariant, "recovers");
    EXPECT_EQ(ends(forgetful), "returns throws ");
    EXPECT_HOLDS(mishap::run(under_a_lock(true), {}));
    EXPECT_HOLDS(mishap::run(under_a_lock(false), cancelled_waiter));
}

TEST(probes, find_a_manager_that_lost_its_slot)
{
    /// A pool of one that forgets to take its session back when the work failed.
    const auto pool_of_one = [](bool forgets) -> mishap::manager {
        return {"pool_of_one",
            [forgets](mishap::environment& env) -> mishap::awaitable<void> {
                mishap::mock_resource session("session");
                co_await session.create();
                bool taken = false;
                std::deque<asio::steady_timer*> waiting;
                const auto give_back = [&] {
                    taken = false;
                    if (!waiting.empty())
                        waiting.front()->cancel();
                };
                co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                    while (taken) {
                        asio::steady_timer turn(
                            co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
                        waiting.push_back(&turn);
                        co_await turn.async_wait(asio::as_tuple(asio::use_awaitable));
                        std::erase(waiting, &turn);
                        if ((co_await asio::this_coro::cancellation_state).cancelled() !=
                            asio::cancellation_type::none) {
                            if (!taken && !waiting.empty())
                                waiting.front()->cancel(); // woken in vain: the next one, then
                            throw boost::system::system_error(
                                asio::error::make_error_code(asio::error::operation_aborted));
                        }
                    }
                    taken = true;
                    try {
                        co_await client.body(session);
                    } catch (...) {
                        if (!forgets)
                            give_back();
                        throw;
                    }
                    give_back();
                });
                co_await session.close();
            },
            {.time = {.unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::acquire}},
                .capacity = {.resources = 1}}};
    };
    EXPECT_HOLDS(mishap::run(pool_of_one(false), mishap::parse_plan("c0/session.use=fail(io_error)")));
    const auto forgetful =
        mishap::run(pool_of_one(true), mishap::parse_plan("c2/session.use=fail(io_error) clients(3)"));
    ASSERT_EQ(forgetful.verdict.violations.size(), 1u) << why(forgetful);
    EXPECT_EQ(forgetful.verdict.violations[0].invariant, "recovers");
    const auto swept = mishap::sweep(
        pool_of_one(false), {.kinds = {mishap::fault::fail("io_error"), mishap::fault::cancel()}});
    EXPECT_TRUE(swept.holds()) << (swept.counterexamples.empty() ? swept.invalid
                                                                 : mishap::report(swept.counterexamples[0]));
}

TEST(adapter, that_hangs_in_its_shut_down_is_named)
{
    mishap::manager hangs = one_session_each(2);
    hangs.run = [inner = hangs.run](mishap::environment& env) -> mishap::awaitable<void> {
        co_await inner(env);
        asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
        co_await never.async_wait(asio::use_awaitable);
    };
    const auto run = mishap::run(hangs, {});
    ASSERT_TRUE(run.violates("completes")) << why(run);
    EXPECT_NE(
        run.verdict.violations[0].sentence.find("the adapter never came to its end"), std::string::npos);
}

TEST(from_callback, awaits_what_takes_a_callback)
{
    const auto run = simulate([](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        asio::steady_timer timer(executor, 2s);
        const auto start = [&](std::function<void(boost::system::error_code, int)> handler) {
            timer.async_wait([handler](boost::system::error_code error) { handler(error, 42); });
        };
        const auto [error, value] = co_await mishap::from_callback<boost::system::error_code, int>(start);
        EXPECT_FALSE(error);
        EXPECT_EQ(value, 42);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.events.back().at, 2s);
}

TEST(lanes, survive_strands)
{
    const mishap::manager on_strands("on_strands",
        [](mishap::environment& env) -> mishap::awaitable<void> {
            auto strand = asio::make_strand(env.executor());
            co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                mishap::mock_resource session("session");
                co_await session.create();
                co_await asio::post(asio::bind_executor(strand, asio::use_awaitable));
                co_await client.body(session);
                co_await session.close();
            });
        },
        {.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}, .capacity = {.clients = 3}});
    const auto run = mishap::run(on_strands, {});
    EXPECT_HOLDS(run);
    for (const char* operation : {"c0/session.use#1", "c1/session.use#1", "c2/session.use#1"})
        EXPECT_NE(started(run).find(operation), std::string::npos) << started(run);
}

} // namespace
