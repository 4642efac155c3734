// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/scenario.hpp>

#include <functional>

namespace mishap::detail {

/// Runs an example in a process of its own. One that ends that process breaks `crashes`, `spins` or
/// `exhausts_memory`, which is a failure unless the scenario expects it.
scenario_result run_apart(
    const scenario&, const scenario_options&, const std::function<scenario_result()>& run_here);

} // namespace mishap::detail
