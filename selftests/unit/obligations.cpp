// SPDX-License-Identifier: MIT
// Goal: what a campaign is required to reach, and never does, fails it, by name; places of the code under
// test are counted by runs. Method: a session with places that are reached always, after an error, and never.

#include "support/under_test.hpp"

#include <mishap/gtest.hpp>
#include <mishap/input_error.hpp>
#include <mishap/reached.hpp>
#include <mishap/report.hpp>

#include <algorithm>
#include <optional>
#include <string>

namespace {

using namespace selftest;

awaitable<void> with_session(environment& env)
{
    mock_resource session;
    co_await session.create();
    std::exception_ptr error;
    try {
        co_await env.body()(session);
    } catch (...) {
        MISHAP_REACHED("the body failed");
        error = std::current_exception();
    }
    co_await shield();
    MISHAP_REACHED("closing");
    MISHAP_REACHED("closing");
    try {
        co_await session.close();
    } catch (...) {
        if (!error)
            throw;
        env.report(std::current_exception());
    }
    if (error && std::current_exception())
        MISHAP_REACHED("a place that nobody comes to");
    if (error)
        std::rethrow_exception(error);
}

const mishap::manager session("session", &with_session, patient);

mishap::campaign_result swept(std::vector<std::string> required, unsigned perturbations = 1)
{
    return mishap::sweep(session, {.perturbations = perturbations, .require = std::move(required)});
}

std::optional<std::uint64_t> runs_of(const std::vector<mishap::times_reached>& all, std::string_view what)
{
    for (const mishap::times_reached& one : all)
        if (one.what == what)
            return one.runs;
    return std::nullopt;
}

TEST(obligations, count_the_runs_that_reached_a_place)
{
    const auto result = swept({});
    EXPECT_THAT(result, mishap::Holds());
    const auto closing = runs_of(result.reached, "closing");
    const auto failed = runs_of(result.reached, "the body failed");
    ASSERT_TRUE(closing && failed);
    EXPECT_GT(*closing, *failed);
    EXPECT_LT(*closing, result.runs); // not where the create fails
    EXPECT_GT(*failed, 0u);
    EXPECT_FALSE(runs_of(result.reached, "a place that nobody comes to"));
    EXPECT_NE(mishap::summary(result).find("closing in "), std::string::npos) << mishap::summary(result);
}

TEST(obligations, a_run_tells_its_places)
{
    const auto done = mishap::run(session, mishap::parse_plan("resource.use=fail(io_error)"));
    ASSERT_EQ(done.trace.reached.size(), 2u);
    EXPECT_EQ(done.trace.reached[0].what, "the body failed");
    EXPECT_EQ(done.trace.reached[0].times, 1u);
    EXPECT_EQ(done.trace.reached[1].what, "closing");
    EXPECT_EQ(done.trace.reached[1].times, 2u);
}

TEST(obligations, that_are_met_change_nothing)
{
    const auto result = swept({"resource.close: hang", "resource.use=fail", "resource.create: fail foreign",
        "resource.use", "the body failed"});
    EXPECT_THAT(result, mishap::Holds());
    EXPECT_EQ(result.runs, swept({}).runs);
    for (const mishap::times_reached& one : result.required)
        EXPECT_GT(one.runs, 0u) << one.what;
}

TEST(obligations, that_are_not_met_fail_the_campaign)
{
    for (const char* never : {"resource.close: deaf", "resource.use: fail timed_out", "resource.commit",
             "a place that nobody comes to"}) {
        const auto result = swept({"closing", never});
        EXPECT_FALSE(result.holds()) << never;
        EXPECT_FALSE(result.meets_obligations());
        EXPECT_TRUE(result.counterexamples.empty());
        EXPECT_EQ(runs_of(result.required, never), 0u);
        const std::string said = std::string("required, and never reached: ") + never;
        EXPECT_NE(mishap::report(result).find(said), std::string::npos) << mishap::report(result);
        EXPECT_NE(mishap::summary(result).find(std::string(never) + " NEVER"), std::string::npos);
    }
}

TEST(obligations, a_star_stands_for_every_place_of_the_program)
{
    const auto result = swept({"*"});
    EXPECT_FALSE(result.holds());
    EXPECT_EQ(runs_of(result.required, "a place that nobody comes to"), 0u);
    EXPECT_GT(runs_of(result.required, "closing").value_or(0), 0u);
}

TEST(obligations, hold_for_random_campaigns_too)
{
    EXPECT_FALSE(mishap::random_campaign(session, {.cases = 50, .require = {"resource.rollback"}}).holds());
    EXPECT_TRUE(mishap::random_campaign(session, {.cases = 50, .require = {"closing"}}).holds());
}

TEST(obligations, that_mean_nothing_are_refused)
{
    for (const auto& [wrong, said] : std::vector<std::pair<std::string, std::string>>{
             {"closin", "did you mean"}, {"resource.close: hng", "did you mean"},
             {"resource.close#2: hang", "of every client and every number"},
             {"resource.close: ok", "succeeds"}}) {
        try {
            swept({wrong});
            ADD_FAILURE() << wrong;
        } catch (const mishap::input_error& e) {
            EXPECT_NE(std::string(e.what()).find(said), std::string::npos) << e.what();
        }
    }
}

TEST(obligations, places_outside_of_runs_are_nothing) { MISHAP_REACHED("outside of every run"); }

} // namespace
