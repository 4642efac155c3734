// SPDX-License-Identifier: MIT
#include "report.hpp"
#include "events.hpp"
#include "timeline.hpp"
#include "told.hpp"
#include "what_matters.hpp"
#include "width.hpp"

#include "invariant/invariants.hpp"

#include "explore/obligations.hpp"
#include "vocabulary/causes.hpp"
#include "vocabulary/printable.hpp"

#include <mishap/report.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ostream>
#include <span>
#include <vector>

namespace mishap {

namespace {

std::string plan_line(const fault_plan& plan)
{
    const std::string text = to_string(plan);
    return text.empty() ? "(no fault at all)" : text;
}

/// A defect of the Asio in use that may well explain a client which waits although its operation has failed;
/// empty where nothing hints at it.
std::string known_defect(const run_result& run, const violation& v)
{
    const trace& happened = run.trace;
    if (!detail::traits_of(v.invariant).about_waiting || v.lane < 0 ||
        static_cast<std::size_t>(v.lane) >= happened.outcomes.size())
        return {};
    const outcome& client = happened.outcomes[static_cast<std::size_t>(v.lane)];
    const index until = client.stuck != none ? client.stuck : client.ended;
    const operation_record* last = nullptr;
    for (const operation_record& op : happened.operations)
        if (op.id.lane == v.lane && op.started != none && op.started < until)
            last = &op;
    const bool failed = last && last->result == result::failed && last->delivered < until;
    if (until == none || !failed ||
        (client.stuck == none && happened.time_of(last->delivered) == happened.time_of(until)))
        return {};
    return fmt::format(
        "{} waits on after {} has failed, as Asio's `a || b` does: it waits for b when a throws",
        happened.outcomes.size() > 1 ? fmt::format("client {}", v.lane) : "the client",
        to_string(happened, *last));
}

/// A label, and what belongs to it: folded under itself where it is longer than a line.
std::string labelled(std::string_view label, std::string_view text, std::size_t columns)
{
    std::string all;
    for (const std::string& line : detail::fold(text, columns - 12))
        all += fmt::format("  {:<10}{}\n", all.empty() ? label : "", line);
    return all;
}

/// What one violation says, before its plan.
std::string head(const run_result& run, const violation& v, const report_options& options)
{
    // As compilers write it, so that whatever reads logs finds the place.
    return fmt::format("{}{} breaks {}\n", options.location.empty() ? "" : options.location + ": error: ",
        run.manager.empty() ? "this manager" : run.manager, v.invariant);
}

std::string sentence(const violation& v, std::size_t columns)
{
    std::string text;
    for (const std::string& line : detail::fold(v.sentence, columns - 2))
        text += fmt::format("  {}\n", line);
    return text;
}

std::string judged(const violation& v, std::string_view note, std::size_t columns)
{
    std::string text;
    if (!v.expected.empty())
        text += labelled("expected", v.expected, columns) + labelled("actual", v.actual, columns);
    return note.empty() ? text : text + labelled("note", note, columns);
}

/// Where the counterexample's neighbour goes another way, or `none`.
index differs_at(const counterexample* c)
{
    return c && c->neighbour ? detail::first_difference(c->minimal, *c->neighbour) : none;
}

/// One report: what broke, in this run, with one timeline. `c` is what is known of the plan's neighbours.
std::string render(const run_result& run, std::span<const violation* const> broken, const counterexample* c,
    const std::string& remark, const report_options& options)
{
    const std::size_t columns = detail::columns_for(options.width);
    const violation& first = *broken.front();
    std::string text = head(run, first, options) + sentence(first, columns);
    text += labelled("plan", plan_line(run.fired) + remark, columns);
    if (const std::string near = !c                  ? ""
                                 : c->events.empty() ? detail::about_neighbours(*c)
                                                     : c->holds;
        !near.empty())
        text += labelled("holds", near, columns);
    std::string note, lines;
    if (c && !c->events.empty()) {
        lines = c->events;
        if (lines.starts_with(detail::note_mark)) {
            const std::size_t end = lines.find('\n');
            note = lines.substr(detail::note_mark.size(), end - detail::note_mark.size());
            lines.erase(0, end + 1);
        }
    } else {
        note = known_defect(run, first);
        lines = detail::draw_timeline(run, broken, differs_at(c), columns - 12);
    }
    text += judged(first, note, columns);
    for (const violation* v : broken.subspan(1))
        text += labelled("also", fmt::format("breaks {}: {}", v->invariant, v->sentence), columns) +
                judged(*v, known_defect(run, *v), columns);
    bool begins = true;
    for (std::size_t at = 0; at < lines.size();) {
        const std::size_t end = lines.find('\n', at);
        text += fmt::format("  {:<10}{}\n", begins ? "timeline" : "", lines.substr(at, end - at));
        begins = false;
        at = end + 1;
    }
    // Whole, however long it is: it is there to be copied.
    text += fmt::format("  replay    {}\n", detail::replay_command_of(run, options));
    if (!options.saved.empty())
        text += fmt::format("  saved     {}\n", options.saved);
    return detail::printable(text);
}

} // namespace

std::string detail::events_of(const counterexample& c)
{
    const violation* const v = c.broken();
    const std::string note = v ? known_defect(c.minimal, *v) : std::string();
    return (note.empty() ? note : fmt::format("{}{}\n", note_mark, note)) +
           draw_timeline(c.minimal, {&v, v ? 1u : 0u}, differs_at(&c), columns_for(0) - 12);
}

std::string replay_line(const run_result& run, const std::string& replay_command)
{
    const std::string token = to_string(replay_token{run.manager, run.fired});
    return replay_command.empty() ? fmt::format("MISHAP_REPLAY='{}'", token)
                                  : fmt::format("{} '{}'", replay_command, token);
}

std::string report(const run_result& run, const violation& v, const report_options& options)
{
    const violation* const one = &v;
    return render(run, {&one, 1}, nullptr, {}, options);
}

std::string report(const counterexample& c, const report_options& options)
{
    violation fallback{.invariant = c.invariant,
        .sentence = "the violation was seen once, and not again when the same plan was run again",
        .expected = "equal plans give equal runs",
        .actual = "this manager is not deterministic"};
    const violation* const v = c.broken() ? c.broken() : &fallback;
    std::string remark;
    if (c.found.perturbations.size() > c.minimal.fired.perturbations.size())
        remark = fmt::format("      ({} of {} faults matter{})", c.minimal.fired.perturbations.size(),
            c.found.perturbations.size(), c.nondeterministic ? "; nondeterministic" : "");
    else if (c.nondeterministic)
        remark = "      (nondeterministic)";
    return render(c.minimal, {&v, 1}, &c, remark, options);
}

std::string detail::report_of_run(const counterexample& c, const report_options& options)
{
    std::vector<const violation*> broken;
    if (const violation* const first = c.broken())
        broken.push_back(first);
    for (const violation& v : c.minimal.verdict.violations)
        if (&v != c.broken())
            broken.push_back(&v);
    return render(c.minimal, broken, &c, {}, options);
}

std::string report(const run_result& run, const report_options& options)
{
    if (run.holds())
        return fmt::format("{} holds under {}\n",
            run.manager.empty() ? "this manager" : detail::printable(run.manager),
            run.fired.perturbations.empty() ? "no fault" : to_string(run.fired));
    std::vector<const violation*> broken;
    for (const violation& v : run.verdict.violations)
        broken.push_back(&v);
    return render(run, broken, nullptr, {}, options);
}

std::string report(const campaign_result& result, const report_options& options)
{
    std::string text;
    for (const counterexample& c : result.counterexamples)
        text += report(c, options) + '\n';
    if (!result.invalid.empty())
        text += fmt::format("this tested nothing: {}\n", result.invalid);
    if (const std::string never = detail::unmet(result); !never.empty())
        text += never + '\n';
    return text + fmt::format("{} {} in {}, {} with a violation: {}\n",
                      result.manager.empty() ? "this manager" : detail::printable(result.manager),
                      result.holds() ? "holds" : "does not hold", detail::counted(result.runs, "run"),
                      detail::counted(result.violating_runs, "run"), result.covered);
}

std::ostream& operator<<(std::ostream& out, const run_result& run) { return out << report(run); }

std::ostream& operator<<(std::ostream& out, const campaign_result& result) { return out << report(result); }

std::ostream& operator<<(std::ostream& out, holds_t) { return out << "holds every invariant"; }

std::string detail::took_line(duration took, std::uint64_t runs)
{
    if (took <= duration(0))
        return {};
    const double seconds = std::chrono::duration<double>(took).count();
    return fmt::format("{} s, {} runs/s",
        seconds < 10 ? fmt::format("{:.2f}", seconds) : fmt::format("{:.0f}", seconds),
        static_cast<std::uint64_t>(static_cast<double>(runs) / seconds));
}

/// A line of what was reached, and in how many runs.
static std::string times(std::string_view what, const std::vector<times_reached>& all, bool tell_never)
{
    std::vector<std::string> words;
    for (const times_reached& one : all)
        if (one.runs != 0)
            words.push_back(fmt::format("{} in {}", one.what, detail::counted(one.runs, "run")));
    for (const times_reached& one : all)
        if (one.runs == 0 && tell_never)
            words.push_back(one.what + " NEVER");
    return words.empty() ? std::string()
                         : detail::printable(fmt::format("  {:<10}{}\n", what, fmt::join(words, "; ")));
}

std::string summary(const campaign_result& result)
{
    const std::string manager = result.manager.empty() ? "this manager" : detail::printable(result.manager);
    const std::string amount = fmt::format(
        "{}, {} fired", detail::counted(result.runs, "run"), detail::counted(result.fired, "fault"));
    std::string text = result.holds()
                           ? fmt::format("{} holds in {}; {}\n", manager, amount, result.covered)
                           : fmt::format("{}: {}, {} with a violation\n  covered   {}\n", manager, amount,
                                 detail::counted(result.violating_runs, "run"), result.covered);
    if (const std::string took = detail::took_line(result.took, result.runs); !took.empty())
        text += fmt::format("  took      {}\n", took);
    if (!result.untried.empty())
        text += fmt::format("  untried   {}\n", result.untried);
    if (!result.invalid.empty())
        text += fmt::format("  invalid   {}\n", result.invalid);
    text += times("required", result.required, !result.replayed) + times("reached", result.reached, false);
    if (!result.counterexamples.empty()) {
        text += "  broken    ";
        for (std::size_t i = 0; i < result.counterexamples.size(); ++i)
            text += (i ? ", " : "") + result.counterexamples[i].invariant;
        if (result.untold != 0)
            text += fmt::format(", and {} more in other ways", result.untold);
        text += '\n';
    }
    if (result.coverage.empty())
        return text;
    std::size_t width = 9;
    std::vector<const fault_description*> columns;
    for (const auto& kind : fault_table()) {
        const auto at = static_cast<std::size_t>(kind.kind);
        if (kind.kind != fault_kind::ok && std::any_of(result.coverage.begin(), result.coverage.end(),
                                               [&](const auto& row) { return row.second[at].planned != 0; }))
            columns.push_back(&kind);
    }
    for (const auto& [name, cells] : result.coverage)
        width = std::max(width, name.size());
    text += fmt::format("  {:<{}}", "operation", width);
    for (const fault_description* kind : columns)
        text += fmt::format("  {:>{}}", kind->word, std::max<std::size_t>(kind->word.size(), 12));
    text += "  (fired/planned/seen by the caller)\n";
    for (const auto& [name, cells] : result.coverage) {
        text += fmt::format("  {:<{}}", name, width);
        for (const fault_description* kind : columns) {
            const coverage_cell& cell = cells[static_cast<std::size_t>(kind->kind)];
            text += fmt::format("  {:>{}}",
                cell.planned ? fmt::format("{}/{}/{}", cell.fired, cell.planned, cell.seen)
                             : std::string("."),
                std::max<std::size_t>(kind->word.size(), 12));
        }
        text += '\n';
    }
    return text;
}

} // namespace mishap
