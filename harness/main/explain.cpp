// SPDX-License-Identifier: MIT
#include "explain.hpp"
#include "explanations.hpp"
#include "lists.hpp"

#include "invariant/invariants.hpp"
#include "invariant/waivers.hpp"
#include "scenario/keys.hpp"

#include <mishap/error.hpp>
#include <mishap/fault.hpp>
#include <mishap/input_error.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace mishap::detail {

namespace {

constexpr std::size_t columns = 100;

const explanation* explanation_of(std::string_view rule)
{
    const auto all = explanations();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const explanation& e) { return e.rule == rule; });
    return found == all.end() ? nullptr : &*found;
}

std::vector<const invariant*> every_rule()
{
    std::vector<const invariant*> rules;
    for (const auto& some : {invariants(), invariants_between_runs()})
        for (const invariant& i : some)
            rules.push_back(&i);
    return rules;
}

std::string as_sentence(std::string_view rule)
{
    std::string sentence(rule);
    if (!sentence.empty() && sentence.front() >= 'a' && sentence.front() <= 'z')
        sentence.front() = static_cast<char>(sentence.front() - 'a' + 'A');
    return sentence + '.';
}

std::string paragraph(std::string_view text, std::size_t indent, std::string_view first = "")
{
    std::string lines;
    for (const std::string& line : wrapped(std::string(text), columns - indent)) {
        const std::string_view lead = lines.empty() ? first : std::string_view();
        lines += fmt::format("{:<{}}{}\n", lead, indent, line);
    }
    return lines;
}

std::string bullets(std::string_view title, const std::vector<std::string_view>& items)
{
    std::string text = fmt::format("\n{}:\n", title);
    for (const std::string_view item : items)
        text += paragraph(item, 4, "  -");
    return text;
}

std::string rule_as_text(const invariant& rule)
{
    std::string text = fmt::format("{} (a rule)\n", rule.name) + paragraph(as_sentence(rule.rule), 2);
    const explanation* more = explanation_of(rule.name);
    if (!more)
        return text + "  A rule of this program's own.\n";
    text += '\n' + paragraph(more->meaning, 2);
    text += bullets("usual causes", more->causes) + bullets("remedies", more->remedies);
    if (!more->terms.empty())
        text += "\nterms of the contract that bear on it:\n" +
                paragraph(fmt::format("{}", fmt::join(more->terms, ", ")), 2);
    if (!more->shown_in.empty())
        text += fmt::format("\nbroken in the catalogue:\n  {}\n", more->shown_in);
    return text;
}

std::string rule_as_markdown(const invariant& rule)
{
    const explanation* more = explanation_of(rule.name);
    if (!more)
        return "";
    const auto items = [](const std::vector<std::string_view>& some) {
        std::string text;
        for (const std::string_view item : some)
            text += fmt::format("- {}\n", item);
        return text;
    };
    std::string text = fmt::format("### `{}`\n\n**{}**\n\n{}\n\nUsual causes:\n\n{}\nRemedies:\n\n{}",
        rule.name, as_sentence(rule.rule), more->meaning, items(more->causes), items(more->remedies));
    if (!more->terms.empty())
        text += fmt::format("\nTerms that bear on it: `{}`.\n", fmt::join(more->terms, "`, `"));
    if (!more->shown_in.empty())
        text += fmt::format("\nBroken in `{}`.\n", more->shown_in);
    return text;
}

std::string term_as_text(const key_description& term)
{
    std::string text =
        fmt::format("{} (a term of the contract)\n", term.key) + paragraph(as_sentence(term.about), 2);
    text += fmt::format("\n  in C++       .{}\n  in scenarios {}: {}\n  default      {}\n", term.member,
        term.key, term.form, term.otherwise.empty() ? "none" : term.otherwise);
    std::vector<std::string_view> rules;
    for (const explanation& e : explanations())
        if (std::find(e.terms.begin(), e.terms.end(), term.key) != e.terms.end())
            rules.push_back(e.rule);
    if (!rules.empty())
        text += fmt::format("  bears on     {}\n", fmt::join(rules, ", "));
    return text;
}

} // namespace

std::string explain_text(const std::string& word)
{
    std::vector<std::string> parts;
    std::vector<std::string> known;
    const auto is_meant = [&](std::string_view name) {
        known.emplace_back(name);
        return word == name;
    };
    for (const invariant* rule : every_rule())
        if (is_meant(rule->name))
            parts.push_back(rule_as_text(*rule));
    for (const key_description& term : contract_section().keys)
        if (is_meant(term.key) || word == term.member || word == fmt::format(".{}", term.member))
            parts.push_back(term_as_text(term));
    for (const fault_description& fault : fault_table())
        if (is_meant(fault.word))
            parts.push_back(fmt::format("{}{} (a fault)\n", fault.word, parameter_text(fault)) +
                            paragraph(fmt::format("The operation {}.", fault.about), 2));
    for (const waiver* one : waivers())
        if (is_meant(one->name))
            parts.push_back(fmt::format("{} (a waiver: what looks like a violation is none)\n", one->name) +
                            paragraph(one->sentence, 2));
    for (const std::string& name : error_names())
        if (is_meant(name))
            parts.push_back(fmt::format("{} (an error)\n", name) +
                            paragraph(get_error(name).about.empty() ? "An error of this program's own."
                                                                    : as_sentence(get_error(name).about),
                                2));
    if (parts.empty()) {
        const std::string meant = nearest(word, known);
        throw input_error(fmt::format(
            "nothing is called '{}'{}; 'list' with invariants, contract, faults, waivers or errors "
            "prints what there is",
            word, meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant)));
    }
    return fmt::format("{}", fmt::join(parts, "\n"));
}

std::string causes_and_remedies(const std::string& rule)
{
    const explanation* const more = explanation_of(rule);
    return more ? bullets("usual causes", more->causes) + bullets("remedies", more->remedies) : "";
}

std::string explain_every_rule(bool markdown)
{
    std::vector<std::string> parts;
    for (const invariant* rule : every_rule())
        if (explanation_of(rule->name))
            parts.push_back(markdown ? rule_as_markdown(*rule) : rule_as_text(*rule));
    return fmt::format("{}", fmt::join(parts, "\n"));
}

} // namespace mishap::detail
