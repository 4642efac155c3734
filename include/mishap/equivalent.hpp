// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/explore.hpp>

namespace mishap {

/// Runs two managers under every plan of a sweep and compares what they did. For each client and for the
/// background it compares the operations, with their results and times, what the body was lent and for how
/// long, what was reported, and how it ended. The result breaks `equivalent` with the first difference of a
/// minimal plan, and nothing else but `livelock`: whether the two keep their promises is for a sweep of each
/// to say.
///
/// The plans are found on `first`, and put to `second` in terms of operations. One sweep serves for both: as
/// long as nothing differs, both have the same operations, and so the same plans. A plan with a cancellation
/// at a moment that no operation marks (a number of steps after one) is not compared, since steps in between
/// are the manager's own; `covered` says how many there were. Both run under one contract: that of the
/// options, else that of `first`. `runs` counts plans.
///
/// Errors and complexity: as `sweep`, with two runs for each plan.
campaign_result equivalent(const manager& first, const manager& second, const sweep_options& = {});

/// The same for plans that are drawn at random.
campaign_result equivalent(const manager& first, const manager& second, const random_options&);

} // namespace mishap
