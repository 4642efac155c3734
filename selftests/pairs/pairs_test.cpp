// SPDX-License-Identifier: MIT
// Goal: each invariant blames a manager that breaks it and spares its twin, and none is without such a pair.
// Method: a sweep of up to two perturbations over both; the plan that shows the flaw is the sweep's minimal
// counterexample. The table is printed: `harness/dev pairs`.

#include "pair.hpp"

#include <mishap/equivalent.hpp>
#include <mishap/gtest.hpp>
#include <mishap/invariant.hpp>
#include <mishap/report.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

namespace pairs {

namespace {

std::vector<pair>& rows()
{
    static std::vector<pair> all;
    return all;
}

/// The rules that are no functions of one run, and so not in `mishap::invariants()`.
constexpr std::string_view rules_about_several_runs[] = {"nondeterministic", "equivalent"};

constexpr std::string_view not_blamed = "NOT BLAMED";
constexpr std::string_view holds = "holds";

std::vector<std::string_view> every_rule()
{
    std::vector<std::string_view> names;
    for (const mishap::invariant& rule : mishap::invariants())
        names.push_back(rule.name);
    names.insert(names.end(), std::begin(rules_about_several_runs), std::end(rules_about_several_runs));
    return names;
}

mishap::campaign_result explore(const pair& row, bool wrong, unsigned perturbations)
{
    const mishap::manager under_test(
        std::string(wrong ? row.wrong : row.twin),
        [run = row.run, wrong](environment& env) { return run(env, wrong); }, row.promises);
    mishap::sweep_options options;
    options.perturbations = perturbations;
    options.kinds = row.kinds;
    options.limits = row.limits;
    return row.explore ? row.explore(under_test, options) : mishap::sweep(under_test, options);
}

std::string reports(const mishap::campaign_result& result)
{
    std::string text;
    for (const mishap::counterexample& broken : result.counterexamples)
        text += mishap::report(broken);
    return text + mishap::summary(result);
}

/// The minimal plan under which the wrong manager breaks the rule of its row, as a line.
std::string shown_by(const pair& row)
{
    mishap::campaign_result result;
    for (const unsigned perturbations : {0u, 1u, 2u}) {
        result = explore(row, true, perturbations);
        for (const mishap::counterexample& broken : result.counterexamples)
            if (broken.invariant == row.invariant) {
                const std::string plan = to_string(broken.minimal.fired);
                return plan.empty() ? "(no fault at all)" : plan;
            }
    }
    ADD_FAILURE() << row.wrong << " was to break " << row.invariant << '\n' << reports(result);
    return std::string(not_blamed);
}

std::string verdict_on_twin(const pair& row)
{
    const auto result = explore(row, false, 2);
    if (result.holds() && result.complete)
        return std::string(holds);
    ADD_FAILURE() << row.twin << " was to hold everything\n" << reports(result);
    return "BLAMED";
}

} // namespace

registration::registration(pair row) { rows().push_back(std::move(row)); }

const std::vector<pair>& registered() { return rows(); }

TEST(pairs, table)
{
    std::vector<std::array<std::string, 5>> table{{"invariant", "blames", "shown by", "twin", "verdict"}};
    for (const std::string_view rule : every_rule()) {
        bool any = false;
        for (const pair& row : registered())
            if (row.invariant == rule) {
                any = true;
                table.push_back({std::string(rule), std::string(row.wrong), shown_by(row),
                    std::string(row.twin), verdict_on_twin(row)});
            }
        EXPECT_TRUE(any) << "no pair is registered for " << rule;
    }
    std::array<std::size_t, 5> width{};
    for (const auto& line : table)
        for (std::size_t i = 0; i < line.size(); ++i)
            width[i] = std::max(width[i], line[i].size());
    for (const auto& line : table)
        fmt::print("{:<{}}  {:<{}}  {:<{}}  {:<{}}  {}\n", line[0], width[0], line[1], width[1], line[2],
            width[2], line[3], width[3], line[4]);
    std::size_t blamed = 0, spared = 0;
    for (const auto& line : table) {
        blamed += line[2] != not_blamed;
        spared += line[4] == holds;
    }
    const std::size_t pairs = table.size() - 1; // without the headings
    fmt::print("{} rules, {} managers blamed, {} twins spared, {} unexplained\n", every_rule().size(),
        blamed - 1, spared, 2 * pairs - (blamed - 1) - spared);
    std::fflush(stdout);
}

TEST(pairs, are_all_for_a_rule_that_there_is)
{
    const auto rules = every_rule();
    for (const pair& row : registered())
        EXPECT_NE(std::find(rules.begin(), rules.end(), row.invariant), rules.end())
            << row.wrong << " is to break " << row.invariant << ", which is no rule";
}

} // namespace pairs
