// SPDX-License-Identifier: MIT
#include <mishap/input_error.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

namespace mishap {

namespace {

/// Letters to change, drop, add, or swap with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> above(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t(0));
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::swap(before, above);
        std::swap(above, row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
    }
    return row.back();
}

} // namespace

std::string nearest(std::string_view word, std::span<const std::string> candidates)
{
    // A word longer than any we know is no slip of one of ours, and comparing it would take quadratic time.
    constexpr std::size_t longest = 128;
    if (word.size() > longest)
        return {};
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    // The word itself is no better spelling of it: something else is wrong.
    if (std::find(candidates.begin(), candidates.end(), word) != candidates.end())
        return {};
    for (const std::string& candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::string unknown_word(std::string_view what, std::string_view word, std::span<const std::string> known)
{
    constexpr std::size_t shown = 80;
    std::string text =
        fmt::format("unknown {} '{}{}'", what, word.substr(0, shown), word.size() > shown ? "..." : "");
    if (const std::string near = nearest(word, known); !near.empty())
        text += fmt::format("; did you mean '{}'?", near);
    if (known.empty())
        return text + fmt::format("; there is no {} to name", what);
    return text + fmt::format(" (known: {})", fmt::join(known, ", "));
}

} // namespace mishap
