// SPDX-License-Identifier: MIT
#include "explain_run.hpp"

#include "explain.hpp"

#include "explore/neighbour.hpp"
#include "report/prose.hpp"
#include "scenario/explore.hpp"
#include "simulation/run.hpp"
#include "vocabulary/printable.hpp"

#include <mishap/input_error.hpp>
#include <mishap/scenario.hpp>

#include <fmt/format.h>

#include <filesystem>
#include <vector>

namespace mishap::detail {

namespace {

std::string told(const counterexample& c)
{
    std::string text = tell_counterexample(c);
    // A rule of the program's own, or one between runs, has no more to say.
    if (const std::string why = causes_and_remedies(c.invariant); !why.empty())
        text += why;
    return text;
}

std::string told(const std::vector<counterexample>& all)
{
    std::string text;
    for (const counterexample& c : all)
        text += (text.empty() ? "" : "\n---\n\n") + told(c);
    return text;
}

/// One run of a plan that somebody wrote.
std::string explain_plan(runner& once, const fault_plan& plan)
{
    const run_result run = once.run(plan);
    if (!once.inert().empty()) {
        fault_plan stale;
        stale.perturbations.push_back(plan.perturbations[once.inert().front()]);
        throw input_error(fmt::format("the plan is stale: {} never came up in this run", to_string(stale)));
    }
    if (run.holds())
        return tell_run(run) + "No rule is broken.\n";
    return told(counterexamples_of(run, [&](const fault_plan& other) { return &once.run(other); }));
}

std::string explain_scenario(const scenario& s)
{
    if (!s.sweep && !s.random) {
        runner once(get_manager(s.manager), s.contract, s.limits, nullptr, s.invariants);
        return explain_plan(once, s.plan);
    }
    std::string text;
    for (const campaign_result& campaign : explore(s)) {
        if (!campaign.invalid.empty())
            text += fmt::format("This tested nothing: {}.\n", campaign.invalid);
        text += campaign.holds() ? fmt::format("{} holds in {}: {}.\n", campaign.manager,
                                       counted(campaign.runs, "run"), campaign.covered)
                                 : told(campaign.counterexamples);
    }
    return text;
}

} // namespace

bool names_a_run(const std::string& word)
{
    return word.ends_with(".yaml") || word.starts_with("1 ") || word.find('/') != std::string::npos;
}

std::string explain_run(const std::string& token_or_file)
{
    if (!token_or_file.starts_with("1 "))
        return explain_scenario(load_scenario(token_or_file));
    const replay_token token = parse_token(token_or_file);
    const manager& under_test = get_manager(token.manager);
    runner once(under_test, under_test.promises, limits());
    return explain_plan(once, token.plan);
}

} // namespace mishap::detail
