// SPDX-License-Identifier: MIT
#pragma once
/// What a page of HTML shows, as JSON.

#include "vocabulary/json.hpp"

#include <mishap/report.hpp>
#include <mishap/run.hpp>

#include <string>
#include <vector>

namespace mishap::detail {

/// A run: its lanes, events and operations.
///
/// Of more events than anybody looks at, those in the middle are left out that neither prove anything nor
/// cause what does.
json_builder page_data(const run_result&, const violation* = nullptr, const run_result* other = nullptr);

/// A counterexample: what broke, the plans, the run, its neighbour, and how to repeat it.
json_builder page_data(const counterexample&, const report_options&);

/// A campaign: what it covered, its counterexamples.
json_builder page_data(const campaign_result&, const report_options&);

} // namespace mishap::detail
