// SPDX-License-Identifier: MIT
#pragma once
/// How wide a report is, and texts that fit.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

inline constexpr std::size_t least_columns = 80, most_columns = 120;

/// Columns that a report may use: those asked for, else those of `COLUMNS` or of the terminal, else 120; from
/// 80 to 120.
std::size_t columns_for(std::size_t asked);

/// Columns that a text takes: what continues a character in UTF-8 takes none.
std::size_t width_of(std::string_view text);

/// The text in lines of at most `columns` columns, broken at spaces; a longer word stays whole.
std::vector<std::string> fold(std::string_view text, std::size_t columns);

/// `33,333`
std::string grouped(std::size_t number);

} // namespace mishap::detail
