// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace mishap::detail {

/// Prints to standard output what a terminal shows as it stands.
///
/// Errors: throws `std::system_error` when it cannot be written.
void say(std::string_view text);

/// Whether `say` paints what people look for: `auto` (on a terminal, unless NO_COLOR is set), `always` or
/// `never`. Errors: throws `input_error` for any other word.
void choose_color(std::string_view when);

/// Prints each line as an error of its own.
void complain(std::string_view why);

} // namespace mishap::detail
