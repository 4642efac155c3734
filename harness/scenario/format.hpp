// SPDX-License-Identifier: MIT
#pragma once
/// The house format of scenario files.

#include <string>

namespace mishap::detail {

/// The text in the house format, comments and all.
///
/// Its keys stand in the order of the reference, `explore` in place of `faults`, each with the comment above
/// it. No line ends with spaces, no two lines in a row are blank, and the last line ends.
/// Where a change would say something else, the text is left as it is.
/// Errors: throws `scenario_error` for a text that is no map in YAML.
std::string formatted(const std::string& text, const std::string& file);

/// Formats a file, or with `write` false only looks at it. Returns whether it was not in the house format.
///
/// Errors: as `formatted`, and throws `std::runtime_error` where it cannot be read or written.
bool format_file(const std::string& file, bool write);

} // namespace mishap::detail
