// SPDX-License-Identifier: MIT
#include "format.hpp"

#include "keys.hpp"

#include "report/file.hpp"

#include <mishap/scenario.hpp>

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace mishap::detail {

namespace {

/// A key of the scenario itself, with the comment above it and all that belongs to it.
struct block
{
    std::string key; ///< empty: what stands before the first key
    std::vector<std::string> lines;
};

std::string key_of(const std::string& line)
{
    const std::size_t colon = line.find(':');
    const bool is_key = colon != std::string::npos && colon > 0 &&
                        std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(colon),
                            [](unsigned char c) { return std::islower(c) || c == '_'; });
    return is_key ? line.substr(0, colon) : std::string();
}

std::vector<block> blocks_of(const std::string& text)
{
    std::vector<block> blocks(1);
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        line.erase(line.find_last_not_of(" \t\r") + 1);
        if (std::string key = key_of(line); !key.empty()) {
            // The comment right above a key belongs to it.
            auto& before = blocks.back().lines;
            auto from = before.end();
            while (from != before.begin() && std::prev(from)->starts_with('#'))
                --from;
            block next{std::move(key), {from, before.end()}};
            before.erase(from, before.end());
            blocks.push_back(std::move(next));
        }
        blocks.back().lines.push_back(line);
    }
    return blocks;
}

bool same(const YAML::Node& a, const YAML::Node& b)
{
    if (a.Type() != b.Type() || a.Tag() != b.Tag())
        return false;
    if (a.IsScalar())
        return a.Scalar() == b.Scalar();
    if (a.size() != b.size())
        return false;
    if (a.IsSequence())
        return std::equal(a.begin(), a.end(), b.begin(),
            [](const YAML::Node& one, const YAML::Node& other) { return same(one, other); });
    if (!a.IsMap())
        return true;
    // The order of operations under `faults` counts.
    const auto equal_entry = [](const auto& one, const auto& other) {
        return same(one.first, other.first) && same(one.second, other.second);
    };
    return std::equal(a.begin(), a.end(), b.begin(), equal_entry);
}

/// As `same`, but the keys of the scenario itself may stand in any order.
bool same_scenario(const YAML::Node& a, const YAML::Node& b)
{
    return a.IsMap() && b.IsMap() && a.size() == b.size() &&
           std::all_of(a.begin(), a.end(), [&](const auto& entry) {
               return entry.first.IsScalar() && same(entry.second, b[entry.first.Scalar()]);
           });
}

} // namespace

std::string formatted(const std::string& text, const std::string& file)
{
    YAML::Node before;
    try {
        before = YAML::Load(text);
    } catch (const YAML::Exception& e) {
        throw scenario_error({file, e.mark.line + 1, e.mark.column + 1}, e.msg);
    }
    if (!before.IsMap())
        throw scenario_error({file, 1, 1}, "this is no scenario: it must be a map");
    const std::vector<key_section> sections = key_sections();
    const auto& keys = sections.front().keys;
    const auto place_of = [&](std::string_view key) {
        const auto found =
            std::find_if(keys.begin(), keys.end(), [&](const key_description& k) { return k.key == key; });
        return found - keys.begin();
    };
    // What is explored stands in the place of the faults of an example, before what is expected of it.
    const auto rank = [&](const block& one) {
        return one.key.empty()        ? std::pair(std::ptrdiff_t(-1), false)
               : one.key == "explore" ? std::pair(place_of("faults"), true)
                                      : std::pair(place_of(one.key), false);
    };
    std::vector<block> blocks = blocks_of(text);
    std::stable_sort(
        blocks.begin(), blocks.end(), [&](const block& a, const block& b) { return rank(a) < rank(b); });
    std::string neat;
    bool blank = true; // none at the beginning
    for (const block& one : blocks)
        for (const std::string& line : one.lines) {
            if (!line.empty() || !blank)
                neat += line + '\n';
            blank = line.empty();
        }
    while (neat.ends_with("\n\n"))
        neat.pop_back();
    try {
        return same_scenario(before, YAML::Load(neat)) ? neat : text;
    } catch (const YAML::Exception&) {
        return text;
    }
}

bool format_file(const std::string& file, bool write)
{
    std::ifstream in(file, std::ios::binary);
    std::ostringstream read;
    read << in.rdbuf();
    if (!in)
        throw std::runtime_error(file + ": cannot be read");
    const std::string text = read.str();
    const std::string neat = formatted(text, file);
    if (neat != text && write)
        write_whole_file(file, neat, "the scenario");
    return neat != text;
}

} // namespace mishap::detail
