// SPDX-License-Identifier: MIT
#pragma once
// How the tests of this folder tell whether a manager is blamed, and for what.

#include <mishap/explore.hpp>
#include <mishap/manager.hpp>
#include <mishap/report.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace mutants {

/// The rules that a campaign saw broken.
inline std::vector<std::string> broken_rules(const mishap::campaign_result& result)
{
    std::vector<std::string> names;
    for (const mishap::counterexample& broken : result.counterexamples)
        names.push_back(broken.invariant);
    return names;
}

inline std::string reports(const mishap::campaign_result& result)
{
    std::string text;
    for (const mishap::counterexample& broken : result.counterexamples)
        text += mishap::report(broken);
    return text + mishap::summary(result);
}

/// A sweep of default kinds breaks nothing, and was complete.
inline testing::AssertionResult holds(const mishap::manager& under_test, unsigned perturbations)
{
    const auto result = mishap::sweep(under_test, {.perturbations = perturbations});
    if (result.holds() && result.complete)
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << reports(result);
}

/// A random campaign breaks nothing.
inline testing::AssertionResult holds_at_random(const mishap::manager& under_test, std::uint64_t cases)
{
    const auto result = mishap::random_campaign(under_test, {.cases = cases});
    if (result.holds())
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << reports(result);
}

/// A sweep of two perturbations, or already one of a single one, breaks one of these rules at least.
inline testing::AssertionResult is_blamed(
    const mishap::manager& under_test, const std::vector<std::string>& rules)
{
    mishap::campaign_result result;
    for (const unsigned perturbations : {1, 2}) {
        result = mishap::sweep(under_test, {.perturbations = perturbations});
        if (std::any_of(rules.begin(), rules.end(), [&](const auto& rule) { return result.violates(rule); }))
            return testing::AssertionSuccess();
    }
    return testing::AssertionFailure()
           << fmt::format("expected one of {}, broke {}\n", rules, broken_rules(result)) << reports(result);
}

/// Clients come by up to so many steps one after the other, which is about as long as a client stays.
inline constexpr int stagger_max = 32;

inline mishap::campaign_result sweep_staggered(const mishap::manager& under_test, int stagger)
{
    return mishap::sweep(
        under_test, {.perturbations = 1, .settings = {{"stagger", std::to_string(stagger)}}});
}

/// Sweeps of one perturbation break nothing, although clients come in between steps of others.
inline testing::AssertionResult holds_staggered(const mishap::manager& under_test)
{
    for (int stagger = 3; stagger <= stagger_max; stagger += 5)
        if (const auto result = sweep_staggered(under_test, stagger); !result.holds() || !result.complete)
            return testing::AssertionFailure() << "staggered by " << stagger << '\n' << reports(result);
    return testing::AssertionSuccess();
}

/// For flaws that only a newcomer reveals, who comes between two steps of others: the twin must hold where
/// the flaw is found.
inline testing::AssertionResult is_blamed_staggered(
    const mishap::manager& under_test, const mishap::manager& twin, const std::string& rule)
{
    for (int stagger = 1; stagger <= stagger_max; ++stagger) {
        if (!sweep_staggered(under_test, stagger).violates(rule))
            continue;
        if (const auto result = sweep_staggered(twin, stagger); !result.holds())
            return testing::AssertionFailure() << "staggered by " << stagger << '\n' << reports(result);
        return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "never broke " << rule;
}

} // namespace mutants
