// SPDX-License-Identifier: MIT
#include "expectations.hpp"

#include "explore/default_name.hpp"
#include "explore/obligations.hpp"
#include "vocabulary/expectations.hpp"

#include <mishap/gtest.hpp>
#include <mishap/input_error.hpp>
#include <mishap/replay.hpp>
#include <mishap/report.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace mishap {

namespace {

std::string running_test()
{
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    return test ? std::string(test->test_suite_name()) + "." + test->name() : "manager";
}

/// A replay that nobody takes must not pass for a green test.
class replay_check : public testing::Environment
{
public:
    void TearDown() override
    {
        try {
            if (const auto& requested = requested_replay(); requested && !replay_was_taken())
                ADD_FAILURE() << "MISHAP_REPLAY asks for a run of '" << requested->manager
                              << "', but no campaign of that name ran in this program";
        } catch (const input_error& e) {
            ADD_FAILURE() << e.what();
        }
    }
};

} // namespace

void PrintTo(const run_result& run, std::ostream* out)
{
    const std::string plan = to_string(run.fired);
    *out << "a run under " << (plan.empty() ? "no fault" : plan);
}

void PrintTo(const campaign_result& result, std::ostream* out)
{
    *out << "a campaign of " << result.runs << " runs, " << result.violating_runs << " with a violation ("
         << result.covered << ")";
}

namespace detail {

bool join_googletest()
{
    static const bool joined = [] {
        default_campaign_name = &running_test;
        watch_expectations();
        testing::AddGlobalTestEnvironment(new replay_check);
        return true;
    }();
    return joined;
}

bool holds_matcher::MatchAndExplain(const run_result& run, testing::MatchResultListener* listener) const
{
    for (const violation& v : run.verdict.violations)
        *listener << "\n" << report(run, v);
    run.violates(detail::expectation_name); // told here, so it need not be told again
    return run.holds();
}

bool holds_matcher::MatchAndExplain(
    const campaign_result& result, testing::MatchResultListener* listener) const
{
    if (!result.invalid.empty())
        *listener << result.invalid;
    *listener << detail::unmet(result);
    for (const counterexample& c : result.counterexamples)
        *listener << "\n" << report(c);
    return result.holds();
}

bool violates_matcher::MatchAndExplain(const run_result& run, testing::MatchResultListener* listener) const
{
    *listener << "\n" << timeline(run);
    return run.violates(invariant_);
}

bool violates_matcher::MatchAndExplain(
    const campaign_result& result, testing::MatchResultListener* listener) const
{
    for (const counterexample& c : result.counterexamples)
        *listener << "\nbreaks " << c.invariant;
    return result.violates(invariant_);
}

} // namespace detail
} // namespace mishap
