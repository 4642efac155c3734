// SPDX-License-Identifier: MIT
// Goal: checks of the test itself that fail inside a run become a verdict on that run, and never get lost.
// Method: adapters whose expectations fail under some faults, by GoogleTest, by GoogleMock and by
// MISHAP_REQUIRE, swept and run once; GoogleTest's own failure catcher around them sees what leaks out.

#include "simulate.hpp"

#include "main/expectations.hpp"

#include <mishap/explore.hpp>
#include <mishap/gmock.hpp>
#include <mishap/gtest.hpp>
#include <mishap/plan.hpp>
#include <mishap/require.hpp>

#include <gtest/gtest-spi.h>

#include <string>

namespace {

using mishap::Closes;
using mishap::Creates;
using mishap::Scripted;
using testing::HasSubstr;
using testing::NiceMock;
using testing::Not;

struct mock_answers
{
    MOCK_METHOD(mishap::awaitable<void>, open, ());
    MOCK_METHOD(mishap::awaitable<int>, query, ());
    MOCK_METHOD(mishap::awaitable<void>, close, ());
};

/// Right by every rule, but an expectation of its own fails when the query does.
mishap::awaitable<void> expects_answers(mishap::environment&)
{
    mishap::resource session("session");
    co_await session.create();
    std::exception_ptr error;
    int answer = 0;
    try {
        answer = co_await session.use("query", 42);
    } catch (...) {
        error = std::current_exception();
    }
    EXPECT_EQ(answer, 42) << "of everything";
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await session.close();
    } catch (...) {
        if (!error)
            throw;
        mishap::environment::current().report(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

/// Everything that a piece of a test reports to GoogleTest.
template <class Piece>
std::string failures_of(Piece piece)
{
    testing::TestPartResultArray parts;
    {
        testing::ScopedFakeTestPartResultReporter catcher(
            testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &parts);
        piece();
    }
    std::string text;
    for (int i = 0; i < parts.size(); ++i)
        text += std::string(parts.GetTestPartResult(i).message()) + '\n';
    return text;
}

TEST(expectations, that_fail_in_a_sweep_are_one_shrunk_violation_and_no_raw_failure)
{
    mishap::campaign_result result;
    const std::string raw = failures_of([&] {
        result = mishap::sweep(mishap::manager("answers", &expects_answers, patient),
            {.kinds = {mishap::fault::fail("io_error"), mishap::fault::delay(1s)}});
    });
    EXPECT_EQ(raw, "");
    ASSERT_EQ(result.counterexamples.size(), 1u);
    const auto& found = result.counterexamples[0];
    EXPECT_EQ(found.invariant, "expectation");
    EXPECT_EQ(to_string(found.minimal.fired), "session.query=fail(io_error)");
    EXPECT_GT(result.violating_runs, 1u);
    const std::string text = mishap::report(found);
    EXPECT_THAT(text, HasSubstr("answers breaks expectation\n"));
    EXPECT_THAT(text, HasSubstr("expectations_test.cpp:"));
    EXPECT_THAT(text, HasSubstr("of everything"));
    EXPECT_THAT(text, testing::ContainsRegex("expectation +fails at .*expectations_test.cpp"));
    // Afterwards GoogleTest has its own reporter back.
    EXPECT_NONFATAL_FAILURE(ADD_FAILURE() << "heard", "heard");
}

TEST(expectations, that_fail_are_judged_with_the_rest_of_the_run)
{
    const auto run = mishap::run(mishap::manager([](mishap::environment&) -> mishap::awaitable<void> {
        mishap::mock_resource left_open;
        co_await left_open.create();
        EXPECT_TRUE(false);
        EXPECT_TRUE(false);
    }),
        {});
    EXPECT_TRUE(run.violates("expectation"));
    EXPECT_TRUE(run.violates("closes_everything"));
    EXPECT_EQ(run.verdict.violations.size(), 2u);
    EXPECT_THAT(run.verdict.violations[0].sentence, HasSubstr("2 expectations failed"));
}

TEST(expectations, of_a_client_that_hangs_are_consequence)
{
    const auto run = mishap::run(mishap::manager([](mishap::environment&) -> mishap::awaitable<void> {
        mishap::mock_resource session;
        NiceMock<mock_answers> driver;
        EXPECT_CALL(driver, query).Times(1);
        co_await session.create(); // hangs, and what was expected after it does not come
        co_await driver.query();
        session.force_close();
    }),
        mishap::parse_plan("resource.create=hang"));
    EXPECT_TRUE(run.violates("completes"));
    EXPECT_EQ(run.verdict.violations.size(), 1u) << why(run);
}

// Mocks made inside the adapter are verified when its frame is destroyed, which is before the judgement.
TEST(mocks, whose_expectation_is_not_met_break_the_run)
{
    const auto run = mishap::run(mishap::manager([](mishap::environment&) -> mishap::awaitable<void> {
        NiceMock<mock_answers> driver;
        EXPECT_CALL(driver, close).Times(1);
        co_return;
    }),
        {});
    ASSERT_TRUE(run.violates("expectation"));
    EXPECT_THAT(run.verdict.violations[0].sentence, HasSubstr("Expected: to be called once"));
}

TEST(mocks, that_are_called_out_of_sequence_break_the_run)
{
    const auto opens_late = [](bool late) {
        return mishap::manager("late", [late](mishap::environment&) -> mishap::awaitable<void> {
            mishap::resource session("session");
            testing::StrictMock<mock_answers> driver;
            {
                const testing::InSequence in_order;
                EXPECT_CALL(driver, open).WillOnce(Creates(session));
                EXPECT_CALL(driver, close).WillOnce(Closes(session));
            }
            if (late)
                co_await driver.close();
            co_await driver.open();
            if (!late)
                co_await driver.close();
        });
    };
    const std::string raw = failures_of([&] {
        const auto right = mishap::run(opens_late(false), {});
        const auto wrong = mishap::run(opens_late(true), {});
        EXPECT_HOLDS(right);
        ASSERT_TRUE(wrong.violates("expectation"));
        EXPECT_THAT(wrong.verdict.violations[0].sentence, HasSubstr("close"));
    });
    EXPECT_EQ(raw, "");
}

// A user who asks a single run for something else must still hear of it.
TEST(expectations, that_fail_in_a_run_that_nobody_looks_at_are_told_at_the_end_of_the_test)
{
    // The test that is judged here is this very one, so its listener is called by hand.
    const auto listeners_told = [](bool look) {
        return failures_of([look] {
            const auto run = mishap::run(mishap::manager([](mishap::environment&) -> mishap::awaitable<void> {
                EXPECT_TRUE(false) << "lost?";
                co_return;
            }),
                {});
            if (look) {
                EXPECT_TRUE(run.violates("expectation"));
            }
            mishap::detail::tell_unseen_expectations();
        });
    };
    EXPECT_THAT(listeners_told(false), HasSubstr("nobody looked at the run's verdict"));
    EXPECT_THAT(listeners_told(false), HasSubstr("lost?"));
    EXPECT_EQ(listeners_told(true), "");
}

// MISHAP_REQUIRE

mishap::awaitable<void> requires_an_answer(mishap::environment&, bool holds)
{
    mishap::mock_resource session;
    co_await session.create();
    const int answer = co_await session.use("query", holds ? 42 : 41);
    MISHAP_REQUIRE(answer == 42);
    co_await session.close();
}

TEST(require, leaves_the_coroutine_and_is_all_that_is_reported)
{
    int reached = 0;
    const auto run_with = [&](bool holds) {
        return mishap::run(mishap::manager([&, holds](mishap::environment& env) -> mishap::awaitable<void> {
            co_await requires_an_answer(env, holds);
            ++reached;
        }),
            {});
    };
    EXPECT_HOLDS(run_with(true));
    EXPECT_EQ(reached, 1);
    const auto run = run_with(false);
    EXPECT_EQ(reached, 1);
    ASSERT_TRUE(run.violates("expectation"));
    EXPECT_EQ(run.verdict.violations.size(), 1u) << why(run);
    EXPECT_THAT(run.verdict.violations[0].sentence, HasSubstr("MISHAP_REQUIRE(answer == 42) does not hold"));
    EXPECT_THAT(run.verdict.violations[0].sentence, HasSubstr("expectations_test.cpp:"));
}

TEST(require, inside_the_body_is_no_error_that_a_manager_could_lose)
{
    // This manager swallows the body's errors, which is a fault of its own; but not one of this run.
    const auto run = mishap::run(mishap::manager([](mishap::environment& env) -> mishap::awaitable<void> {
        mishap::mock_resource session;
        co_await session.create();
        auto work = env.body([](mishap::resource&) -> mishap::awaitable<void> {
            MISHAP_REQUIRE(false);
            co_return;
        });
        try {
            co_await work(session);
        } catch (...) {
        }
        co_await session.close();
    }),
        {});
    EXPECT_TRUE(run.violates("expectation"));
    EXPECT_EQ(run.verdict.violations.size(), 1u) << why(run);
}

TEST(require, in_a_callback_is_no_escape_of_the_manager)
{
    const auto run = mishap::run(mishap::manager([](mishap::environment& env) -> mishap::awaitable<void> {
        asio::post(env.executor(), [] { MISHAP_REQUIRE(false); });
        co_await asio::post(asio::use_awaitable);
    }),
        {});
    EXPECT_TRUE(run.violates("expectation"));
    EXPECT_EQ(run.verdict.violations.size(), 1u) << why(run);
}

TEST(require, is_not_caught_by_code_that_handles_exceptions)
{
    bool handled = false;
    const auto run = mishap::run(mishap::manager([&](mishap::environment&) -> mishap::awaitable<void> {
        try {
            MISHAP_REQUIRE(false);
        } catch (const std::exception&) {
            handled = true;
        }
        co_return;
    }),
        {});
    EXPECT_FALSE(handled);
    EXPECT_TRUE(run.violates("expectation"));
}

TEST(require, outside_a_run_is_refused)
{
    EXPECT_THROW(MISHAP_REQUIRE(1 + 1 == 3), std::logic_error);
    EXPECT_NO_THROW(MISHAP_REQUIRE(1 + 1 == 2));
}

// Matchers

mishap::run_result run_session(std::string_view plan, bool closes_twice = false)
{
    return mishap::run(mishap::manager("session",
                           [closes_twice](mishap::environment&) -> mishap::awaitable<void> {
                               mishap::resource session("session");
                               co_await session.create();
                               co_await session.use("query");
                               co_await session.close();
                               if (closes_twice)
                                   co_await session.close();
                           }),
        mishap::parse_plan(plan));
}

template <class Matcher>
std::string explanation(const Matcher& wanted, const mishap::run_result& run)
{
    testing::StringMatchResultListener listener;
    testing::ExplainMatchResult(wanted, run, &listener);
    return listener.str();
}

TEST(closed_once, counts_the_closes_of_what_was_opened)
{
    const auto once = mishap::ClosedOnce("session");
    EXPECT_THAT(run_session(""), once);
    EXPECT_THAT(run_session("", true), Not(once));
    EXPECT_THAT(
        explanation(once, run_session("", true)), HasSubstr("in which session#1 was closed 2 times\n"));
    EXPECT_THAT(explanation(once, run_session("", true)), HasSubstr("session.close#1.2"));
    EXPECT_THAT(explanation(once, run_session("session.query=fail(io_error)")),
        HasSubstr("in which session#1 was never closed\n"));
    // Nothing opened is nothing closed, and a slip in the name does not pass.
    EXPECT_THAT(
        explanation(once, run_session("session.create=fail(io_error)")), HasSubstr("no session was opened"));
    EXPECT_THAT(explanation(mishap::ClosedOnce("sesion"), run_session("")),
        HasSubstr("no sesion was opened, only: session"));
    EXPECT_NONFATAL_FAILURE(EXPECT_THAT(run_session("", true), mishap::ClosedOnce("session")),
        "closes each session that was opened exactly once");
}

TEST(before, tells_the_order_of_operations)
{
    EXPECT_THAT(run_session(""), mishap::Before("session.query", "session.close"));
    EXPECT_THAT(run_session(""), Not(mishap::Before("session.close", "session.query")));
    EXPECT_THAT(explanation(mishap::Before("session.close", "session.query"), run_session("")),
        HasSubstr("in which session.query#1 was started first\n"));
    EXPECT_THAT(explanation(mishap::Before("session.qery", "session.close"), run_session("")),
        HasSubstr("there was no session.qery#1; did you mean session.query#1?"));
    EXPECT_THAT(explanation(mishap::Before("session.query", "session.close#2"), run_session("")),
        HasSubstr("there was no session.close#2"));
    EXPECT_ANY_THROW(mishap::Before("session..query", "session.close"));
}

TEST(throws, and_returns_tell_how_a_client_ended)
{
    const auto failed = run_session("session.query=fail(io_error)");
    EXPECT_THAT(failed, mishap::Throws("io_error"));
    EXPECT_THAT(failed, Not(mishap::Throws("timed_out")));
    EXPECT_THAT(failed, Not(mishap::Returns()));
    EXPECT_THAT(run_session(""), mishap::Returns());
    EXPECT_THAT(explanation(mishap::Returns(), failed), HasSubstr("in which the client throws io_error\n"));
    EXPECT_THAT(explanation(mishap::Returns(), failed), HasSubstr("fails io_error"));
    EXPECT_THAT(explanation(mishap::Throws("io_error"), run_session("")), HasSubstr("the client returns"));
    EXPECT_THAT(explanation(mishap::Throws("io_error"), run_session("session.query=cancel")),
        HasSubstr("the client was cancelled"));
    EXPECT_THAT(explanation(mishap::Throws("io_error"), run_session("session.query=hang")),
        HasSubstr("the client hangs"));
    EXPECT_THAT(
        explanation(mishap::Throws("io_error", 3), failed), HasSubstr("there was no client 3, only 1"));
    EXPECT_ANY_THROW(mishap::Throws("io_eror"));
}

} // namespace
