// SPDX-License-Identifier: MIT
#include "simulation/run.hpp"
#include "explore.hpp"
#include "explore/conductor.hpp"
#include "explore/equivalent.hpp"
#include "explore/neighbour.hpp"
#include "explore/obligations.hpp"
#include "network/setup.hpp"
#include "regressions.hpp"
#include "report/json_lines.hpp"
#include "report/outcome.hpp"
#include "report/page.hpp"
#include "report/report.hpp"
#include "run_apart.hpp"
#include "simulation/misuse.hpp"
#include "simulation/network_setup.hpp"
#include "vocabulary/printable.hpp"

#include <mishap/equivalent.hpp>
#include <mishap/error.hpp>
#include <mishap/replay.hpp>
#include <mishap/report.hpp>
#include <mishap/scenario.hpp>

#include <boost/asio/error.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace mishap {

namespace {

std::string actual_outcome(const run_result& run)
{
    const auto& clients = run.trace.outcomes;
    return clients.empty() ? "no client ever started" : detail::outcome_in_words(run.trace, clients.front());
}

bool matches_outcome(const run_result& run, const std::string& wanted)
{
    const auto& clients = run.trace.outcomes;
    return !clients.empty() && detail::ends_with(run.trace, clients.front(), wanted);
}

/// Whether a run of this scenario depends on more than a token carries.
bool needs_its_file(const scenario& s)
{
    return !s.contract_terms.empty() || s.limits != limits() || !s.equivalent_to.empty() ||
           !s.invariants.empty() || s.network;
}

/// A registered manager, in the network of the scenario.
manager manager_of(const scenario& s, const std::string& name)
{
    return s.network ? detail::in_network(get_manager(name), s.network) : get_manager(name);
}

std::string join_operations(const std::vector<operation_id>& ids)
{
    std::vector<std::string> words;
    for (const operation_id& id : ids) {
        std::string word = to_string(id);
        if (word.ends_with("#1"))
            word.resize(word.size() - 2);
        words.push_back(std::move(word));
    }
    return fmt::format("[{}]", fmt::join(words, ", "));
}

std::vector<operation_id> actual_events(const run_result& run)
{
    std::vector<operation_id> ids;
    for (const operation_record& op : run.trace.operations)
        if (op.role != role::body && op.started != none)
            ids.push_back(op.id);
    return ids;
}

/// Why an operation that happened did not do what the plan says, or nothing.
std::string why_refused(const run_result& run, const perturbation& p)
{
    const auto& ops = run.trace.operations;
    const auto there = std::find_if(
        ops.begin(), ops.end(), [&](const operation_record& op) { return op.id == p.at && p.is_fault(); });
    if (there == ops.end())
        return {};
    if (p.fails_body())
        return ": the body does not make it";
    if (p.fault().kind == fault_kind::empty)
        return ": only a create can yield nothing";
    return there->blocking ? ": it is a synchronous call, which cannot hang" : "";
}

std::vector<std::string> broken_names(const verdict& v)
{
    std::vector<std::string> names;
    for (const violation& one : v.violations)
        if (std::find(names.begin(), names.end(), one.invariant) == names.end())
            names.emplace_back(one.invariant);
    return names;
}

void fail(scenario_result& result, std::string text)
{
    if (result.status == scenario_status::held)
        result.status = scenario_status::failed;
    if (!result.failure.empty())
        result.failure += '\n';
    result.failure += std::move(text);
}

std::string missing_violations(
    const std::vector<std::string>& expected, const std::vector<std::string>& broken)
{
    std::vector<std::string> missing;
    for (const std::string& name : expected)
        if (std::find(broken.begin(), broken.end(), name) == broken.end())
            missing.push_back(name);
    return fmt::format("{}", fmt::join(missing, ", "));
}

std::string location(const scenario& s) { return fmt::format("{}:{}", s.where.file, s.where.line); }

/// Saves a counterexample, and says where it is.
void save(const counterexample& c, const scenario& s, const scenario_options& options, report_options& told,
    std::vector<std::string>& files)
{
    if (needs_its_file(s))
        told.replay_file = s.where.file;
    if (options.save_to.empty())
        return;
    try {
        told.saved = save_counterexample(c, options.save_to);
        files.push_back(told.saved);
        if (needs_its_file(s))
            told.replay_file = told.saved;
    } catch (const std::exception& e) {
        told.saved = e.what(); // a full disk must not hide the counterexample itself
    }
}

/// A setting may be asked for only where nothing goes wrong early.
void check_settings(const scenario& s, const detail::runner& once)
{
    if (once.unread_setting(s.plan).empty())
        return;
    const manager under_test = manager_of(s, s.manager);
    detail::runner again(under_test, s.contract, s.limits);
    fault_plan calm = s.plan;
    calm.perturbations.clear();
    again.run(calm);
    for (fault_plan left = s.plan;;) {
        const std::string name = again.unread_setting(left);
        if (name.empty())
            return;
        fault_plan only;
        only.settings[name];
        if (!once.unread_setting(only).empty())
            throw detail::misuse_error(again.about_unread(name), name);
        left.settings.erase(name);
    }
}

scenario_result run_example(const scenario& s, const scenario_options& options)
{
    scenario_result result;
    result.line = s.where.line;
    result.runs = 1;
    const manager under_test = manager_of(s, s.manager);
    detail::runner once(under_test, s.contract, s.limits, nullptr, s.invariants);
    run_result run = once.run(s.plan);
    if (s.equivalent_to.empty())
        check_settings(s, once);
    if (!s.equivalent_to.empty()) {
        const manager rival = manager_of(s, s.equivalent_to);
        detail::comparison other(rival, s.contract, s.limits, s.equivalent_to);
        other.judge(run);
        if (other.skipped() != 0) {
            fail(result,
                fmt::format(
                    "{}: nothing was compared: the cancellation strikes at a moment that no operation marks; "
                    "say when by 'before', 'during', 'queued' or 'after' an operation, without 'steps'\n",
                    location(s)));
            result.status = scenario_status::invalid;
            result.summary = "invalid: nothing was compared";
            return result;
        }
    }
    result.broken = broken_names(run.verdict);

    // A few examples of a mistake are as good as a thousand.
    constexpr std::size_t shown = 3;
    for (std::size_t n = 0; n < std::min(shown, once.inert().size()); ++n) {
        const std::size_t i = once.inert()[n];
        const perturbation& p = s.plan.perturbations[i];
        const auto happened = actual_events(run);
        std::vector<std::string> names;
        for (const operation_id& id : happened)
            names.push_back(to_string(id));
        const std::string refusal = why_refused(run, p);
        const std::string near = nearest(to_string(p.at), names);
        fail(result,
            fmt::format("{}: the {} at {} never fired, so this scenario tests nothing{}\n  the run had  {}\n",
                to_string(s.written_at[i]),
                p.yields()                                             ? "deviation"
                : !p.interrupts()                                      ? "fault"
                : p.interrupts()->what == interruption::action::cancel ? "cancellation"
                                                                       : "abandonment",
                p.interrupts() && p.interrupts()->when == moment::steps
                    ? fmt::format("step {}", p.interrupts()->steps)
                    : to_string(p.at),
                !refusal.empty() ? refusal
                : near.empty()   ? ""
                                 : fmt::format("; did you mean {}?", near),
                join_operations(happened)));
        result.status = scenario_status::invalid;
    }
    if (result.status == scenario_status::invalid) {
        if (once.inert().size() > shown)
            result.failure +=
                fmt::format("  and {} more faults that never fired\n", once.inert().size() - shown);
        result.summary = "invalid: a fault never fired";
        return result;
    }

    std::vector<counterexample> broken;
    if (s.expect.violates.empty() || detail::collects_page())
        broken = detail::counterexamples_of(run, [&](const fault_plan& plan) {
            // What another manager does under other plans is not known here.
            return s.equivalent_to.empty() ? &once.run(plan) : nullptr;
        });
    detail::add_to_page(run, broken);
    if (s.expect.violates.empty()) {
        // The example is its own counterexample: there is nothing to shrink and nothing to save.
        for (const counterexample& c : broken)
            detail::tell_counterexample(c, location(s), {});
        if (!broken.empty())
            fail(result, detail::report_of_run(broken.front(),
                             {.location = location(s),
                                 .replay_command = options.replay_command,
                                 .replay_file = needs_its_file(s) ? s.where.file : std::string()}));
    } else if (const std::string missing = missing_violations(s.expect.violates, result.broken);
               !missing.empty()) {
        fail(result,
            fmt::format("{}: {} was expected to break {}, but {}\n{}", location(s), s.manager, missing,
                result.broken.empty() ? std::string("holds")
                                      : fmt::format("breaks {}", fmt::join(result.broken, ", ")),
                timeline(run)));
    }
    const auto differs = [&](std::string_view what, const std::string& wanted, const std::string& actual) {
        fail(result, fmt::format("{}: {}: the {} differs\n  expected  {}\n  actual    {}\n{}", location(s),
                         s.manager, what, wanted, actual, timeline(run)));
    };
    if (s.expect.outcome && !matches_outcome(run, *s.expect.outcome))
        differs("outcome", *s.expect.outcome, actual_outcome(run));
    if (s.expect.reports) {
        std::vector<std::string> reports;
        for (const report_record& r : run.trace.reports)
            reports.push_back(detail::name_of_error(run.trace, r.error));
        if (reports != *s.expect.reports)
            differs("list of reports", fmt::format("[{}]", fmt::join(*s.expect.reports, ", ")),
                fmt::format("[{}]", fmt::join(reports, ", ")));
    }
    if (s.expect.events && actual_events(run) != *s.expect.events)
        differs("sequence of events", join_operations(*s.expect.events), join_operations(actual_events(run)));

    if (result.status == scenario_status::held)
        result.summary = s.expect.violates.empty()
                             ? "holds"
                             : fmt::format("breaks {}, as expected", fmt::join(result.broken, ", "));
    else
        result.summary = result.broken.empty() ? "is not as expected"
                                               : fmt::format("breaks {}", fmt::join(result.broken, ", "));
    return result;
}

void add_required(campaign_result& to, const campaign_result& from)
{
    to.replayed = to.replayed || from.replayed;
    to.required.resize(std::max(to.required.size(), from.required.size()));
    for (std::size_t i = 0; i < from.required.size(); ++i)
        to.required[i] = {from.required[i].what, to.required[i].runs + from.required[i].runs};
}

scenario_result run_exploration(const scenario& s, const scenario_options& options)
{
    scenario_result result;
    result.line = s.where.line;
    std::string covered;
    std::vector<detail::saved_case> before;
    if (s.expect.violates.empty() && !requested_replay())
        before = detail::try_saved(options.save_to, s, options.replay_command);
    result.saved_before = detail::lines_of(before);
    std::vector<std::string> saved;
    campaign_result obliged; // what was required of all campaigns together
    const auto account = [&](campaign_result campaign) {
        result.runs += campaign.runs;
        add_required(obliged, campaign);
        covered += (covered.empty() ? "" : "; ") + campaign.covered;
        if (!campaign.invalid.empty()) {
            fail(result, fmt::format("{}: {}: {}\n", location(s), s.manager, campaign.invalid));
            result.status = scenario_status::invalid;
        }
        for (counterexample& c : campaign.counterexamples) {
            c.contract_terms = s.contract_terms;
            c.invariants = s.invariants;
            if (s.network)
                c.network = to_yaml(*s.network);
            if (std::find(result.broken.begin(), result.broken.end(), c.invariant) == result.broken.end())
                result.broken.push_back(c.invariant);
            if (!s.expect.violates.empty())
                continue;
            report_options told{.location = location(s), .replay_command = options.replay_command};
            save(c, s, options, told, saved);
            detail::tell_counterexample(c, location(s), told.saved);
            fail(result, report(c, told));
        }
    };
    for (campaign_result& campaign : detail::explore(s))
        account(std::move(campaign));
    if (const std::string again = detail::reports_of(before, saved); !again.empty())
        fail(result, again);
    if (const std::string never = detail::unmet(obliged); !never.empty())
        fail(result, fmt::format("{}: {}: {}\n", location(s), s.manager, never));
    if (!s.expect.violates.empty())
        if (const std::string missing = missing_violations(s.expect.violates, result.broken);
            !missing.empty())
            fail(result, fmt::format("{}: {} was expected to break {}, but {} in {}\n", location(s),
                             s.manager, missing,
                             result.broken.empty() ? std::string("held")
                                                   : fmt::format("broke {}", fmt::join(result.broken, ", ")),
                             detail::counted(result.runs, "run")));
    const bool held = result.status == scenario_status::held;
    if (result.broken.empty())
        result.summary = fmt::format("{}: {}", held ? "holds" : "is not as expected", covered);
    else
        result.summary =
            fmt::format("breaks {}{}", fmt::join(result.broken, ", "), held ? ", as expected" : "");
    return result;
}

} // namespace

std::vector<campaign_result> detail::explore(const scenario& s)
{
    const manager under_test = manager_of(s, s.manager);
    const manager rival = s.equivalent_to.empty() ? manager() : manager_of(s, s.equivalent_to);
    std::vector<campaign_result> all;
    if (s.sweep) {
        sweep_options sweeping = *s.sweep;
        sweeping.contract = s.contract;
        sweeping.settings = s.plan.settings;
        sweeping.invalid_settings = s.plan.invalid_settings;
        sweeping.step_cost = s.plan.step_cost;
        sweeping.clients = s.plan.clients;
        sweeping.arrivals = s.plan.arrivals;
        sweeping.limits = s.limits;
        sweeping.invariants = s.invariants;
        sweeping.require = s.require;
        all.push_back(
            s.equivalent_to.empty() ? sweep(under_test, sweeping) : equivalent(under_test, rival, sweeping));
    }
    if (s.random) {
        random_options drawing = *s.random;
        drawing.contract = s.contract;
        drawing.settings = s.plan.settings;
        drawing.invalid_settings = s.plan.invalid_settings;
        drawing.step_cost = s.plan.step_cost;
        drawing.clients = s.plan.clients;
        drawing.arrivals = s.plan.arrivals;
        drawing.limits = s.limits;
        drawing.invariants = s.invariants;
        drawing.require = s.require;
        all.push_back(s.equivalent_to.empty() ? random_campaign(under_test, drawing)
                                              : equivalent(under_test, rival, drawing));
    }
    return all;
}

scenario_result run_scenario(const scenario& s, const scenario_options& options)
{
    scenario_result result;
    detail::page_section section(s.manager, location(s),
        {.replay_command = options.replay_command,
            .replay_file = needs_its_file(s) ? s.where.file : std::string()});
    try {
        const auto here = [&] { return run_example(s, options); };
        result = s.sweep || s.random   ? run_exploration(s, options)
                 : detail::conducted() ? detail::run_apart(s, options, here)
                                       : here();
    } catch (const detail::misuse_error& e) {
        const auto setting = s.settings_at.find(e.setting());
        throw scenario_error(setting == s.settings_at.end() ? s.where : setting->second, e.what());
    }
    if (!s.invariants.empty())
        result.summary += fmt::format(" (judged by {} alone)", fmt::join(s.invariants, ", "));
    result.failure = detail::printable(result.failure);
    result.summary = detail::printable(result.summary);
    section.end(result.status == scenario_status::held, result.summary);
    return result;
}

} // namespace mishap
