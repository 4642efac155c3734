// SPDX-License-Identifier: MIT
// Goal: the matchers pass and fail when they should, and a failure says what a user needs.
// Method: results of a manager that never closes and of one that does, under GoogleTest's own failure
// catcher.

#include <mishap/gtest.hpp>
#include <mishap/mishap.hpp>

#include <gtest/gtest-spi.h>

namespace {

mishap::awaitable<void> never_closes(mishap::environment& env)
{
    mishap::mock_resource resource;
    co_await resource.create();
    co_await env.body()(resource);
}

mishap::awaitable<void> creates_nothing(mishap::environment&) { co_return; }

mishap::run_result leaking_run() { return mishap::run(mishap::manager("leaky", &never_closes), {}); }

TEST(holds, fails_with_the_report_of_what_broke)
{
    EXPECT_NONFATAL_FAILURE(EXPECT_THAT(leaking_run(), mishap::Holds()), "leaky breaks closes_everything");
    EXPECT_NONFATAL_FAILURE(EXPECT_THAT(leaking_run(), mishap::Holds()), "MISHAP_REPLAY='1 leaky ~");
    EXPECT_NONFATAL_FAILURE(
        EXPECT_THAT(mishap::sweep(mishap::manager("leaky", &never_closes)), mishap::Holds()),
        "resource#1 was created but never closed");
}

TEST(holds, fails_for_a_campaign_in_which_nothing_fired)
{
    EXPECT_NONFATAL_FAILURE(
        EXPECT_THAT(mishap::sweep(mishap::manager("idle", &creates_nothing)), mishap::Holds()),
        "no fault ever fired");
}

TEST(holds, passes_where_nothing_broke)
{
    EXPECT_THAT(mishap::run(mishap::manager("idle", &creates_nothing), {}), mishap::Holds());
}

TEST(violates, passes_for_the_rule_that_broke_and_for_no_other)
{
    EXPECT_THAT(leaking_run(), mishap::Violates("closes_everything"));
    EXPECT_THAT(leaking_run(), testing::Not(mishap::Violates("closes_once")));
    EXPECT_NONFATAL_FAILURE(
        EXPECT_THAT(leaking_run(), mishap::Violates("closes_once")), "breaks closes_once");
    EXPECT_THAT(
        mishap::sweep(mishap::manager("leaky", &never_closes)), mishap::Violates("closes_everything"));
}

// Nothing is taken for granted about what a user puts together, or about a run in which nobody came.
TEST(results_made_by_hand, are_read_without_harm)
{
    const mishap::run_result nothing;
    EXPECT_NONFATAL_FAILURE(EXPECT_THAT(nothing, mishap::Returns()), "there was no client 0, only 0");
    EXPECT_NONFATAL_FAILURE(
        EXPECT_THAT(nothing, mishap::Throws("io_error", 7)), "there was no client 7, only 0");
    EXPECT_NONFATAL_FAILURE(EXPECT_THAT(nothing, mishap::Returns(-1)), "there was no client -1, only 0");
    EXPECT_THAT(nothing, testing::Not(mishap::ClosedOnce("session")));
    EXPECT_THAT(nothing, testing::Not(mishap::Before("session.create", "session.close")));
    EXPECT_EQ(mishap::timeline(nothing), "");

    const mishap::violation elsewhere{.invariant = "completes",
        .sentence = "made by hand",
        .lane = 9,
        .resource = 7,
        .proof = {{99, "no event of this run"}}};
    EXPECT_NE(mishap::report(nothing, elsewhere).find("made by hand"), std::string::npos);

    mishap::counterexample made;
    made.invariant = "completes";
    made.which = 3;
    made.minimal.manager = "nobody";
    EXPECT_NE(mishap::report(made).find("nobody breaks completes"), std::string::npos);
    EXPECT_NE(mishap::to_scenario(made).find("manager: nobody"), std::string::npos);
    EXPECT_NE(mishap::report(mishap::campaign_result{}).find("0 runs"), std::string::npos);
}

} // namespace
