// SPDX-License-Identifier: MIT
#pragma once
/// What of a counterexample's plan matters: the nearest plan that holds, and what else breaks the same.

#include <mishap/explore.hpp>

#include <functional>
#include <vector>

namespace mishap::detail {

/// Fills in `neighbour` and `alike`. `run` runs a plan and judges it; null says that no more may be run.
///
/// Complexity: at most six runs for each perturbation of the minimal plan.
void find_neighbours(counterexample&, const std::function<const run_result*(const fault_plan&)>& run);

/// What one run broke, each with its neighbours: of a plan that somebody wrote, so that nothing is made
/// smaller.
std::vector<counterexample> counterexamples_of(
    const run_result& broke, const std::function<const run_result*(const fault_plan&)>& run);

} // namespace mishap::detail
