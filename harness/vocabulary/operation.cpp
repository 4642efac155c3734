// SPDX-License-Identifier: MIT
#include <mishap/input_error.hpp>
#include <mishap/operation.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mishap {

namespace {

constexpr std::uint32_t occurrence_max = 1'000'000;
constexpr lane lane_max = 999;

std::uint32_t parse_count(std::string_view whole, std::string_view digits, std::size_t offset)
{
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || end != digits.data() + digits.size() || error != std::errc() || value == 0 ||
        value > occurrence_max)
        throw input_error(fmt::format("'{}' in '{}' is no occurrence: they count from #1 to #{}",
                              std::string("#").append(digits), whole, occurrence_max),
            offset);
    return value;
}

} // namespace

bool is_word(std::string_view text) noexcept
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
}

std::string_view to_string(role r) noexcept
{
    switch (r) {
    case role::create:
        return "create";
    case role::use:
        return "use";
    case role::close:
        return "close";
    case role::force_close:
        return "force_close";
    case role::maintenance:
        return "maintenance";
    case role::begin:
        return "begin";
    case role::commit:
        return "commit";
    case role::rollback:
        return "rollback";
    case role::acquire:
        return "acquire";
    case role::release:
        return "release";
    case role::body:
        return "body";
    }
    return "?";
}

std::string lane_name(lane l)
{
    constexpr lane peers = -5;
    return l == background_lane ? "bg" : l == peers ? "peer" : fmt::format("c{}", l);
}

operation_id body_operation(lane l, std::uint32_t occurrence)
{
    static const symbol body("body");
    return {.lane = l, .kind = body, .name = {}, .occurrence = occurrence};
}

std::string to_string(const operation_id& id, bool show_client)
{
    std::string text;
    if (show_client || id.lane != 0)
        text = lane_name(id.lane) + '/';
    text += id.kind.text();
    if (!id.name.empty())
        text.append(".").append(id.name.text());
    text += fmt::format("#{}", id.occurrence);
    if (id.attempt != 1)
        text += fmt::format(".{}", id.attempt);
    return text;
}

operation_id parse_operation(std::string_view text)
{
    operation_id id;
    std::string_view rest = text;
    const auto offset = [&] { return static_cast<std::size_t>(rest.data() - text.data()); };
    const auto refuse = [&](std::string_view why) {
        return input_error(
            fmt::format(
                "'{}' names no operation: {}; write kind.name or kind.name#2, such as session.query#2", text,
                why),
            offset());
    };

    if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
        const std::string_view name = rest.substr(0, slash);
        unsigned client = 0;
        if (name == "bg") {
            id.lane = background_lane;
        } else {
            const auto [end, error] = std::from_chars(
                name.data() + std::min<std::size_t>(1, name.size()), name.data() + name.size(), client);
            if (name.size() < 2 || name[0] != 'c' || end != name.data() + name.size() ||
                error != std::errc() || client > static_cast<unsigned>(lane_max))
                throw refuse(fmt::format("'{}' is no lane (c0, c1, ... or bg)", name));
            id.lane = static_cast<lane>(client);
        }
        rest.remove_prefix(slash + 1);
    }

    std::string_view words = rest;
    if (const auto hash = rest.find('#'); hash != std::string_view::npos) {
        words = rest.substr(0, hash);
        std::string_view count = rest.substr(hash + 1);
        if (const auto point = count.find('.'); point != std::string_view::npos) {
            id.attempt = parse_count(text, count.substr(point + 1), offset() + hash);
            count = count.substr(0, point);
        }
        id.occurrence = parse_count(text, count, offset() + hash);
    }
    if (words == "body" || words == "resolve") {
        id.kind = symbol(words);
        return id;
    }
    const auto point = words.find('.');
    if (point == std::string_view::npos)
        throw refuse("it has no '.' between the resource's kind and the operation's name");
    if (!is_word(words.substr(0, point)) || !is_word(words.substr(point + 1)))
        throw refuse("kind and name are made of letters, digits and _");
    id.kind = symbol(words.substr(0, point));
    id.name = symbol(words.substr(point + 1));
    return id;
}

} // namespace mishap
