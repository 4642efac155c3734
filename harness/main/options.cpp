// SPDX-License-Identifier: MIT
#include "options.hpp"

#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace mishap::detail {

arguments::arguments(
    std::vector<std::string> words, std::vector<std::string> known, std::vector<std::string> flags)
{
    known.insert(known.end(), flags.begin(), flags.end());
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (!words[i].starts_with("--")) {
            rest_.push_back(std::move(words[i]));
            continue;
        }
        std::string name = words[i].substr(2);
        std::optional<std::string> value;
        if (const auto equals = name.find('='); equals != std::string::npos) {
            value = name.substr(equals + 1);
            name.resize(equals);
        }
        if (std::find(known.begin(), known.end(), name) == known.end())
            throw input_error(unknown_word("option", name, known));
        const bool is_flag = std::find(flags.begin(), flags.end(), name) != flags.end();
        if (is_flag && value)
            throw input_error(fmt::format("the option --{} takes no value", name));
        if (is_flag)
            value = "";
        if (!value) {
            if (i + 1 == words.size())
                throw input_error(fmt::format("the option --{} needs a value after it", name));
            value = std::move(words[++i]);
        }
        if (name != "with" && option(name))
            throw input_error(fmt::format("the option --{} is there twice", name));
        options_.emplace_back(std::move(name), std::move(*value));
    }
}

std::optional<std::string> arguments::option(std::string_view name) const
{
    const auto all = options(name);
    return all.empty() ? std::nullopt : std::optional(all.front());
}

std::vector<std::string> arguments::options(std::string_view name) const
{
    std::vector<std::string> values;
    for (const auto& [known, value] : options_)
        if (known == name)
            values.push_back(value);
    return values;
}

std::optional<std::uint64_t> arguments::number(
    std::string_view name, std::uint64_t least, std::uint64_t most) const
{
    const auto text = option(name);
    if (!text)
        return std::nullopt;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size() || value < least || value > most)
        throw input_error(
            fmt::format("--{} must be a whole number from {} to {}, not '{}'", name, least, most, *text));
    return value;
}

} // namespace mishap::detail
