// SPDX-License-Identifier: MIT
#pragma once
/// The campaigns that a scenario file asks for.

#include <mishap/scenario.hpp>

#include <vector>

namespace mishap::detail {

/// Runs the sweep and the random campaign of a scenario, as far as it has them.
std::vector<campaign_result> explore(const scenario&);

} // namespace mishap::detail
