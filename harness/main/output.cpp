// SPDX-License-Identifier: MIT
#include "output.hpp"

#include "vocabulary/printable.hpp"

#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

namespace mishap::detail {

namespace {

bool paints = false;

/// Verdicts at the beginning of a line, and what breaks what.
std::string painted(const std::string& text)
{
    struct paint
    {
        std::string_view word;
        std::string_view color;
    };
    constexpr paint verdicts[] = {{"ok    ", "\x1b[32m"}, {"FAILED", "\x1b[1;31m"}, {"BAD   ", "\x1b[1;31m"}};
    constexpr std::string_view bold = "\x1b[1m", plain = "\x1b[0m";
    std::string out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto verdict = std::find_if(std::begin(verdicts), std::end(verdicts),
            [&](const paint& one) { return line.starts_with(one.word); });
        if (verdict != std::end(verdicts))
            out.append(verdict->color).append(verdict->word).append(plain).append(line, verdict->word.size());
        else if (!line.starts_with(' ') && line.find(" breaks ") != std::string::npos)
            out.append(bold).append(line).append(plain);
        else
            out += line;
        if (!lines.eof())
            out += '\n';
    }
    return out;
}

} // namespace

void choose_color(std::string_view when)
{
    const std::vector<std::string> known{"auto", "always", "never"};
    if (std::find(known.begin(), known.end(), when) == known.end())
        throw input_error("--color: " + unknown_word("word", when, known));
    const char* const no = std::getenv("NO_COLOR");
    paints = when == "always" || (when == "auto" && ::isatty(STDOUT_FILENO) == 1 && !(no && *no));
}

void say(std::string_view text)
{
    const std::string plain = printable(text);
    fmt::print("{}", paints ? painted(plain) : plain);
}

void complain(std::string_view why)
{
    // In the order in which things happened, where both streams lead to one place.
    std::fflush(stdout);
    std::istringstream lines(printable(why));
    for (std::string line; std::getline(lines, line);)
        fmt::print(stderr, "mishap: error: {}\n", line);
}

} // namespace mishap::detail
