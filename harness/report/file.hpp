// SPDX-License-Identifier: MIT
#pragma once
/// Files that are there as a whole, or not at all.

#include <filesystem>
#include <string>
#include <string_view>

namespace mishap::detail {

/// The text as part of a file's name: `a-z`, `0-9` and `_`, at most a hundred of them.
std::string word_for_file(std::string_view text);

/// Writes a file, and makes its folder if need be. Whatever goes wrong, nobody finds half of it.
///
/// Errors: throws `std::runtime_error` with the reason; `what` names the file in it.
void write_whole_file(const std::filesystem::path&, std::string_view text, std::string_view what);

} // namespace mishap::detail
