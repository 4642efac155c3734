// SPDX-License-Identifier: MIT
#include "output.hpp"

#include "vocabulary/printable.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <sstream>
#include <string>

namespace mishap::detail {

void say(std::string_view text) { fmt::print("{}", printable(text)); }

void complain(std::string_view why)
{
    // In the order in which things happened, where both streams lead to one place.
    std::fflush(stdout);
    std::istringstream lines(printable(why));
    for (std::string line; std::getline(lines, line);)
        fmt::print(stderr, "mishap: error: {}\n", line);
}

} // namespace mishap::detail
