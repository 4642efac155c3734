// SPDX-License-Identifier: MIT
#include "run_apart.hpp"

#include "explore/campaign_part.hpp"
#include "explore/conductor.hpp"
#include "explore/workers.hpp"
#include "report/json.hpp"
#include "report/json_lines.hpp"

#include <mishap/input_error.hpp>
#include <mishap/report.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mishap::detail {

namespace {

std::string to_json(const scenario_result& result, const std::vector<std::string>& told)
{
    return json::object_writer()
        .add("status", static_cast<int>(result.status))
        .add("line", result.line)
        .add("runs", result.runs)
        .add("broken", result.broken)
        .add("summary", result.summary)
        .add("failure", result.failure)
        .raw("counterexamples", told)
        .text();
}

scenario_result result_of(const json::value& read)
{
    scenario_result result;
    result.status = static_cast<scenario_status>(read["status"].number());
    result.line = static_cast<int>(read["line"].number());
    result.runs = read["runs"].number();
    for (const json::value& name : read["broken"].items())
        result.broken.push_back(name.text());
    result.summary = read["summary"].text();
    result.failure = read["failure"].text();
    return result;
}

/// What there is to say where the process did not live to say it.
scenario_result result_of_death(
    const scenario& s, const scenario_options& options, const death& how, std::vector<std::string>& told)
{
    counterexample c;
    c.invariant = std::string(how.rule);
    c.minimal.manager = s.manager;
    c.minimal.contract = s.contract;
    c.minimal.limits = s.limits;
    c.minimal.plan = c.minimal.fired = c.found = s.plan;
    c.minimal.verdict.violations.push_back(violation_of(how));
    c.events = events_in(how.words);
    scenario_result result;
    result.line = s.where.line;
    result.runs = 1;
    result.broken = {c.invariant};
    const auto& expected = s.expect.violates;
    if (std::find(expected.begin(), expected.end(), c.invariant) != expected.end()) {
        result.summary = fmt::format("breaks {}, as expected", c.invariant);
        return result;
    }
    const std::string location = fmt::format("{}:{}", s.where.file, s.where.line);
    told.push_back(counterexample_line(c, location, {}));
    result.status = scenario_status::failed;
    result.summary = fmt::format("breaks {}", c.invariant);
    result.failure = report(
        c, {.location = location, .replay_command = options.replay_command, .replay_file = s.where.file});
    return result;
}

} // namespace

scenario_result run_apart(
    const scenario& s, const scenario_options& options, const std::function<scenario_result()>& run_here)
{
    conductor& led = *conducted();
    const std::string key = fmt::format("{}.example", ++led.campaigns);
    scenario_result result;
    const std::uint64_t one = 1;
    workers::work work;
    work.parts = work.runs_max = &one;
    work.serve = [&](const part_request& asked, shared_row& row, const try_alone&) {
        std::vector<std::string> told;
        if (!asked.deaths.empty())
            return to_json(result_of_death(s, options, asked.deaths.begin()->second, told), told);
        on_counterexample() = [&](const std::string& line) { told.push_back(line); };
        row.run = 1;
        row.runs = 1;
        const scenario_result done = run_here();
        return to_json(done, told);
    };
    work.known = [&](std::uint64_t) -> std::optional<std::string> {
        auto found = led.journal ? led.journal->find(key) : std::nullopt;
        if (!found && led.journal && led.journal->is_whole())
            throw input_error(fmt::format(
                "the result of {} is in none of the files: did all shards come to their end?", s.where.file));
        return found;
    };
    work.take = [&](const part_request&, const std::string& answer) {
        const json::value read = json::parse(answer);
        result = result_of(read);
        if (on_counterexample())
            for (const json::value& line : read["counterexamples"].items())
                on_counterexample()(json::to_text(line));
        if (led.journal)
            led.journal->keep(key, answer);
        return workers::next::stop;
    };
    work.finishes = true;
    workers::run(work);
    return result;
}

} // namespace mishap::detail
