// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <fmt/format.h>

#include <sstream>
#include <vector>

namespace golden {

namespace {

constexpr std::size_t columns = 112;
constexpr std::size_t indent = 12;
constexpr int line_height = 19;
constexpr double letter_width = 7.83; // of a monospaced letter at 13 px

std::string escaped(const std::string& text)
{
    std::string safe;
    for (const char c : text)
        safe += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
    return safe;
}

/// Lines that fit; what does not goes on below, under the second column of a report.
std::vector<std::string> folded(const std::string& text)
{
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        while (line.size() > columns) {
            std::size_t at = line.rfind(' ', columns);
            if (at == std::string::npos || at <= indent)
                at = columns;
            lines.push_back(line.substr(0, at));
            line = std::string(indent, ' ') + line.substr(at + (line[at] == ' ' ? 1 : 0));
        }
        lines.push_back(line);
    }
    return lines;
}

/// A line in up to two colours: its arrow, from `<-` on, stands out.
std::string drawn(const std::string& line, int y, const char* colour)
{
    const std::size_t arrow = std::min(line.find("<-"), line.size());
    std::string text =
        fmt::format(R"(<text x="16" y="{}" fill="{}">{})", y, colour, escaped(line.substr(0, arrow)));
    if (arrow < line.size())
        text += fmt::format(R"(<tspan fill="#f0a45d">{}</tspan>)", escaped(line.substr(arrow)));
    return text + "</text>\n";
}

} // namespace

std::string picture(const std::string& text)
{
    const std::vector<std::string> lines = folded(text);
    const int height = static_cast<int>(lines.size()) * line_height + 46;
    const int width = static_cast<int>(columns * letter_width) + 32;
    std::string svg = fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}")"
                                  R"( viewBox="0 0 {0} {1}" role="img">)"
                                  "\n<title>A report of mishap</title>\n"
                                  "<style>text {{ white-space: pre; }}</style>\n"
                                  R"(<rect width="{0}" height="{1}" rx="8" fill="#1c2128"/>)",
        width, height);
    int x = 20;
    for (const char* colour : {"#e5534b", "#c69026", "#57ab5a"}) {
        svg += fmt::format("\n"
                           R"(<circle cx="{}" cy="16" r="5" fill="{}"/>)",
            x, colour);
        x += 18;
    }
    svg += "\n"
           R"(<g font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace")"
           R"( font-size="13">)"
           "\n";
    int y = 48;
    for (const std::string& line : lines) {
        const char* colour = y == 48                          ? "#ff938a"
                             : line.starts_with("  plan")     ? "#e8d17a"
                             : line.starts_with("  replay")   ? "#8ddb8c"
                             : line.starts_with("  expected") ? "#adbac7"
                                                              : "#d4dde6";
        svg += drawn(line, y, colour);
        y += line_height;
    }
    return svg + "</g>\n</svg>\n";
}

} // namespace golden
