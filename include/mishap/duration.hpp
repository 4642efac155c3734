// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/fwd.hpp>

#include <string>
#include <string_view>

namespace mishap {

/// Writes a duration so that `parse_duration` reads the same value back: `30s`, `29.999999s`, `1.5ms`, `7ns`.
std::string to_string(duration);

/// Reads `<digits>[.<digits>]<unit>`, the unit one of `ns us ms s min h`.
///
/// Errors: throws `input_error` for a missing or unknown unit, a sign, a fraction finer than a nanosecond,
/// and a value over 292 years (the range of 64 bits of nanoseconds).
duration parse_duration(std::string_view text);

} // namespace mishap
