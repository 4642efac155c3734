// SPDX-License-Identifier: MIT
#include <mishap/duration.hpp>
#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <array>
#include <limits>
#include <string>
#include <vector>

namespace mishap {

namespace {

struct unit
{
    std::string_view name;
    std::int64_t nanoseconds;
};

constexpr std::array<unit, 6> units{{
    {"ns", 1},
    {"us", 1'000},
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"min", 60'000'000'000},
    {"h", 3'600'000'000'000},
}};

constexpr std::string_view digits = "0123456789";

std::vector<std::string> unit_names()
{
    std::vector<std::string> names;
    for (const unit& u : units)
        names.emplace_back(u.name);
    return names;
}

} // namespace

std::string to_string(duration d)
{
    const std::int64_t count = d.count();
    if (count == 0)
        return "0s";
    const unit& u = count >= 1'000'000'000 ? units[3]
                    : count >= 1'000'000   ? units[2]
                    : count >= 1'000       ? units[1]
                                           : units[0];
    std::string text = fmt::format("{}", count / u.nanoseconds);
    if (const std::int64_t rest = count % u.nanoseconds) {
        std::size_t width = 0;
        for (std::int64_t scale = u.nanoseconds; scale > 1; scale /= 10)
            ++width;
        std::string fraction = fmt::format("{:0{}}", rest, width);
        fraction.erase(fraction.find_last_not_of('0') + 1);
        text += '.' + fraction;
    }
    return text.append(u.name);
}

duration parse_duration(std::string_view text)
{
    const auto refuse = [&](std::string_view why, std::size_t offset = 0) {
        return input_error(
            fmt::format("'{}' is no duration: {}; write a number and a unit, such as 5s or 1.5ms", text, why),
            offset);
    };
    if (text.empty())
        throw refuse("it is empty");
    if (text.front() == '-' || text.front() == '+')
        throw refuse("a duration has no sign");
    const std::size_t whole_end = std::min(text.find_first_not_of(digits), text.size());
    if (whole_end == 0)
        throw refuse("it does not begin with a digit");
    std::size_t fraction_end = whole_end;
    if (whole_end < text.size() && text[whole_end] == '.') {
        fraction_end = std::min(text.find_first_not_of(digits, whole_end + 1), text.size());
        if (fraction_end == whole_end + 1)
            throw refuse("a digit must follow the point", whole_end);
    }
    const std::string_view name = text.substr(fraction_end);
    if (name.empty())
        throw refuse("it has no unit (ns, us, ms, s, min, h)", fraction_end);
    const unit* found = nullptr;
    for (const unit& u : units)
        if (u.name == name)
            found = &u;
    if (!found)
        throw input_error(fmt::format("in '{}': {}", text, unknown_word("duration unit", name, unit_names())),
            fraction_end);

    std::int64_t value = 0;
    const auto scaled_add = [&](std::int64_t& to, std::int64_t factor, std::int64_t more) {
        if (__builtin_mul_overflow(to, factor, &to) || __builtin_add_overflow(to, more, &to))
            throw refuse("it is over 292 years");
    };
    for (const char c : text.substr(0, whole_end))
        scaled_add(value, 10, c - '0');
    scaled_add(value, found->nanoseconds, 0);
    if (fraction_end > whole_end) {
        std::int64_t scale = found->nanoseconds;
        for (const char c : text.substr(whole_end + 1, fraction_end - whole_end - 1)) {
            if (scale % 10 != 0 && c != '0')
                throw refuse("it is finer than a nanosecond", whole_end);
            scale /= 10;
            scaled_add(value, 1, scale * (c - '0'));
        }
    }
    return duration(value);
}

} // namespace mishap
