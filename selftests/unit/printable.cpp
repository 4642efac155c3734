// SPDX-License-Identifier: MIT
// Goal: what people read is English, and what a terminal would obey is shown. Method: tables.

#include "vocabulary/printable.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace {

using mishap::detail::counted;
using mishap::detail::ordinal;
using mishap::detail::printable;

TEST(ordinals, are_those_of_english)
{
    const std::pair<std::uint64_t, const char*> rows[] = {{0, "0th"}, {1, "1st"}, {2, "2nd"}, {3, "3rd"},
        {4, "4th"}, {10, "10th"}, {11, "11th"}, {12, "12th"}, {13, "13th"}, {14, "14th"}, {20, "20th"},
        {21, "21st"}, {22, "22nd"}, {23, "23rd"}, {24, "24th"}, {101, "101st"}, {111, "111th"},
        {112, "112th"}, {113, "113th"}, {121, "121st"}, {1'011, "1011th"}, {1'002, "1002nd"}};
    for (const auto& [number, text] : rows)
        EXPECT_EQ(ordinal(number), text);
}

TEST(counts, have_a_plural_unless_there_is_one)
{
    EXPECT_EQ(counted(0, "run"), "0 runs");
    EXPECT_EQ(counted(1, "run"), "1 run");
    EXPECT_EQ(counted(2, "scenario file"), "2 scenario files");
    EXPECT_EQ(counted(21, "run"), "21 runs");
}

TEST(printable_text, shows_what_a_terminal_would_obey)
{
    EXPECT_EQ(printable("two\nlines\xc3\xa4"), "two\nlines\xc3\xa4");
    EXPECT_EQ(printable("\x1b[31mred\x7f"), "\\x1b[31mred\\x7f");
    EXPECT_EQ(printable(std::string("a\0b\rc", 5)), "a\\x00b\\x0dc");
}

} // namespace
