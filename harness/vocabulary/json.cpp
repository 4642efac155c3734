// SPDX-License-Identifier: MIT
#include "json.hpp"

#include <fmt/format.h>

namespace mishap::detail {

namespace {

/// How many bytes the character has that begins here; 0 where it is no UTF-8.
std::size_t length_of_character(std::string_view text)
{
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                               : lead >= 0xe0 && lead < 0xf0 ? 3
                               : lead >= 0xf0 && lead < 0xf5 ? 4
                                                             : 0;
    if (length == 0 || length > text.size())
        return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80)
            return 0;
    // Overlong forms, surrogates, and what lies beyond U+10FFFF.
    const auto second = length > 1 ? static_cast<unsigned char>(text[1]) : 0;
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second >= 0x90))
        return 0;
    return length;
}

} // namespace

std::string json_text(std::string_view text)
{
    std::string quoted = "\"";
    while (!text.empty()) {
        const std::size_t length = length_of_character(text);
        const auto c = static_cast<unsigned char>(text.front());
        if (length == 0)
            quoted += "\\ufffd";
        else if (c == '"' || c == '\\')
            quoted.append("\\").append(1, text.front());
        else if (c < 0x20 || c == 0x7f || c == '<' || c == '>' || c == '&')
            quoted += fmt::format("\\u{:04x}", c);
        else
            quoted.append(text.substr(0, length));
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return quoted + '"';
}

json_builder& json_builder::put(std::string_view name, std::string_view value)
{
    if (text_.size() > 1)
        text_ += ',';
    if (close_ == '}')
        text_.append(json_text(name)).append(":");
    text_.append(value);
    return *this;
}

} // namespace mishap::detail
