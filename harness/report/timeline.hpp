// SPDX-License-Identifier: MIT
#pragma once
/// The timeline of a report.

#include <mishap/run.hpp>

#include <span>
#include <string>

namespace mishap::detail {

/// A run as lines, in at most `columns` columns where its words allow it.
///
/// With several clients each has a column of its own, as far as these fit. What repeats is told once, and
/// who was served without anything of note stands in one line where there would be too many columns. The
/// proofs of violations are marked with their remarks, and the line of the event `differs` with `>`.
std::string draw_timeline(
    const run_result&, std::span<const violation* const> broken, index differs, std::size_t columns);

} // namespace mishap::detail
