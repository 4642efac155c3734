// SPDX-License-Identifier: MIT
// Goal: closes_in_reverse blames who closes what is outside before what is inside, and no other order that
// has a reason. Method: managers that close two resources in one order or another; sweeps for the right ones.

#include "support/under_test.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace {

using namespace selftest;
using namespace boost::asio::experimental::awaitable_operators;

/// Closes what is open; gives the first error to `error`, and reports any other one.
awaitable<void> close(environment& env, mock_resource& open, bool is_open, std::exception_ptr& error)
{
    if (!is_open)
        co_return;
    try {
        co_await open.close();
    } catch (...) {
        if (error)
            env.report(std::current_exception());
        else
            error = std::current_exception();
    }
}

/// Lends a statement inside a session, and closes both.
mishap::adapter nested(bool in_reverse)
{
    return [in_reverse](environment& env) -> awaitable<void> {
        mock_resource session("session");
        mock_resource statement("statement");
        bool session_open = false;
        bool statement_open = false;
        std::exception_ptr error;
        try {
            co_await session.create();
            session_open = true;
            co_await statement.create();
            statement_open = true;
            co_await env.body()(statement);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        if (in_reverse)
            co_await close(env, statement, statement_open, error);
        co_await close(env, session, session_open, error);
        if (!in_reverse)
            co_await close(env, statement, statement_open, error);
        if (error)
            std::rethrow_exception(error);
    };
}

TEST(closes_in_reverse, blames_who_closes_the_outer_one_first)
{
    const run_result done = run_under("", nested(false));
    EXPECT_TRUE(breaks_only(done, "closes_in_reverse"));
    EXPECT_EQ(sentence_of(done), "session#1 was closed before statement#1, which was opened after it");
    EXPECT_TRUE(breaks_only(run_under("statement.use=fail(io_error)", nested(false)), "closes_in_reverse"));
    EXPECT_TRUE(breaks_only(run_under("statement.use=cancel", nested(false)), "closes_in_reverse"));
}

TEST(closes_in_reverse, holds_for_who_closes_the_inner_one_first)
{
    EXPECT_TRUE(holds(run_under("", nested(true))));
    EXPECT_TRUE(holds_under_any_two_faults(nested(true)));
}

TEST(closes_in_reverse, permits_any_order_where_the_contract_says_so)
{
    contract promises = patient;
    promises.closing.any_order = true;
    EXPECT_TRUE(holds_under_any_two_faults(nested(false), promises));
}

// What only helps to set another thing up is closed before it.
TEST(closes_in_reverse, does_not_blame_lives_that_merely_overlap)
{
    const auto sets_up = [](environment& env) -> awaitable<void> {
        mock_resource resolver("resolver");
        mock_resource session("session");
        co_await resolver.create();
        co_await session.create();
        co_await resolver.close();
        co_await env.body()(session);
        co_await session.close();
    };
    EXPECT_TRUE(holds(run_under("", sets_up)));
}

// (D) A health check that replaces what is dead, and closes that when it gets round to it.
TEST(closes_in_reverse, does_not_blame_the_replacement_of_a_broken_one)
{
    const auto checks = [](environment& env) -> awaitable<void> {
        mock_resource first;
        co_await first.create();
        bool dead = false;
        try {
            co_await first.maintain("ping");
        } catch (const boost::system::system_error&) {
            dead = true;
        }
        mock_resource second;
        if (dead)
            co_await second.create();
        co_await env.body()(dead ? second : first);
        co_await first.close();
        if (dead)
            co_await second.close();
    };
    EXPECT_TRUE(holds(run_under("", checks)));
    EXPECT_TRUE(holds(run_under("resource.ping=fail(io_error)", checks)));
}

mishap::adapter both_at_once(bool in_reverse)
{
    return [in_reverse](environment& env) -> awaitable<void> {
        mock_resource outer("outer");
        mock_resource inner("inner");
        co_await outer.create();
        co_await inner.create();
        co_await env.body()(inner);
        if (in_reverse)
            co_await (inner.close() && outer.close());
        else
            co_await (outer.close() && inner.close());
    };
}

TEST(closes_in_reverse, judges_closes_at_once_by_their_starts)
{
    EXPECT_TRUE(holds(run_under("inner.close=delay(1s)", both_at_once(true))));
    EXPECT_TRUE(breaks_only(run_under("", both_at_once(false)), "closes_in_reverse"));
}

TEST(closes_in_reverse, does_not_judge_what_was_opened_at_once)
{
    const auto together = [](environment& env) -> awaitable<void> {
        mock_resource left("left");
        mock_resource right("right");
        co_await (left.create() && right.create());
        co_await env.body()(left);
        co_await left.close();
        co_await right.close();
    };
    EXPECT_TRUE(holds(run_under("", together)));
}

// RAII: the object's end is the close.
TEST(closes_in_reverse, judges_destructors_too)
{
    contract by_destruction = patient;
    by_destruction.closing.by = mishap::closing::destruction;
    const auto scoped = [](bool in_reverse) -> mishap::adapter {
        return [in_reverse](environment& env) -> awaitable<void> {
            auto outer = std::make_unique<mock_resource>("outer");
            co_await outer->create();
            auto inner = std::make_unique<mock_resource>("inner");
            co_await inner->create();
            co_await env.body()(inner);
            if (in_reverse)
                inner.reset();
            outer.reset();
        };
    };
    EXPECT_TRUE(holds(run_under("", scoped(true), by_destruction)));
    EXPECT_TRUE(breaks_only(run_under("", scoped(false), by_destruction), "closes_in_reverse"));
}

// Each client's lives are its own.
TEST(closes_in_reverse, does_not_compare_resources_of_different_clients)
{
    const auto several = [](environment& env) -> awaitable<void> {
        co_await env.clients([](mishap::client& client) -> awaitable<void> {
            mock_resource session("session");
            co_await session.create();
            co_await client.body(session);
            co_await session.close();
        });
    };
    contract promises = patient;
    promises.capacity.clients = 3;
    EXPECT_TRUE(holds(run_under("c1/session.use=delay(1s)", several, promises)));
    EXPECT_TRUE(holds(run_under("c0/session.use=delay(1s) arrive(c1 10ms)", several, promises)));
}

} // namespace
