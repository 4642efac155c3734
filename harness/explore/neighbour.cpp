// SPDX-License-Identifier: MIT
#include "neighbour.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace mishap::detail {

namespace {

std::string_view kind_of(const violation& v, const trace& happened)
{
    return v.resource == none ? std::string_view() : happened.resources[v.resource].kind.text();
}

/// Whether a run breaks the same rule on the same kind of thing.
bool breaks_as(const run_result& done, const violation& v, const trace& of)
{
    const auto& all = done.verdict.violations;
    return std::any_of(all.begin(), all.end(), [&](const violation& other) {
        return other.invariant == v.invariant && other.role == v.role &&
               kind_of(other, done.trace) == kind_of(v, of);
    });
}

/// What might stand in place of a fault: the plainest of each way to go wrong.
constexpr std::array ways{fault_kind::fail, fault_kind::hang, fault_kind::cancel};

fault plainest(fault_kind kind)
{
    return kind == fault_kind::fail ? fault::fail("io_error") : fault{.kind = kind};
}

} // namespace

void find_neighbours(counterexample& c, const std::function<const run_result*(const fault_plan&)>& run)
{
    const violation* const broken = c.broken();
    if (!broken || c.nondeterministic)
        return;
    const fault_plan smallest = c.minimal.fired;
    const auto consider = [&](const fault_plan& plan) {
        const run_result* const done = run(plan);
        // The first that breaks nothing at all, else the first that does not break this.
        if (done && !breaks_as(*done, *broken, c.minimal.trace) &&
            (!c.neighbour || (!c.neighbour->holds() && done->holds())))
            c.neighbour = *done;
        return done != nullptr;
    };
    for (std::size_t i = 0; i < smallest.perturbations.size(); ++i) {
        fault_plan without = smallest;
        without.perturbations.erase(without.perturbations.begin() + static_cast<std::ptrdiff_t>(i));
        if (!consider(without))
            return;
    }
    if (smallest.perturbations.empty() &&
        (smallest.sequential || smallest.relay || !smallest.arrivals.empty())) {
        fault_plan at_once;
        at_once.settings = smallest.settings;
        at_once.clients = smallest.clients;
        at_once.step_cost = smallest.step_cost;
        if (!consider(at_once))
            return;
    }
    if (c.neighbour)
        c.neighbour->manager = c.minimal.manager;
    for (std::size_t i = 0; i < smallest.perturbations.size(); ++i) {
        const auto* const written = std::get_if<operation_fault>(&smallest.perturbations[i].what);
        if (!written || written->repeats)
            continue;
        for (const fault_kind kind : ways) {
            if (written->fault.kind == kind)
                continue;
            fault_plan other = smallest;
            other.perturbations[i].what = operation_fault{plainest(kind)};
            const run_result* const done = run(other);
            if (!done)
                return;
            if (done->fired.perturbations.size() == smallest.perturbations.size() &&
                breaks_as(*done, *broken, c.minimal.trace))
                c.alike.push_back(other.perturbations[i]);
        }
    }
}

std::vector<counterexample> counterexamples_of(
    const run_result& broke, const std::function<const run_result*(const fault_plan&)>& run)
{
    std::vector<counterexample> all;
    for (const violation& v : broke.verdict.violations) {
        counterexample& c = all.emplace_back();
        c.invariant = std::string(v.invariant);
        c.minimal = broke;
        c.found = broke.fired;
        c.which = all.size() - 1;
        find_neighbours(c, run);
    }
    return all;
}

} // namespace mishap::detail
