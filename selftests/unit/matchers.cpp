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

} // namespace
