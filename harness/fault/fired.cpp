// SPDX-License-Identifier: MIT
#include "fired.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace mishap::detail {

namespace {

/// What struck this operation, as a perturbation of its own.
perturbation told_singly(const operation_record& op)
{
    if (op.fails_body)
        return {.at = op.id, .what = body_failure{.error = op.fault.error, .before = op.fails_before}};
    return {.at = op.id, .what = operation_fault{op.fault}};
}

} // namespace

void collect_fired(const trace& happened, const fault_plan& plan, bool any_order, fault_plan& fired)
{
    constexpr std::size_t singly_max = 8;
    const std::size_t nothing = plan.perturbations.size();
    std::vector<std::size_t> struck(nothing); // by pattern
    const auto pattern_of = [&](const operation_record& op) {
        const perturbation* by = plan.find(op.id);
        return by && by->repeats() ? static_cast<std::size_t>(by - plan.perturbations.data()) : nothing;
    };
    for (const operation_record& op : happened.operations)
        if (const std::size_t by = op.perturbed ? pattern_of(op) : nothing; by != nothing)
            ++struck[by];
    std::vector<perturbation>& told = fired.perturbations;
    told.clear();
    for (const operation_record& op : happened.operations) {
        if (!op.perturbed)
            continue;
        const std::size_t by = pattern_of(op);
        if (by == nothing || struck[by] <= singly_max)
            told.push_back(told_singly(op));
        else if (std::find(told.begin(), told.end(), plan.perturbations[by]) == told.end())
            told.push_back(plan.perturbations[by]);
    }
    for (const strike_record& strike : happened.strikes)
        told.push_back(strike.what);
    const auto clients = std::count_if(happened.outcomes.begin(), happened.outcomes.end(),
        [](const outcome& client) { return !client.probe; });
    fired.clients = plan.clients;
    fired.sequential = plan.sequential && clients > 1;
    fired.relay = plan.relay && clients > 1;
    fired.arrivals = plan.arrivals;
    std::erase_if(fired.arrivals, [&](const auto& one) { return clients == 1 || one.first >= clients; });
    fired.lazy.reset();
    fired.schedule = any_order ? plan.schedule : std::nullopt;
    fired.step_cost = plan.step_cost;
    fired.settings = plan.settings;
    fired.invalid_settings = plan.invalid_settings;
}

fault_plan drawn_so_far(const trace& happened, const fault_plan& plan)
{
    fault_plan so_far = plan;
    if (!plan.lazy)
        return so_far;
    so_far.lazy.reset();
    for (const operation_record& op : happened.operations)
        if (op.perturbed && !plan.find(op.id))
            so_far.perturbations.push_back(told_singly(op));
    return so_far;
}

} // namespace mishap::detail
