// SPDX-License-Identifier: MIT
#include "campaign_words.hpp"

#include "campaigns.hpp"

#include "fault/plan_words.hpp"

#include <mishap/duration.hpp>
#include <mishap/input_error.hpp>
#include <mishap/manager.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fnmatch.h>

namespace mishap::detail {

void keep_matching(std::vector<std::string>& files, const arguments& given)
{
    const auto pattern = given.option("filter");
    if (!pattern)
        return;
    const std::string anywhere = '*' + *pattern + '*';
    std::erase_if(
        files, [&](const std::string& file) { return ::fnmatch(anywhere.c_str(), file.c_str(), 0) != 0; });
}

std::vector<std::string> with_campaign_options(std::vector<std::string> own)
{
    const auto& all = campaign_options();
    own.insert(own.end(), all.begin(), all.end());
    return own;
}

std::map<std::string, std::string, std::less<>> named_settings(const arguments& given)
{
    std::map<std::string, std::string, std::less<>> settings;
    for (const std::string& setting : given.options("with")) {
        const auto equals = setting.find('=');
        if (equals == std::string::npos || equals == 0)
            throw input_error(fmt::format("--with needs name=value, not '{}'", setting));
        const std::string name = setting.substr(0, equals);
        if (!settings.emplace(name, setting.substr(equals + 1)).second)
            throw input_error(fmt::format("--with gives the setting '{}' twice: remove one", name));
    }
    return settings;
}

std::vector<std::string> listed(const arguments& given, std::string_view name)
{
    std::vector<std::string> words;
    const auto list = given.option(name);
    if (list && list->empty())
        throw input_error(fmt::format("--{} is empty: name one at least, or leave it out", name));
    // A comma may stand inside brackets.
    int depth = 0;
    for (const char c : list.value_or("")) {
        depth += c == '(' ? 1 : c == ')' ? -1 : 0;
        if (words.empty())
            words.emplace_back();
        if (c == ',' && depth <= 0)
            words.emplace_back();
        else
            words.back() += c;
    }
    return words;
}

std::vector<fault> named_kinds(const arguments& given)
{
    std::vector<fault> kinds;
    for (const std::string& word : listed(given, "kinds"))
        kinds.push_back(parse_kind(word));
    return kinds;
}

limits named_limits(const arguments& given)
{
    limits bounds;
    if (const auto text = given.option("horizon")) {
        try {
            bounds.horizon = parse_duration(*text);
        } catch (const input_error& e) {
            throw input_error(fmt::format("--horizon: {}", e.what()));
        }
        if (*bounds.horizon <= duration(0))
            throw input_error("--horizon is 0s: a run needs some time");
    }
    bounds.steps_max = given.number("steps-max", 1, 1'000'000'000).value_or(bounds.steps_max);
    return bounds;
}

/// `--schedule 'pct 3'`.
asked_schedule named_schedule(const arguments& given, bool of_sweep)
{
    const auto text = given.option("schedule");
    if (!text)
        return {};
    try {
        return parse_schedule(*text, of_sweep);
    } catch (const input_error& e) {
        throw input_error(fmt::format("--schedule: {}", e.what()));
    }
}

const manager& named_manager(const arguments& given)
{
    if (given.rest().empty())
        throw input_error(fmt::format("name a manager: {}", fmt::join(manager_names(), ", ")));
    if (given.rest().size() > 1)
        throw input_error(fmt::format("'{}' is one word too many", given.rest()[1]));
    return get_manager(given.rest().front());
}

std::string folder_to_save_in(const arguments& given)
{
    const std::string folder = given.option("save").value_or("mishap-failures");
    if (folder.empty())
        throw input_error("--save needs the name of a folder, such as --save mishap-failures");
    return folder;
}

void settle_seed(std::vector<std::string>& words)
{
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "--seed=random")
            words[i] = fmt::format("--seed={}", random_seed());
        else if (words[i] == "random" && i > 0 && words[i - 1] == "--seed")
            words[i] = std::to_string(random_seed());
    }
}

} // namespace mishap::detail
