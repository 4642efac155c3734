// SPDX-License-Identifier: MIT
#pragma once
/// Runs that a sweep has followed further, so that none like them is followed again.

#include <mishap/plan.hpp>
#include <mishap/run.hpp>

#include <cstdint>
#include <unordered_map>

namespace mishap::detail {

class seen_runs
{
public:
    /// Whether a run like this one, from which at least as much was tried, was given before: event for event
    /// the same, at the same steps and of the same causes, with faults at the same operations. If not, it is
    /// from now on.
    ///
    /// Complexity: linear in events and perturbations.
    bool covers(
        const run_result&, const fault_plan&, index from, unsigned perturbations, unsigned preemptions);

private:
    struct followed
    {
        index from;
        unsigned perturbations;
        unsigned preemptions;
    };
    std::unordered_map<std::uint64_t, followed> seen_;
};

} // namespace mishap::detail
