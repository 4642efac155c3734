// SPDX-License-Identifier: MIT
#include "keys.hpp"

#include "explore/workers.hpp"
#include "invariant/invariants.hpp"

#include <mishap/error.hpp>
#include <mishap/fault.hpp>
#include <mishap/invariant.hpp>
#include <mishap/manager.hpp>
#include <mishap/scenario.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace mishap {

namespace {

/// A JSON value, as text.
using json = std::string;

json text_value(std::string_view text)
{
    json quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            quoted += '\\';
        if (static_cast<unsigned char>(c) < 0x20)
            quoted += fmt::format("\\u{:04x}", c);
        else
            quoted += c;
    }
    return quoted + '"';
}

json object(const std::vector<std::pair<std::string, json>>& members)
{
    std::vector<json> parts;
    for (const auto& [name, value] : members)
        parts.push_back(text_value(name) + ": " + value);
    return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

json array(const std::vector<json>& items) { return fmt::format("[{}]", fmt::join(items, ", ")); }

json any_of(const std::vector<json>& choices)
{
    return choices.size() == 1 ? choices.front() : object({{"anyOf", array(choices)}});
}

json one_of_words(const std::vector<std::string>& words)
{
    std::vector<json> items;
    for (const std::string& word : words)
        items.push_back(text_value(word));
    return object({{"enum", array(items)}});
}

json text_like(std::string_view pattern)
{
    return object({{"type", text_value("string")}, {"pattern", text_value(pattern)}});
}

std::string replaced(std::string text, std::string_view what, std::string_view by)
{
    if (const auto at = text.find(what); at != std::string::npos)
        text.replace(at, what.size(), by);
    return text;
}

bool is_number(std::string_view text)
{
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }

std::string path_below(std::string_view path, std::string_view key)
{
    return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

/// What a form of the tables allows. `path` is that of the section whose keys `{...}` stands for.
json schema_of(std::string_view form, const std::string& path)
{
    std::vector<json> choices;
    std::vector<std::string> words;
    for (const std::string_view one : detail::alternatives(form)) {
        constexpr std::string_view more = ", ...";
        const std::string_view inner =
            one.size() > more.size() + 2 ? one.substr(1, one.size() - 2 - more.size()) : std::string_view();
        if (one == "{...}") {
            choices.push_back(object({{"$ref", text_value("#/$defs/" + path)}}));
        } else if (one.starts_with('[')) {
            // One item may stand without its list.
            const json item = schema_of(inner, path);
            choices.push_back(item);
            choices.push_back(object({{"type", text_value("array")}, {"items", item}}));
        } else if (one.starts_with('{')) {
            const auto colon = inner.find(": ");
            choices.push_back(object(
                {{"type", text_value("object")}, {"propertyNames", schema_of(inner.substr(0, colon), path)},
                    {"additionalProperties", schema_of(inner.substr(colon + 2), path)}}));
        } else if (const auto dots = one.find(".."); dots != std::string_view::npos) {
            choices.push_back(object({{"type", text_value("integer")}, {"minimum", json(one.substr(0, dots))},
                {"maximum", json(one.substr(dots + 2))}}));
        } else if (is_number(one)) {
            choices.push_back(object({{"const", json(one)}}));
        } else if (one == "true" || one == "false") {
            if (one == "true")
                choices.push_back(object({{"type", text_value("boolean")}}));
        } else if (one.ends_with(" ERROR")) {
            for (const std::string& name : error_names())
                words.push_back(replaced(std::string(one), "ERROR", name));
        } else if (one.find(' ') != std::string_view::npos) {
            std::string pattern = "^";
            for (std::size_t i = 0; i < one.size(); ++i)
                if (!is_capital(one[i]))
                    pattern += one[i];
                else if (!is_capital(one[i - 1]))
                    pattern += ".+";
            choices.push_back(text_like(pattern + '$'));
        } else if (is_capital(one.front())) {
            choices.push_back(object({{"$ref", text_value(fmt::format("#/$defs/{}", one))}}));
        } else {
            words.emplace_back(one);
        }
    }
    if (!words.empty())
        choices.push_back(one_of_words(words));
    return any_of(choices);
}

/// The faults as a scenario writes them, spelled out for completion, and what else the loader reads: the
/// spelling of a plan's line, and a body's `after session.query#2`, which no list could hold.
json faults()
{
    std::vector<std::string> words;
    std::vector<std::string> patterns;
    for (const fault_description& row : fault_table()) {
        const std::string word(row.word);
        std::vector<std::string> parameters;
        if (row.takes_error)
            parameters = error_names();
        if (row.takes_cancellation)
            for (const auto type : {cancellation::terminal, cancellation::partial, cancellation::total})
                parameters.emplace_back(to_string(type));
        if (!row.takes_duration || row.takes_error)
            words.push_back(word);
        for (const std::string& parameter : parameters)
            words.push_back(fmt::format("{} {}", word, parameter));
        std::string spelt = word;
        std::replace(spelt.begin(), spelt.end(), ' ', '.');
        if (!parameters.empty())
            patterns.push_back(fmt::format("{}[ (]({})([), ].*)?", spelt, fmt::join(parameters, "|")));
        else if (row.takes_duration)
            patterns.push_back(spelt + "[ (].+");
        else if (spelt != word)
            patterns.push_back(spelt);
    }
    return any_of({one_of_words(words), text_like(fmt::format("^({})$", fmt::join(patterns, "|")))});
}

/// A step of a peer: on one line, or as a map of its word and what follows.
json step_of_peer()
{
    const json line = text_like("^(expect .+|skip [0-9]+|until .+|reply .+|wait .+|close|reset|silence)$");
    const json value =
        object({{"type", array({text_value("string"), text_value("integer"), text_value("object")})}});
    std::vector<std::pair<std::string, json>> words;
    for (const char* word : {"expect", "skip", "until", "reply", "wait"})
        words.emplace_back(word, value);
    return any_of({line, object({{"type", text_value("object")}, {"additionalProperties", "false"},
                             {"properties", object(words)}})});
}

std::vector<std::pair<std::string, json>> definitions()
{
    std::vector<std::string> rules;
    for (const invariant& i : invariants())
        rules.emplace_back(i.name);
    rules.emplace_back(detail::invariants_between_runs().front().name);
    for (const std::string_view death : detail::death_names)
        rules.emplace_back(death);
    const json text = object({{"type", text_value("string")}});
    return {
        {"TEXT", text},
        {"NAME", text},
        {"VALUE",
            object({{"type", array({text_value("string"), text_value("number"), text_value("boolean")})}})},
        {"DURATION", text_like("^[0-9]+([.][0-9]+)?(ns|us|ms|s|min|h)$")},
        {"NETWORK", text_like("^(partition|route|restart|resolve|refuse|black_hole) .+$")},
        {"PLACE", text_like("^(.+:[0-9]+|unix:.+)$")},
        {"PEER", any_of({text, object({{"type", text_value("array")}, {"items", step_of_peer()}})})},
        {"CLIENT", text_like("^c[0-9]+$")},
        {"OPERATION", text_like("^([^/]+/)?(body|[A-Za-z0-9_]+[.][A-Za-z0-9_]+)(#.+)?$")},
        {"FAULT", faults()},
        {"KIND", any_of({object({{"$ref", text_value("#/$defs/FAULT")}}), one_of_words({"delay"})})},
        {"OBLIGATION",
            any_of({text, object({{"type", text_value("object")},
                              {"propertyNames", object({{"$ref", text_value("#/$defs/OPERATION")}})},
                              {"additionalProperties", object({{"$ref", text_value("#/$defs/KIND")}})}})})},
        {"ERROR", one_of_words(error_names())},
        {"INVARIANT", one_of_words(rules)},
        {"MANAGER", one_of_words(manager_names())},
    };
}

json schema_of(const detail::key_section& section)
{
    std::vector<std::pair<std::string, json>> properties;
    std::vector<json> required;
    for (const detail::key_description& row : section.keys) {
        std::string about(row.about);
        if (!row.otherwise.empty() && row.otherwise != "required")
            about += fmt::format(" (default: {})", row.otherwise);
        json described = schema_of(row.form, path_below(section.path, row.key));
        described.insert(1, fmt::format("\"description\": {}, ", text_value(about)));
        properties.emplace_back(row.key, std::move(described));
        if (row.otherwise == "required")
            required.push_back(text_value(row.key));
    }
    std::vector<std::pair<std::string, json>> members{
        {"type", text_value("object")}, {"additionalProperties", "false"}};
    if (!required.empty())
        members.emplace_back("required", array(required));
    members.emplace_back("properties", object(properties));
    return object(members);
}

/// A line for each member of the outer levels.
std::string indented(const json& flat)
{
    constexpr int deepest = 4;
    std::string text;
    int depth = 0;
    bool in_text = false;
    const auto new_line = [&] { text += '\n' + std::string(static_cast<std::size_t>(depth) * 2, ' '); };
    for (std::size_t i = 0; i < flat.size(); ++i) {
        const char c = flat[i];
        if (in_text && c == '\\') {
            text += c;
            text += flat[++i];
            continue;
        }
        in_text = in_text != (c == '"');
        const bool closes = !in_text && (c == '}' || c == ']');
        if (closes && depth-- <= deepest)
            new_line();
        text += c;
        if (in_text)
            continue;
        if (c == '{' || c == '[') {
            if (++depth <= deepest)
                new_line();
        } else if (c == ',' && depth <= deepest) {
            new_line();
            ++i; // the blank behind it
        }
    }
    return text + '\n';
}

} // namespace

std::string scenario_schema()
{
    std::vector<std::pair<std::string, json>> defined = definitions();
    json root;
    for (const detail::key_section& section : detail::key_sections())
        if (section.path.empty())
            root = schema_of(section);
        else
            defined.emplace_back(section.path, schema_of(section));
    root.insert(1,
        fmt::format("\"$schema\": {}, \"title\": {}, ",
            text_value("https://json-schema.org/draft/2020-12/schema"), text_value("a scenario of mishap")));
    root.insert(root.size() - 1, ", \"$defs\": " + object(defined));
    return indented(root);
}

} // namespace mishap
