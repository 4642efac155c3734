// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/plan.hpp>
#include <mishap/trace.hpp>

namespace mishap::detail {

/// Writes into `fired` the canonical plan of a finished run: what struck, without what never came up, and
/// with what was drawn in place of the random part. A run of it has the same trace.
///
/// A schedule that was drawn is told as deviations; where handlers need not keep their order (`any_order`),
/// by its own words.
///
/// A pattern that struck up to eight operations is told as that many single faults, else as the pattern.
void collect_fired(const trace& happened, const fault_plan& plan, bool any_order, fault_plan& fired);

/// The plan of a run that is under way, with what was drawn so far in place of the random part.
fault_plan drawn_so_far(const trace& happened, const fault_plan& plan);

} // namespace mishap::detail
