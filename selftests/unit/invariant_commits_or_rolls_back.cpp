// SPDX-License-Identifier: MIT
// Goal: commits_or_rolls_back blames whoever leaves a transaction open, ends it twice or commits what failed,
// and nobody else. Method: a right manager, and others that differ from it in one point; both under sweeps.

#include "support/under_test.hpp"

#include <mishap/report.hpp>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>

namespace {

using namespace selftest;
using namespace boost::asio::experimental::awaitable_operators;

const contract transactional{.time = {.unbounded = {phase::create, phase::close, phase::other}}};

bool is_cancellation(const std::exception_ptr& error)
{
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& e) {
        return e.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

/// In what a manager differs from the right one.
struct habits
{
    bool commits_whatever_happens = false;
    bool commits_when_cancelled = false;
    bool misses_cancellation = false; ///< `except Exception` in Python
    bool rolls_back_twice = false;
    bool rolls_back_after_commit = false;
    bool commits_again = false;
    bool begins_again = false;
    bool forgets_commit = false;
    bool drops_broken = false; ///< does not roll back what is broken
    bool drops_always = false;
    bool begins_inside = false; ///< so that a failed begin is rolled back, too
};

/// Lends an open session inside a transaction.
awaitable<void> in_transaction(environment& env, mock_resource& session, habits h)
{
    if (!h.begins_inside)
        co_await session.begin();
    if (h.begins_again)
        co_await session.begin();
    std::exception_ptr error;
    try {
        if (h.begins_inside)
            co_await session.begin();
        co_await env.body()(session);
        if (!h.forgets_commit)
            co_await session.commit();
        if (h.commits_again)
            co_await session.commit();
        if (h.rolls_back_after_commit)
            co_await session.rollback();
    } catch (...) {
        error = std::current_exception();
    }
    if (!error)
        co_return;
    const bool cancelled = is_cancellation(error);
    co_await shield();
    if ((h.drops_broken && !session.usable()) || h.drops_always || (h.misses_cancellation && cancelled))
        std::rethrow_exception(error);
    try {
        if (h.commits_whatever_happens || (h.commits_when_cancelled && cancelled))
            co_await session.commit();
        else
            co_await session.rollback();
        if (h.rolls_back_twice)
            co_await session.rollback();
    } catch (...) {
        env.report(std::current_exception());
    }
    std::rethrow_exception(error);
}

mishap::adapter with(habits h)
{
    return [h](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        std::exception_ptr error;
        try {
            co_await in_transaction(env, session, h);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        try {
            co_await session.close();
        } catch (...) {
            if (!error)
                throw;
            env.report(std::current_exception());
        }
        if (error)
            std::rethrow_exception(error);
    };
}

run_result run_with(std::string_view plan, habits h, const contract& promises = transactional)
{
    return run_under(plan, with(h), promises);
}

/// The default kinds: with cancellations at every step, and commits whose reply is lost.
testing::AssertionResult survives_any_two_mishaps(habits h, const contract& promises = transactional)
{
    const mishap::manager made("under_test", with(h), promises);
    const mishap::campaign_result result = mishap::sweep(made, {});
    if (result.holds() && result.complete)
        return testing::AssertionSuccess();
    testing::AssertionResult failed = testing::AssertionFailure() << result.covered;
    for (const mishap::counterexample& c : result.counterexamples)
        failed << '\n' << mishap::report(c);
    return failed;
}

/// A sweep finds it by itself.
bool is_found(habits h)
{
    const mishap::manager made("under_test", with(h), transactional);
    const mishap::campaign_result result = mishap::sweep(made, {.perturbations = 1});
    return std::any_of(result.counterexamples.begin(), result.counterexamples.end(),
        [](const mishap::counterexample& c) { return c.invariant == "commits_or_rolls_back"; });
}

TEST(commits_or_rolls_back, holds_for_a_right_manager)
{
    EXPECT_TRUE(holds(run_with("", {})));
    EXPECT_TRUE(holds(run_with("session.use=fail(io_error)", {})));
    EXPECT_TRUE(holds(run_with("session.use=cancel", {})));
    EXPECT_TRUE(holds(run_with("session.commit=fail(io_error)", {})));
    EXPECT_TRUE(holds(run_with("session.commit=fail_after_effect(io_error)", {})));
    EXPECT_TRUE(holds(run_with("session.begin=fail(io_error)", {})));
    EXPECT_TRUE(survives_any_two_mishaps({}));
}

TEST(commits_or_rolls_back, blames_a_commit_after_the_body_failed)
{
    const run_result done = run_with("session.use=fail(io_error)", {.commits_whatever_happens = true});
    EXPECT_TRUE(breaks_only(done, "commits_or_rolls_back"));
    EXPECT_EQ(sentence_of(done), "session.commit#1 was started although the body had failed with io_error "
                                 "(raised by session.use#1)");
    EXPECT_TRUE(is_found({.commits_whatever_happens = true}));
}

TEST(commits_or_rolls_back, blames_a_commit_on_cancellation)
{
    EXPECT_TRUE(holds(run_with("session.use=fail(io_error)", {.commits_when_cancelled = true})));
    EXPECT_TRUE(breaks_only(
        run_with("session.use=cancel", {.commits_when_cancelled = true}), "commits_or_rolls_back"));
    EXPECT_TRUE(is_found({.commits_when_cancelled = true}));
}

TEST(commits_or_rolls_back, blames_a_cancellation_that_is_missed)
{
    EXPECT_TRUE(holds(run_with("session.use=fail(io_error)", {.misses_cancellation = true})));
    const run_result done = run_with("session.use=cancel", {.misses_cancellation = true});
    EXPECT_TRUE(breaks_only(done, "commits_or_rolls_back"));
    EXPECT_EQ(sentence_of(done), "session.close#1 was started with the transaction of session.begin#1 "
                                 "neither committed nor rolled back");
    EXPECT_TRUE(is_found({.misses_cancellation = true}));
}

TEST(commits_or_rolls_back, blames_a_commit_while_the_body_runs)
{
    const auto impatient = [](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        co_await session.begin();
        co_await (env.body()(session) && session.commit());
        co_await session.close();
    };
    contract pipelined = transactional;
    pipelined.work.pipelined = true;
    const run_result done = run_under("session.use=delay(1s)", impatient, pipelined);
    EXPECT_TRUE(breaks_only(done, "commits_or_rolls_back"));
    EXPECT_EQ(sentence_of(done), "session.commit#1 was started before the body returned");
}

TEST(commits_or_rolls_back, blames_a_begin_or_commit_too_many_or_too_few)
{
    EXPECT_TRUE(breaks_only(run_with("", {.forgets_commit = true}), "commits_or_rolls_back"));
    EXPECT_TRUE(breaks_only(run_with("", {.commits_again = true}), "commits_or_rolls_back"));
    EXPECT_TRUE(breaks_only(run_with("", {.begins_again = true}), "commits_or_rolls_back"));
    EXPECT_EQ(sentence_of(run_with("", {.begins_again = true})),
        "session.begin#2 was started inside the transaction of session.begin#1");
}

TEST(commits_or_rolls_back, blames_a_second_end)
{
    EXPECT_EQ(sentence_of(run_with("session.use=fail(io_error)", {.rolls_back_twice = true})),
        "session.rollback#2 was started after session.rollback#1 had succeeded");
    const run_result done = run_with("", {.rolls_back_after_commit = true});
    EXPECT_TRUE(breaks_only(done, "commits_or_rolls_back"));
    EXPECT_EQ(sentence_of(done), "session.rollback#1 was started after session.commit#1 had succeeded");
    EXPECT_TRUE(is_found({.rolls_back_twice = true}));
}

// (H) A session with a broken connection is dropped without a rollback.
TEST(commits_or_rolls_back, does_not_blame_who_drops_a_broken_session)
{
    EXPECT_TRUE(holds(run_with("session.use=fail(connection_reset)", {.drops_broken = true})));
    EXPECT_TRUE(survives_any_two_mishaps({.drops_broken = true}));
    EXPECT_TRUE(
        breaks_only(run_with("session.use=fail(io_error)", {.drops_always = true}), "commits_or_rolls_back"));
}

TEST(commits_or_rolls_back, permits_leaving_it_to_the_close_where_the_contract_says_so)
{
    contract closing_ends_it = transactional;
    closing_ends_it.closing.rolls_back = true;
    EXPECT_TRUE(survives_any_two_mishaps({.drops_always = true}, closing_ends_it));
}

TEST(commits_or_rolls_back, permits_a_rollback_after_a_failed_begin)
{
    EXPECT_TRUE(holds(run_with("session.begin=fail(io_error)", {.begins_inside = true})));
    EXPECT_TRUE(survives_any_two_mishaps({.begins_inside = true}));
}

/// A transaction on somebody else's session, which lives on and is lent to the next client.
mishap::adapter one_session_for_all(bool rolls_back)
{
    return [rolls_back](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            std::exception_ptr error;
            try {
                co_await session.begin();
                co_await client.body(session);
                co_await session.commit();
            } catch (...) {
                error = std::current_exception();
            }
            if (error && rolls_back) {
                co_await shield();
                co_await session.rollback();
            }
            if (error)
                std::rethrow_exception(error);
        });
        co_await session.close();
    };
}

TEST(commits_or_rolls_back, blames_who_leaves_a_transaction_to_the_next_client)
{
    contract several = transactional;
    several.capacity.clients = 2;
    const std::string_view plan = "c0/session.use=fail(io_error) clients(2) sequential";
    EXPECT_TRUE(holds(run_under(plan, one_session_for_all(true), several)));
    const run_result done = run_under(plan, one_session_for_all(false), several);
    EXPECT_TRUE(breaks_only(done, "commits_or_rolls_back"));
    EXPECT_EQ(
        sentence_of(done), "c1/session.begin#1 was started inside the transaction of c0/session.begin#1");
}

// What the body does with transactions of its own is judged by itself.
TEST(commits_or_rolls_back, does_not_blame_a_body_with_a_transaction_of_its_own)
{
    const auto own = [](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        const auto work = [](mock_resource& lent) -> awaitable<void> {
            co_await lent.begin();
            co_await lent.use("query");
            co_await lent.commit();
            co_await lent.begin();
            co_await lent.rollback();
        };
        co_await env.body(work)(session);
        co_await session.close();
    };
    EXPECT_TRUE(holds(run_under("", own, transactional)));
}

TEST(commits_or_rolls_back, knows_the_same_operations_by_completion_token)
{
    const auto by_token = [](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        const auto call = [&](mishap::role what, mishap::symbol name) {
            return session.async<void(boost::system::error_code)>(what, name, asio::use_awaitable);
        };
        co_await call(mishap::role::begin, "begin");
        co_await env.body()(session);
        session.now(mishap::role::commit, "commit");
        co_await call(mishap::role::commit, "commit");
        co_await session.close();
    };
    EXPECT_TRUE(breaks_only(run_under("", by_token, transactional), "commits_or_rolls_back"));
}

} // namespace
