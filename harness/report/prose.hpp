// SPDX-License-Identifier: MIT
#pragma once
/// A run, told in sentences.

#include <mishap/explore.hpp>
#include <mishap/run.hpp>

#include <string>

namespace mishap::detail {

/// What happened, instant by instant, a paragraph for each.
std::string tell_run(const run_result&, const violation* = nullptr);

/// What happened, what that breaks, and which plan holds.
std::string tell_counterexample(const counterexample&);

} // namespace mishap::detail
