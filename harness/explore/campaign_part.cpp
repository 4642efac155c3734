// SPDX-License-Identifier: MIT
#include "campaign_part.hpp"

#include "invariant/invariants.hpp"
#include "report/json.hpp"
#include "report/told.hpp"
#include "report/what_matters.hpp"

#include "vocabulary/printable.hpp"

#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace mishap::detail {

namespace {

std::vector<std::string> as_list(const std::set<std::string, std::less<>>& words)
{
    return {words.begin(), words.end()};
}

std::set<std::string, std::less<>> as_set(const json::value& list)
{
    std::set<std::string, std::less<>> words;
    for (const json::value& word : list.items())
        words.insert(word.text());
    return words;
}

/// Names of rules live as long as the program.
std::string_view lasting_name(const std::string& rule)
{
    for (const auto all : {invariants(), invariants_between_runs()})
        for (const invariant& one : all)
            if (one.name == rule)
                return one.name;
    throw input_error("unknown invariant '" + rule + "' in a part of a campaign: was it another program?");
}

std::string to_json(const bugs::met& one)
{
    return json::object_writer()
        .add("rule", one.what.invariant)
        .add("role", static_cast<int>(one.what.role))
        .add("resource", one.what.resource.text())
        .add("kind", one.what.kind.text())
        .add("name", one.what.name.text())
        .add("sentence", one.example.sentence)
        .add("expected", one.example.expected)
        .add("actual", one.example.actual)
        .add("found", to_string(one.found))
        .add("plainest", to_string(one.plainest))
        .add("shrinks", one.shrinks)
        .text();
}

bugs::met met_from(const json::value& read)
{
    bugs::met one;
    one.what.invariant = lasting_name(read["rule"].text());
    one.what.role = static_cast<role>(read["role"].number());
    one.what.resource = symbol(read["resource"].text());
    one.what.kind = symbol(read["kind"].text());
    one.what.name = symbol(read["name"].text());
    one.example = {.invariant = one.what.invariant,
        .sentence = read["sentence"].text(),
        .role = one.what.role,
        .proof = {},
        .expected = read["expected"].text(),
        .actual = read["actual"].text()};
    one.found = parse_plan(read["found"].text());
    one.plainest = parse_plan(read["plainest"].text());
    one.shrinks = read["shrinks"].flag();
    return one;
}

std::string to_json(const coverage_of_operation& row)
{
    std::vector<std::string> cells;
    for (std::size_t kind = 0; kind < fault_kinds; ++kind)
        if (const coverage_cell& cell = row.by_fault[kind]; cell.planned != 0 || cell.fired != 0)
            cells.push_back(fmt::format("[{},{},{},{}]", kind, cell.planned, cell.fired, cell.seen));
    return json::object_writer()
        .add("kind", row.kind.text())
        .add("name", row.name.text())
        .raw("faults", cells)
        .text();
}

coverage_of_operation row_from(const json::value& read)
{
    coverage_of_operation row{symbol(read["kind"].text()), symbol(read["name"].text()), {}};
    for (const json::value& cell : read["faults"].items())
        if (const auto& numbers = cell.items(); numbers.size() == 4 && numbers[0].number() < fault_kinds)
            row.by_fault[numbers[0].number()] = {
                numbers[1].number(), numbers[2].number(), numbers[3].number()};
    return row;
}

} // namespace

std::string campaign_part::to_json() const
{
    std::vector<std::string> rows, bugs_met;
    for (const coverage_of_operation& row : coverage)
        rows.push_back(detail::to_json(row));
    for (const bugs::met& one : met)
        bugs_met.push_back(detail::to_json(one));
    json::object_writer out;
    const auto add = [&](const char* name, std::uint64_t number) {
        if (number != 0)
            out.add(name, number);
    };
    const auto mark = [&](const char* name, bool flag) {
        if (flag)
            out.add(name, true);
    };
    out.add("runs", runs).add("fired", fired).add("violating", violating);
    add("first_violation", first_violation);
    add("deaths", deaths);
    add("skipped", skipped);
    mark("entered", entered);
    mark("asked", asked);
    mark("nondeterministic", nondeterministic);
    mark("cut_short", cut_short);
    add("parts", parts);
    add("lost", lost);
    add("limited", limited);
    add("drawn", drawn);
    mark("bounded", bounded);
    mark("repeated", repeated);
    add("longest_wait", static_cast<std::uint64_t>(longest_wait));
    add("tick", static_cast<std::uint64_t>(tick));
    add("pruned", pruned);
    out.raw("coverage", rows).raw("met", bugs_met);
    std::vector<std::string> places, counts;
    for (const times_reached& one : reached)
        places.push_back(json::object_writer().add("what", one.what).add("runs", one.runs).text());
    for (const std::uint64_t count : required)
        counts.push_back(std::to_string(count));
    if (!places.empty())
        out.raw("reached", places);
    if (!counts.empty())
        out.raw("required", counts);
    if (!settings_read.empty())
        out.add("settings", as_list(settings_read));
    if (!others_settings_read.empty())
        out.add("others_settings", as_list(others_settings_read));
    return out.text();
}

campaign_part campaign_part::from_json(std::string_view text)
{
    const json::value read = json::parse(text);
    campaign_part part;
    part.runs = read["runs"].number();
    part.fired = read["fired"].number();
    part.violating = read["violating"].number();
    part.first_violation = read["first_violation"].number();
    part.deaths = read["deaths"].number();
    part.skipped = read["skipped"].number();
    part.entered = read["entered"].flag();
    part.asked = read["asked"].flag();
    for (const json::value& one : read["reached"].items())
        part.reached.push_back({one["what"].text(), one["runs"].number()});
    for (const json::value& count : read["required"].items())
        part.required.push_back(count.number());
    part.nondeterministic = read["nondeterministic"].flag();
    part.cut_short = read["cut_short"].flag();
    part.parts = read["parts"].number();
    part.lost = read["lost"].number();
    part.limited = read["limited"].number();
    part.drawn = read["drawn"].number();
    part.bounded = read["bounded"].flag();
    part.repeated = read["repeated"].flag();
    part.longest_wait = static_cast<std::int64_t>(read["longest_wait"].number());
    part.tick = static_cast<std::int64_t>(read["tick"].number());
    part.pruned = read["pruned"].number();
    for (const json::value& row : read["coverage"].items())
        part.coverage.push_back(row_from(row));
    for (const json::value& one : read["met"].items())
        part.met.push_back(met_from(one));
    part.settings_read = as_set(read["settings"]);
    part.others_settings_read = as_set(read["others_settings"]);
    return part;
}

std::string told_to_json(const campaign_result& result)
{
    std::vector<std::string> all;
    for (const counterexample& c : result.counterexamples) {
        json::object_writer one;
        one.add("rule", c.invariant)
            .add("found", to_string(c.found))
            .add("fired", to_string(c.minimal.fired))
            .add("shrink_runs", c.shrink_runs)
            .add("nondeterministic", c.nondeterministic)
            .add("events", !c.events.empty() ? c.events : events_of(c))
            .add("holds", !c.events.empty() ? c.holds : about_neighbours(c));
        if (const violation* v = c.broken())
            one.add("sentence", v->sentence)
                .add("expected", v->expected)
                .add("actual", v->actual)
                .add("seen", true);
        all.push_back(one.text());
    }
    return json::object_writer()
        .raw("counterexamples", all)
        .add("untold", result.untold)
        .add("invalid", result.invalid)
        .text();
}

void told_from_json(
    std::string_view text, const limits& asked, const contract& promises, campaign_result& into)
{
    const json::value read = json::parse(text);
    into.untold = read["untold"].number();
    into.invalid = read["invalid"].text();
    for (const json::value& one : read["counterexamples"].items()) {
        counterexample c;
        c.invariant = one["rule"].text();
        c.found = parse_plan(one["found"].text());
        c.minimal.manager = into.manager;
        c.minimal.contract = promises;
        c.minimal.limits = asked;
        c.minimal.fired = c.minimal.plan = parse_plan(one["fired"].text());
        c.shrink_runs = one["shrink_runs"].number();
        c.nondeterministic = one["nondeterministic"].flag();
        c.events = one["events"].text();
        c.holds = one["holds"].text();
        if (one["seen"].flag())
            c.minimal.verdict.violations.push_back({.invariant = lasting_name(c.invariant),
                .sentence = one["sentence"].text(),
                .proof = {},
                .expected = one["expected"].text(),
                .actual = one["actual"].text()});
        into.counterexamples.push_back(std::move(c));
    }
}

std::string events_in(const std::string& words)
{
    constexpr std::string_view begin = "mishap: so far, its events:\n";
    constexpr std::size_t lines_max = 60;
    std::string events, said;
    bool in_events = false;
    std::size_t count = 0;
    std::istringstream lines(words);
    for (std::string line; std::getline(lines, line);) {
        if (line + '\n' == begin) {
            in_events = true;
        } else if (line.starts_with("mishap: ")) {
            in_events = false;
        } else if (in_events && !line.empty()) {
            events += line + '\n';
        } else if (!line.empty() && !line.starts_with("  1 ") && !line.starts_with("  breaks ") &&
                   count++ < lines_max) {
            said += line + '\n';
        }
    }
    return printable(events + said);
}

violation violation_of(const death& how)
{
    return {.invariant = how.rule,
        .sentence = how.how,
        .proof = {},
        .expected = "the run comes to its end",
        .actual = "its process did not live to see it"};
}

} // namespace mishap::detail
