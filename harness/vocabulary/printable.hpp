// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mishap::detail {

/// The text as a terminal shows it and nothing more: control characters, save line ends, are written as
/// `\x1b`.
std::string printable(std::string_view text);

/// "1 run", "2 runs".
std::string counted(std::uint64_t number, std::string_view noun);

/// "1st", "22nd", "113th".
std::string ordinal(std::uint64_t number);

} // namespace mishap::detail
