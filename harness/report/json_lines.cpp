// SPDX-License-Identifier: MIT
#include "json_lines.hpp"

#include "json.hpp"
#include "told.hpp"

#include "vocabulary/printable.hpp"

#include <mishap/plan.hpp>

#include <sstream>
#include <vector>

namespace mishap::detail {

namespace {

std::vector<std::string> lines_of(const std::string& text)
{
    std::vector<std::string> all;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        all.push_back(line);
    return all;
}

std::string coverage_of(const campaign_result& result)
{
    json::object_writer operations;
    for (const auto& [name, cells] : result.coverage) {
        json::object_writer by_fault;
        for (const fault_description& kind : fault_table()) {
            const coverage_cell& cell = cells[static_cast<std::size_t>(kind.kind)];
            if (cell.planned != 0 || cell.fired != 0)
                by_fault.raw(kind.word, json::object_writer()
                                            .add("planned", cell.planned)
                                            .add("fired", cell.fired)
                                            .add("seen", cell.seen)
                                            .text());
        }
        operations.raw(name, by_fault.text());
    }
    return operations.text();
}

} // namespace

std::string counterexample_line(
    const counterexample& c, const std::string& location, const std::string& saved)
{
    const violation* const v = c.broken();
    json::object_writer out;
    out.add("type", "counterexample")
        .add("manager", c.minimal.manager)
        .add("rule", c.invariant)
        .add("sentence", v ? v->sentence : "the violation was seen once, and not again")
        .add("expected", v ? v->expected : "")
        .add("actual", v ? v->actual : "")
        .add("plan", to_string(c.minimal.fired))
        .add("token", to_string(replay_token{c.minimal.manager, c.minimal.fired}))
        .add("nondeterministic", c.nondeterministic)
        .add("shrink_runs", c.shrink_runs)
        .add("events", lines_of(c.events.empty() ? events_of(c) : c.events));
    if (!location.empty())
        out.add("location", location);
    if (!saved.empty())
        out.add("saved", saved);
    return printable(out.text());
}

std::string campaign_line(const campaign_result& result)
{
    json::object_writer out;
    out.add("type", "campaign")
        .add("manager", result.manager)
        .add("holds", result.holds())
        .add("complete", result.complete)
        .add("stopped", result.stopped)
        .add("covered", result.covered)
        .add("runs", result.runs)
        .add("fired", result.fired)
        .add("violating_runs", result.violating_runs)
        .add("untold", result.untold);
    if (result.seed)
        out.add("seed", *result.seed);
    if (!result.invalid.empty())
        out.add("invalid", result.invalid);
    if (result.took > duration(0))
        out.add(
            "milliseconds", static_cast<std::uint64_t>(
                                std::chrono::duration_cast<std::chrono::milliseconds>(result.took).count()));
    out.raw("coverage", coverage_of(result));
    return printable(out.text());
}

std::string scenario_line(const scenario& what, const scenario_result& result)
{
    return printable(json::object_writer()
                         .add("type", "scenario")
                         .add("file", what.where.file)
                         .add("line", static_cast<std::uint64_t>(result.line))
                         .add("manager", what.manager)
                         .add("status", result.status == scenario_status::held     ? "held"
                                        : result.status == scenario_status::failed ? "failed"
                                                                                   : "invalid")
                         .add("runs", result.runs)
                         .add("broken", result.broken)
                         .add("summary", result.summary)
                         .add("failure", result.failure)
                         .text());
}

std::function<void(const std::string&)>& on_counterexample()
{
    static std::function<void(const std::string&)> told;
    return told;
}

void tell_counterexample(const counterexample& c, const std::string& location, const std::string& saved)
{
    if (on_counterexample())
        on_counterexample()(counterexample_line(c, location, saved));
}

} // namespace mishap::detail
