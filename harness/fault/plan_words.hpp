// SPDX-License-Identifier: MIT
#pragma once
/// How a plan's line is put together: words, quoting, and what stands between brackets. Scenario files share
/// the readers, so that the same words mean the same in both.

#include <mishap/input_error.hpp>
#include <mishap/plan.hpp>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace mishap::detail {

/// The maximum number of clients.
inline constexpr std::uint32_t clients_max = 100;

/// The maximum depth of a schedule.
inline constexpr std::uint32_t depth_max = 16;

/// A part of a line, and where it begins.
struct word
{
    std::string_view text;
    std::size_t offset;
};

/// Words are separated by spaces outside brackets.
std::vector<word> split_words(std::string_view line);

/// The parts between separators; some may be empty.
std::vector<word> split_at(std::string_view text, char separator, std::size_t offset);

/// What stands between the brackets of `name(...)`, or nothing.
std::optional<word> arguments_of(const word& w, std::string_view name);

/// Everything that could be structure is written as %XX.
std::string quote(std::string_view value);
std::string unquote(std::string_view text, std::size_t offset);

/// Parses a part of a text, and tells where in the whole text it went wrong.
template <class Parse>
auto at_offset(std::size_t offset, Parse parse)
{
    try {
        return parse();
    } catch (const input_error& e) {
        throw input_error(e.what(), offset + e.offset());
    }
}

template <class Number>
Number parse_number(std::string_view text, std::size_t offset, int base = 10)
{
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
        throw input_error(fmt::format("'{}' is no number that fits here", text), offset);
    return value;
}

/// `c0` to `c99`.
lane parse_client(std::string_view text, std::size_t offset);

/// What the body does at an operation of its own, such as `fail io_error after session.query#2` or, in a
/// plan, `fail(io_error after session.query#2)`; nothing where the text names no such operation.
std::optional<perturbation> parse_body_failure(std::string_view text, lane of_body);

/// `pct,SEED,DEPTH,OPERATIONS` or `random,SEED`, as a plan's line has it in brackets.
std::string text_of_drawn(const drawn_schedule&);
drawn_schedule parse_drawn(const word& arguments);

/// How a campaign schedules its runs, as somebody asks for it.
struct asked_schedule
{
    drawn_schedule drawn;
    unsigned preemptions = 0;
};

/// `fifo` or `all 2` for a sweep; `fifo`, `random` or `pct 3` for a random campaign.
///
/// Errors: throws `input_error` for anything else.
asked_schedule parse_schedule(std::string_view text, bool of_sweep);

/// In which of the two notations something is written.
enum class notation
{
    plan,    ///< `run(c1 before c0/session.close)`
    scenario ///< `run c1 before c0/session.close`
};

/// A deviation of the schedule, from what follows the word `run`; with the lane said again,
/// `c1 before c0 at c0/session.close`.
perturbation parse_deviation(const word& arguments, notation);

} // namespace mishap::detail
