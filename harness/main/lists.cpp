// SPDX-License-Identifier: MIT
#include "lists.hpp"
#include "explain.hpp"
#include "patterns.hpp"

#include "explore/menu.hpp"
#include "explore/obligations.hpp"
#include "invariant/document_rules.hpp"
#include "invariant/invariants.hpp"
#include "scenario/keys.hpp"

#include <mishap/account.hpp>
#include <mishap/error.hpp>
#include <mishap/fault.hpp>
#include <mishap/input_error.hpp>
#include <mishap/manager.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace mishap::detail {

namespace {

struct table
{
    std::string title;
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;
};

std::string code(std::string_view text) { return fmt::format("`{}`", text); }

std::string escaped(const std::string& cell)
{
    std::string text;
    for (const char c : cell) {
        if (c == '|')
            text += '\\';
        text += c;
    }
    return text;
}

std::string as_markdown(const table& t)
{
    std::string text = t.title.empty() ? "" : fmt::format("{}\n\n", t.title);
    const auto line = [&](const std::vector<std::string>& cells) {
        for (const std::string& cell : cells)
            text += cell.empty() ? "| " : fmt::format("| {} ", escaped(cell));
        text += "|\n";
    };
    line(t.columns);
    text += '|';
    for (std::size_t i = 0; i < t.columns.size(); ++i)
        text += "---|";
    text += '\n';
    for (const auto& row : t.rows)
        line(row);
    return text;
}

std::string as_text(const table& t)
{
    std::vector<std::size_t> widths(t.columns.size());
    for (const auto& row : t.rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].size());
    std::string text = t.title.empty() ? "" : fmt::format("{}\n", t.title);
    for (const auto& row : t.rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += fmt::format("{:<{}}  ", row[i], widths[i]);
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + '\n';
    }
    return text;
}

/// A form, with its alternatives told apart by commas.
std::string form_in_words(std::string_view form)
{
    std::vector<std::string> words;
    for (const std::string_view one : alternatives(form)) {
        constexpr std::string_view more = ", ...]";
        if (one == "{...}")
            words.emplace_back("a map");
        else if (one.starts_with('['))
            words.push_back(form_in_words(one.substr(1, one.size() - 1 - more.size())) + ", or a list");
        else
            words.push_back(code(one));
    }
    return fmt::format("{}", fmt::join(words, ", "));
}

table faults(bool markdown)
{
    table t{{}, {"fault", "the operation ..."}, {}};
    for (const fault_description& row : fault_table()) {
        const std::string word = fmt::format("{}{}", row.word, parameter_text(row));
        t.rows.push_back({markdown ? code(word) : word, std::string(row.about)});
    }
    return t;
}

table errors(bool markdown)
{
    table t{{}, {"error", "what is thrown, or given as a code"}, {}};
    for (const std::string& name : error_names()) {
        const error& e = get_error(name);
        t.rows.push_back(
            {markdown ? code(name) : name, (e.about.empty() ? "an error of this program's own" : e.about) +
                                               (e.breaking ? "; breaking" : "")});
    }
    return t;
}

/// Of operations, which say what is demanded of them.
table roles(bool markdown)
{
    constexpr std::pair<role, std::string_view> all[] = {{role::create, "opens a resource"},
        {role::use, "works with an open one"}, {role::close, "closes it"},
        {role::force_close, "closes it at once, and cannot be seen to fail"},
        {role::maintenance, "is the manager's own, such as a ping; never the body's"},
        {role::begin, "begins a transaction"}, {role::commit, "makes its changes last"},
        {role::rollback, "takes them back"}, {role::acquire, "takes a lock, a lease or a permit"},
        {role::release, "gives that back"}, {role::body, "is the client's work itself"}};
    table t{{}, {"role", "the operation ..."}, {}};
    for (const auto& [one, about] : all) {
        const std::string name(to_string(one));
        t.rows.push_back({markdown ? code(name) : name, std::string(about)});
    }
    return t;
}

table managers(bool markdown)
{
    table t{{}, {"manager", "registered at"}, {}};
    for (const std::string& name : manager_names())
        t.rows.push_back({markdown ? code(name) : name,
            fmt::format("{}:{}", get_manager(name).file, get_manager(name).line)});
    return t;
}

std::vector<table> rules(bool markdown)
{
    table t{{}, {"invariant", "rule"}, {}};
    for (const auto& some : {invariants(), invariants_between_runs()})
        for (const invariant& i : some)
            t.rows.push_back({markdown ? code(i.name) : std::string(i.name),
                std::string(i.rule) + (i.always ? "; always judged" : "")});
    table map{"What documents on resource managers ask for, and the invariants that check it:",
        {"the documents say", "mishap checks"}, {}};
    for (const document_rule& rule : document_rules()) {
        std::vector<std::string> names;
        for (const std::string_view name : rule.checked_by)
            names.push_back(markdown ? code(name) : std::string(name));
        map.rows.push_back({std::string(rule.says), fmt::format("{}", fmt::join(names, ", "))});
    }
    return {std::move(t), std::move(map)};
}

std::vector<table> coverage(bool markdown)
{
    table t{{}, {"a sweep tries", "at"}, {}};
    for (const coverage_row& row : default_coverage())
        t.rows.push_back({markdown ? code(row.what) : std::string(row.what), std::string(row.where)});
    table claim{"What a sweep claims that calls itself complete:", {"about", "it claims"}, {}};
    for (const coverage_row& row : claims_of_completeness())
        claim.rows.push_back({std::string(row.what), std::string(row.where)});
    return {std::move(t), std::move(claim)};
}

table code_places(bool markdown)
{
    table t{{}, {"place", "said by"}, {}};
    for (const std::string& text : known_places())
        t.rows.push_back({markdown ? code(text) : text, "MISHAP_REACHED"});
    return t;
}

table document_rules_in_full(bool markdown)
{
    table t{{}, {"list", "the documents say", "checked by", "caught in"}, {}};
    for (const document_item& item : document_items()) {
        std::vector<std::string> names;
        for (const std::string_view name : item.checked_by)
            names.push_back(markdown ? code(name) : std::string(name));
        t.rows.push_back({fmt::format("{} {}", item.list, item.number), std::string(item.says),
            names.empty() ? "the compiler" : fmt::format("{}", fmt::join(names, ", ")),
            markdown ? code(item.caught_in) : std::string(item.caught_in)});
    }
    return t;
}

table patterns(bool markdown)
{
    table t{{}, {"pattern", "what `new` writes"}, {}};
    for (const pattern_template& p : pattern_templates())
        t.rows.push_back({markdown ? code(p.name) : std::string(p.name), std::string(p.about)});
    return t;
}

table exceptions(bool markdown)
{
    table t{{}, {"waiver", "what looks like a violation is none, because ..."}, {}};
    for (const waiver* one : waivers())
        t.rows.push_back({markdown ? code(one->name) : std::string(one->name), std::string(one->sentence)});
    return t;
}

table keys(const key_section& section, bool markdown, bool titled)
{
    table t{{}, {"key", "value", "default", "it says"}, {}};
    if (titled)
        t.title = section.path.empty() ? "a scenario:" : fmt::format("{}:", section.path);
    for (const key_description& row : section.keys)
        t.rows.push_back({markdown ? code(row.key) : std::string(row.key),
            markdown ? form_in_words(row.form) : std::string(row.form), std::string(row.otherwise),
            std::string(row.about)});
    return t;
}

/// The contract's terms, a table for each of its groups.
std::vector<table> terms(bool markdown)
{
    std::vector<table> tables;
    std::string_view group;
    for (const key_description& row : contract_section().keys) {
        if (const auto now = row.member.substr(0, row.member.find('.')); now != group) {
            group = now;
            tables.push_back({fmt::format("{}:", markdown ? code(group) : std::string(group)),
                {"term", "in C++", "value", "default", "it says"}, {}});
        }
        const std::string member = fmt::format(".{}", row.member);
        tables.back().rows.push_back({markdown ? code(row.key) : std::string(row.key),
            markdown ? code(member) : member, markdown ? form_in_words(row.form) : std::string(row.form),
            std::string(row.otherwise), std::string(row.about)});
    }
    return tables;
}

/// A term takes a line of what it is, and more of what it says.
std::string terms_as_text()
{
    constexpr std::size_t indent = 4;
    constexpr std::size_t columns = 100;
    std::string text;
    for (const table& group : terms(false)) {
        text += (text.empty() ? "" : "\n") + group.title + '\n';
        for (const auto& row : group.rows) {
            text += fmt::format("  {:<24}{:<30}{}\n", row[0], row[1], row[2]);
            const std::string about =
                row[3].empty() ? row[4] : fmt::format("{} (default: {})", row[4], row[3]);
            for (const std::string& line : wrapped(about, columns - indent))
                text += fmt::format("{:{}}{}\n", "", indent, line);
        }
    }
    return text;
}

std::vector<table> all_keys(const std::string& part, bool markdown)
{
    std::vector<table> tables;
    std::vector<std::string> known;
    for (const key_section& section : key_sections()) {
        known.emplace_back(section.path.empty() ? "scenario" : section.path);
        if (part.empty() || part == known.back())
            tables.push_back(keys(section, markdown, part.empty()));
    }
    if (tables.empty())
        throw input_error(unknown_word("section of keys", part, known));
    return tables;
}

} // namespace

std::vector<std::string> wrapped(const std::string& text, std::size_t columns)
{
    std::vector<std::string> lines(1);
    std::size_t from = 0;
    while (from < text.size()) {
        const std::size_t space = std::min(text.find(' ', from), text.size());
        const std::string word = text.substr(from, space - from);
        if (!lines.back().empty() && lines.back().size() + 1 + word.size() > columns)
            lines.emplace_back();
        if (!lines.back().empty())
            lines.back() += ' ';
        lines.back() += word;
        from = space + 1;
    }
    return lines;
}

const std::vector<std::string>& list_names()
{
    static const std::vector<std::string> names{"managers", "roles", "faults", "invariants", "waivers",
        "errors", "contract", "coverage", "keys", "patterns", "document-rules", "verdicts", "places"};
    return names;
}

std::string list_text(const std::string& what, const std::string& part, bool markdown)
{
    if (!part.empty() && what != "keys")
        throw input_error(fmt::format("'{}' is one word too many: only list keys has parts", part));
    if (what == "verdicts")
        return explain_every_rule(markdown);
    if (what == "contract" && !markdown)
        return terms_as_text();
    std::vector<table> tables;
    if (what == "managers")
        tables = {managers(markdown)};
    else if (what == "roles")
        tables = {roles(markdown)};
    else if (what == "faults")
        tables = {faults(markdown)};
    else if (what == "invariants")
        tables = rules(markdown);
    else if (what == "waivers")
        tables = {exceptions(markdown)};
    else if (what == "errors")
        tables = {errors(markdown)};
    else if (what == "contract")
        tables = terms(markdown);
    else if (what == "coverage")
        tables = coverage(markdown);
    else if (what == "places")
        tables = {code_places(markdown)};
    else if (what == "patterns")
        tables = {patterns(markdown)};
    else if (what == "document-rules")
        tables = {document_rules_in_full(markdown)};
    else if (what == "keys")
        tables = all_keys(part, markdown);
    else
        throw input_error(unknown_word("list", what, list_names()));
    std::string text;
    for (const table& t : tables) {
        if (!text.empty())
            text += '\n';
        text += markdown ? as_markdown(t) : as_text(t);
    }
    return text;
}

} // namespace mishap::detail
