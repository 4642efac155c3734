// SPDX-License-Identifier: MIT
// Goal: body_runs_once blames a body that is run again, or without a resource, and no other.
// Method: managers that run it too often, or after a failed create, and twins that have a reason to.

#include "support/under_test.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace {

using namespace selftest;
using namespace boost::asio::experimental::awaitable_operators;

/// Runs `lend` with an open resource, and closes it.
template <class Lend>
mishap::adapter lending(Lend lend)
{
    return [lend](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        std::exception_ptr error;
        try {
            co_await lend(env, resource);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        try {
            co_await resource.close();
        } catch (...) {
            if (!error)
                throw;
            env.report(std::current_exception());
        }
        if (error)
            std::rethrow_exception(error);
    };
}

awaitable<void> twice(environment& env, mock_resource& resource)
{
    co_await env.body()(resource);
    co_await env.body()(resource);
}

awaitable<void> again_if_it_fails(environment& env, mock_resource& resource)
{
    bool failed = false;
    try {
        co_await env.body()(resource);
    } catch (const boost::system::system_error& e) {
        if (e.code() == asio::error::operation_aborted)
            throw;
        failed = true;
    }
    if (failed)
        co_await env.body()(resource);
}

contract permitting(std::uint32_t attempts)
{
    contract promises = patient;
    promises.attempts.body = attempts;
    return promises;
}

TEST(body_runs_once, blames_a_second_run)
{
    const run_result done = run_under("", lending(twice));
    EXPECT_TRUE(breaks_only(done, "body_runs_once"));
    EXPECT_EQ(sentence_of(done), "the caller had its body run again");
}

TEST(body_runs_once, blames_a_second_try)
{
    EXPECT_TRUE(holds(run_under("", lending(again_if_it_fails))));
    EXPECT_TRUE(
        breaks_first(run_under("resource.use=fail(io_error)", lending(again_if_it_fails)), "body_runs_once"));
}

TEST(body_runs_once, permits_what_the_contract_grants)
{
    EXPECT_TRUE(holds(run_under("resource.use=fail(io_error)", lending(again_if_it_fails), permitting(2))));
    EXPECT_TRUE(holds_under_any_two_faults(lending(again_if_it_fails), permitting(2)));
}

TEST(body_runs_once, blames_one_run_more_than_granted)
{
    const auto until_it_works = [](environment& env, mock_resource& resource) -> awaitable<void> {
        for (int left = 3; left > 0; --left)
            try {
                co_await env.body()(resource);
                co_return;
            } catch (...) {
                if (left == 1)
                    throw;
            }
    };
    const run_result done =
        run_under("resource.use#*=fail(io_error)", lending(until_it_works), permitting(2));
    EXPECT_TRUE(breaks_only(done, "body_runs_once"));
    EXPECT_EQ(sentence_of(done), "the caller had its body run 3 times, but the contract permits 2");
    // A sweep gives both attempts the same error, or nobody would try a third time.
    EXPECT_TRUE(holds_under_any_two_faults(lending(until_it_works), permitting(3)));
    EXPECT_FALSE(holds_under_any_two_faults(lending(until_it_works), permitting(2)));
}

TEST(body_runs_once, blames_another_attempt_after_one_that_returned)
{
    const run_result done = run_under("", lending(twice), permitting(2));
    EXPECT_TRUE(breaks_only(done, "body_runs_once"));
    EXPECT_EQ(sentence_of(done), "the caller had its body run again, although it had returned");
}

// What the last attempt throws is not excused by the permission to try again.
TEST(body_runs_once, leaves_the_last_attempts_error_to_the_error_rules)
{
    const auto swallows = [](environment& env, mock_resource& resource) -> awaitable<void> {
        try {
            co_await again_if_it_fails(env, resource);
        } catch (const boost::system::system_error&) {
        }
    };
    EXPECT_TRUE(breaks_only(run_under("resource.use=fail(io_error) resource.use#2=fail(io_error)",
                                lending(swallows), permitting(2)),
        "swallows_no_error"));
}

/// Runs the body on one session, and, if it fails, a second later on another one.
mishap::adapter reconnecting(bool swallows)
{
    return [swallows](environment& env) -> awaitable<void> {
        std::exception_ptr error;
        for (int left = 2; left > 0; --left) {
            error = nullptr;
            mock_resource session("session");
            try {
                if (left == 1) {
                    asio::steady_timer pause(co_await asio::this_coro::executor, 1s);
                    co_await pause.async_wait(asio::use_awaitable);
                }
                co_await session.create();
                co_await env.body()(session);
            } catch (...) {
                error = std::current_exception();
            }
            if (!session.usable())
                break;
            session.force_close();
            if (!error)
                break;
        }
        if (error && !swallows)
            std::rethrow_exception(error);
    };
}

TEST(body_runs_once, an_error_between_two_attempts_may_be_passed_on)
{
    for (const char* plan : {"session.use=fail(io_error) session.create#2=fail(foreign)",
             "session.use=fail(io_error) cancel(c0 after session.use#1)"}) {
        const run_result done = run_under(plan, reconnecting(false), permitting(2));
        EXPECT_TRUE(holds(done)) << plan;
        EXPECT_EQ(done.trace.bodies.size(), 1u) << plan;
        EXPECT_TRUE(breaks_only(run_under(plan, reconnecting(true), permitting(2)), "swallows_no_error"))
            << plan;
    }
    EXPECT_TRUE(holds_under_any_two_faults(reconnecting(false), permitting(2)));
}

/// Runs the body and commits, and rolls back and does so again if that fails.
awaitable<void> commits_somehow(environment& env, mock_resource& session)
{
    for (int left = 2;; --left) {
        co_await session.begin();
        std::exception_ptr error;
        try {
            co_await env.body()(session);
            co_await session.commit();
            co_return;
        } catch (...) {
            error = std::current_exception();
        }
        const bool cancelled =
            (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
        if (cancelled)
            co_await shield();
        bool rolled_back = true;
        try {
            co_await session.rollback();
        } catch (...) {
            env.report(std::current_exception());
            rolled_back = false;
        }
        if (left == 1 || cancelled || !rolled_back)
            std::rethrow_exception(error);
    }
}

TEST(body_runs_once, permits_running_the_body_again_after_its_commit_failed)
{
    contract twice_at_most = permitting(2);
    twice_at_most.time.unbounded.push_back(phase::other);
    const char* plan = "resource.commit=fail(io_error)";
    const run_result done = run_under(plan, lending(commits_somehow), twice_at_most);
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(done.trace.bodies.size(), 2u);
    EXPECT_EQ(done.trace.outcomes[0].ending, mishap::ending::returned);
    EXPECT_TRUE(breaks_first(run_under(plan, lending(commits_somehow)), "body_runs_once"));
    const auto swallows = [](environment& env, mock_resource& session) -> awaitable<void> {
        try {
            co_await commits_somehow(env, session);
        } catch (const boost::system::system_error&) {
        }
    };
    EXPECT_TRUE(breaks_only(run_under("resource.commit#*=fail(io_error)", lending(swallows), twice_at_most),
        "swallows_no_error"));
}

TEST(body_runs_once, blames_runs_side_by_side)
{
    const auto hedges = [](environment& env, mock_resource& resource) -> awaitable<void> {
        co_await (env.body()(resource) && env.body()(resource));
    };
    contract promises = patient;
    promises.work.pipelined = true;
    EXPECT_TRUE(run_under("resource.use#2=delay(1s)", lending(hedges), promises).violates("body_runs_once"));
}

TEST(body_runs_once, does_not_blame_a_body_that_lends_on)
{
    const auto transaction_inside = [](environment& env, mock_resource& session) -> awaitable<void> {
        const auto outer = [&env](mock_resource&) -> awaitable<void> {
            mock_resource transaction("transaction");
            co_await transaction.create();
            co_await env.body()(transaction);
            co_await transaction.close();
        };
        co_await env.body(outer)(session);
    };
    EXPECT_TRUE(holds(run_under("", lending(transaction_inside))));
}

TEST(body_runs_once, blames_a_body_after_a_failed_create)
{
    const auto careless = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        std::exception_ptr error;
        try {
            co_await resource.create();
        } catch (...) {
            error = std::current_exception();
        }
        co_await env.body()(resource);
        if (error)
            std::rethrow_exception(error);
        co_await resource.close();
    };
    const run_result done = run_under("resource.create=fail(io_error)", careless);
    EXPECT_TRUE(breaks_first(done, "body_runs_once"));
    EXPECT_EQ(sentence_of(done), "the body was run although resource.create#1 had failed");
    EXPECT_TRUE(holds(run_under("", careless)));
}

TEST(body_runs_once, blames_a_body_that_is_lent_nothing_after_a_failed_create)
{
    const auto careless = [](environment& env) -> awaitable<void> {
        mock_resource lock("lock");
        std::exception_ptr error;
        try {
            co_await lock.create();
        } catch (...) {
            error = std::current_exception();
        }
        co_await env.body()();
        if (error)
            std::rethrow_exception(error);
        co_await lock.close();
    };
    EXPECT_TRUE(breaks_only(run_under("lock.create=fail(io_error)", careless), "body_runs_once"));
    EXPECT_TRUE(holds(run_under("", careless)));
}

/// Creates until it succeeds, at most three times.
awaitable<void> create_somehow(mock_resource& resource)
{
    for (int attempt = 1;; ++attempt) {
        try {
            co_await resource.create();
            co_return;
        } catch (const boost::system::system_error& e) {
            if (attempt == 3 || e.code() == asio::error::operation_aborted)
                throw;
        }
    }
}

TEST(body_runs_once, does_not_blame_a_create_that_succeeds_at_last)
{
    const auto retries = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await create_somehow(resource);
        co_await env.body()(resource);
        co_await resource.close();
    };
    EXPECT_FALSE(run_under("resource.create=fail(io_error)", retries).violates("body_runs_once"));
    EXPECT_FALSE(run_under("resource.create=fail(io_error) resource.create#2=fail(io_error)", retries)
                     .violates("body_runs_once"));
}

// Nobody can tell what a body works on that is lent nothing by name.
TEST(body_runs_once, does_not_blame_a_body_that_falls_back_on_another_resource)
{
    const auto falls_back = [](environment& env) -> awaitable<void> {
        mock_resource fallback("fallback");
        mock_resource primary("primary");
        co_await fallback.create();
        bool open = false;
        try {
            co_await primary.create();
            open = true;
        } catch (const boost::system::system_error&) {
        }
        co_await env.body()();
        if (open)
            co_await primary.close();
        co_await fallback.close();
    };
    EXPECT_FALSE(run_under("primary.create=fail(io_error)", falls_back).violates("body_runs_once"));
}

TEST(body_runs_once, counts_each_client_by_itself)
{
    const auto several = [](bool again) -> mishap::adapter {
        return [again](environment& env) -> awaitable<void> {
            co_await env.clients([again](mishap::client& client) -> awaitable<void> {
                mock_resource resource;
                co_await resource.create();
                co_await client.body(resource);
                if (again && client.index() == 1)
                    co_await client.body(resource);
                co_await resource.close();
            });
        };
    };
    contract promises = patient;
    promises.capacity.clients = 3;
    EXPECT_TRUE(holds(run_under("", several(false), promises)));
    const run_result done = run_under("", several(true), promises);
    EXPECT_TRUE(breaks_only(done, "body_runs_once"));
    EXPECT_EQ(sentence_of(done), "client 1 had its body run again");
}

} // namespace
