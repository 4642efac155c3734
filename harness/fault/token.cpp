// SPDX-License-Identifier: MIT
#include "plan_words.hpp"

#include <mishap/plan.hpp>

#include <boost/crc.hpp>

#include <fmt/format.h>

namespace mishap {

using namespace detail;

namespace {

constexpr std::string_view format_version = "1";

std::uint16_t checksum(std::string_view text)
{
    boost::crc_ccitt_type crc;
    crc.process_bytes(text.data(), text.size());
    return crc.checksum();
}

} // namespace

std::string to_string(const replay_token& token)
{
    std::string text = fmt::format("{} {}", format_version, quote(token.manager));
    if (const std::string plan = to_string(token.plan); !plan.empty())
        text += ' ' + plan;
    return fmt::format("{} ~{:04x}", text, checksum(text));
}

replay_token parse_token(std::string_view token)
{
    while (!token.empty() && (token.back() == '\n' || token.back() == ' '))
        token.remove_suffix(1);
    const auto tilde = token.rfind(" ~");
    if (tilde == std::string_view::npos)
        throw input_error(
            "this token does not end in a checksum such as ' ~7f3a': copy the whole line", token.size());
    const std::string_view text = token.substr(0, tilde);
    const std::string_view sum = token.substr(tilde + 2);
    if (sum != fmt::format("{:04x}", checksum(text)))
        throw input_error(
            fmt::format("the checksum ~{} does not fit this token: it was changed or cut; copy the whole "
                        "line from the report",
                sum),
            tilde + 2);
    const auto words = split_words(text);
    if (words.size() < 2)
        throw input_error("a token has a version, a manager and a plan", 0);
    if (words[0].text != format_version)
        throw input_error(fmt::format("this token has format version '{}', but this mishap reads version {}",
                              words[0].text, format_version),
            0);
    replay_token parsed;
    parsed.manager = unquote(words[1].text, words[1].offset);
    const std::size_t plan_at = words[1].offset + words[1].text.size();
    parsed.plan = at_offset(plan_at, [&] { return parse_plan(text.substr(plan_at)); });
    return parsed;
}

} // namespace mishap
