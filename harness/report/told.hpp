// SPDX-License-Identifier: MIT
#pragma once
/// What of a run is told in words, where the run itself stays in another process.

#include <mishap/duration.hpp>
#include <mishap/explore.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace mishap::detail {

/// With what the line begins that is no event but a hint.
inline constexpr std::string_view note_mark = "note: ";

/// The timeline, after a line with a hint where a defect of a library may explain the violation.
std::string events_of(const counterexample&);

/// "1.25 s, 80,000 runs/s"; empty where nobody measured.
std::string took_line(duration took, std::uint64_t runs);

} // namespace mishap::detail
