// SPDX-License-Identifier: MIT
#pragma once
/// What a program knows, as tables: for people who ask, and for the reference in scenarios/README.md.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

/// The words that `list` takes.
const std::vector<std::string>& list_names();

/// One list, as plain columns or as Markdown. `part` is the path of a section of `keys`; empty means all.
///
/// Errors: throws `input_error` for an unknown list or section, and for a part of a list that has none.
std::string list_text(const std::string& what, const std::string& part, bool markdown);

/// Words, in lines of at most `columns` columns.
std::vector<std::string> wrapped(const std::string& text, std::size_t columns);

} // namespace mishap::detail
