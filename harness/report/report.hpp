// SPDX-License-Identifier: MIT
#pragma once
/// Reports of runs that somebody wrote the plan of.

#include <mishap/report.hpp>

#include <string>

namespace mishap::detail {

/// Everything that the run of a counterexample broke, in one report with one timeline.
std::string report_of_run(const counterexample&, const report_options&);

} // namespace mishap::detail
