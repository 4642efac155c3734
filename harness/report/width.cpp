// SPDX-License-Identifier: MIT
#include "width.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace mishap::detail {

std::size_t columns_for(std::size_t asked)
{
    std::size_t columns = asked;
    if (columns == 0)
        if (const std::string_view set = std::getenv("COLUMNS") ? std::getenv("COLUMNS") : ""; !set.empty())
            std::from_chars(set.data(), set.data() + set.size(), columns);
    winsize terminal{};
    if (columns == 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &terminal) == 0)
        columns = terminal.ws_col;
    return columns == 0 ? most_columns : std::clamp(columns, least_columns, most_columns);
}

std::size_t width_of(std::string_view text)
{
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::vector<std::string> fold(std::string_view text, std::size_t columns)
{
    std::vector<std::string> lines(1);
    while (!text.empty()) {
        // Spaces that stand where a line goes on belong to the word after them.
        const std::size_t word = std::min(text.find(' ', text.find_first_not_of(' ')), text.size());
        std::string_view next = text.substr(0, word);
        text.remove_prefix(word);
        if (!lines.back().empty() && width_of(lines.back()) + width_of(next) > columns) {
            next.remove_prefix(std::min(next.find_first_not_of(' '), next.size()));
            lines.emplace_back();
        }
        lines.back().append(next);
    }
    return lines;
}

std::string grouped(std::size_t number)
{
    std::string text = std::to_string(number);
    for (std::size_t at = text.size(); at > 3;)
        text.insert(at -= 3, 1, ',');
    return text;
}

} // namespace mishap::detail
