// SPDX-License-Identifier: MIT
#include "events.hpp"

#include "explore/obligations.hpp"
#include "invariant/invariants.hpp"
#include "vocabulary/causes.hpp"
#include "vocabulary/printable.hpp"

#include <mishap/duration.hpp>
#include <mishap/error.hpp>
#include <mishap/report.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <ostream>

namespace mishap {

namespace {

/// Milliseconds, or finer where the time is.
std::string format_time(duration at)
{
    const auto ns = at.count();
    const int digits = ns % 1'000'000 == 0 ? 3 : ns % 1'000 == 0 ? 6 : 9;
    std::string fraction = fmt::format("{:09}", ns % 1'000'000'000);
    fraction.resize(static_cast<std::size_t>(digits));
    return fmt::format("{}.{}s", ns / 1'000'000'000, fraction);
}

std::string name_of_body(const run_result& run, lane in)
{
    return run.trace.outcomes.size() > 1 ? lane_name(in) + "/body" : "body";
}

std::string describe_end(const run_result& run, const outcome& client)
{
    if (client.ending == ending::running)
        return "is still running";
    if (client.ending == ending::abandoned)
        return "is abandoned";
    if (!client.error)
        return "returns";
    return "throws " + detail::name_of_error(run.trace, client.error);
}

std::string resource_name(const trace& happened, index resource)
{
    const resource_record& r = happened.resources[resource];
    const bool shows_lane = happened.outcomes.size() > 1 || r.home != 0;
    return fmt::format(
        "{}{}#{}", shows_lane ? lane_name(r.home) + "/" : "", r.kind.text(), std::max(r.ordinal, 1u));
}

struct row
{
    std::string who;
    std::string what;
};

/// How an event reads, or nothing where another event of the same operation says it.
std::optional<row> describe_event(const run_result& run, index i)
{
    const trace& happened = run.trace;
    const event& e = happened.events[i];
    switch (e.kind) {
    case event_kind::client_started:
    case event_kind::delivered:
        return std::nullopt;
    case event_kind::client_ended:
        if (e.subject == none)
            return row{"adapter", describe_end(run, happened.adapter)};
        return row{fmt::format("client {}", e.subject), describe_end(run, happened.outcomes[e.subject])};
    case event_kind::client_cancelled:
        if (e.subject == none)
            return row{"adapter", "is cancelled"};
        return row{fmt::format("client {}", e.subject), "is cancelled by its caller"};
    case event_kind::client_abandoned:
        if (e.subject == none)
            return row{"-", "the world is abandoned: everything is destroyed where it is"};
        return row{fmt::format("client {}", e.subject), "is abandoned: what it had suspended is destroyed"};
    case event_kind::started: {
        const operation_record& op = happened.operations[e.subject];
        const std::string who = op.role == role::body ? name_of_body(run, e.lane) : to_string(happened, op);
        if (op.fault.kind == fault_kind::hang)
            return row{who, "hangs"};
        if (op.fault.kind == fault_kind::hang_after_effect)
            return row{who, "takes effect, and hangs"};
        if (op.fault.kind == fault_kind::deaf)
            return row{who, "hangs, and ignores being cancelled"};
        if (op.fault.takes_time())
            return row{who, fmt::format("takes {}", to_string(op.fault.after))};
        return std::nullopt;
    }
    case event_kind::cancel_requested: {
        const operation_record& op = happened.operations[e.subject];
        if (op.completed != none && op.completed < i)
            return row{to_string(happened, op), "is asked to stop, too late"};
        if (op.fault.kind == fault_kind::deaf || op.fault.kind == fault_kind::late)
            return row{to_string(happened, op), "is asked to stop, and does not listen"};
        return std::nullopt;
    }
    case event_kind::completed: {
        const operation_record& op = happened.operations[e.subject];
        const std::string who = op.role == role::body ? name_of_body(run, e.lane) : to_string(happened, op);
        if (op.fails_before)
            return row{who, fmt::format("is not started: the body fails with {}", op.fault.error.text())};
        switch (op.result) {
        case result::pending:
            return std::nullopt;
        case result::ok:
            if (op.fault.kind == fault_kind::empty)
                return row{who, "ok, but yields nothing"};
            if (op.fails_body)
                return row{who, fmt::format("ok, then the body fails with {}", op.fault.error.text())};
            return row{who, op.fault.kind == fault_kind::ok_now ? "ok, at once" : "ok"};
        case result::failed:
            if (op.fault.kind == fault_kind::bad_alloc)
                return row{who, "fails bad_alloc, at once"};
            return row{who, fmt::format("{} {}",
                                !op.failed_by_itself.empty()                     ? "fails by itself with"
                                : op.fault.kind == fault_kind::fail_after_effect ? "takes effect, then fails"
                                                                                 : "fails",
                                op.failed_with().text())};
        case result::aborted:
            return row{who, op.fault.kind == fault_kind::cancel_after_effect ? "is cancelled, but took effect"
                                                                             : "is cancelled"};
        case result::peer_gone:
            return row{who, "fails: its peer is gone"};
        case result::abandoned:
            return row{who, "is abandoned"};
        }
        return std::nullopt;
    }
    case event_kind::body_entered:
        // With several clients, who holds what is half of the story.
        if (happened.outcomes.size() > 1 && happened.bodies[e.subject].resource != none)
            return row{fmt::format("client {}", e.lane),
                fmt::format("holds {}", resource_name(happened, happened.bodies[e.subject].resource))};
        return row{name_of_body(run, e.lane), "begins"};
    case event_kind::body_left: {
        const body_record& body = happened.bodies[e.subject];
        // An error that mishap did not raise is the body's own news.
        if (body.error && find_source(happened, body.error) == none)
            return row{name_of_body(run, e.lane), fmt::format("throws {}", describe(body.error))};
        // Where it failed by itself, its failure says that it ended.
        if (const index source = body.error ? find_source(happened, body.error) : none;
            source != none && happened.operations[source].role == role::body)
            return std::nullopt;
        return row{name_of_body(run, e.lane), "ends"};
    }
    case event_kind::reported: {
        const std::exception_ptr& error = happened.reports[e.subject].error;
        const index source = find_source(happened, error);
        return row{"report sink", source == none
                                      ? describe(error)
                                      : fmt::format("{} ({})", detail::name_of_error(happened, error),
                                            to_string(happened, happened.operations[source]))};
    }
    case event_kind::destroyed: {
        return row{resource_name(happened, e.subject), run.contract.closing.by == closing::operation
                                                           ? "is destroyed while open"
                                                           : "is closed by its destruction"};
    }
    case event_kind::escaped:
        return row{"executor", fmt::format("catches {}", describe(happened.escapes[e.subject]))};
    case event_kind::terminated:
        return row{lane_name(e.lane), "calls std::terminate"};
    case event_kind::blocked:
        return row{
            lane_name(e.lane), fmt::format("blocks the thread: {}", happened.outside_calls[e.subject].call)};
    case event_kind::left:
        return row{lane_name(e.lane),
            fmt::format("leaves the simulation: {}", happened.outside_calls[e.subject].call)};
    case event_kind::stage: {
        const auto reached = static_cast<stage>(e.subject);
        if (reached == stage::stuck || reached == stage::livelock || reached == stage::probing ||
            reached == stage::shutting_down)
            return row{"-", std::string(to_string(reached))};
        return std::nullopt;
    }
    case event_kind::note:
        return row{"note", happened.notes[e.subject]};
    case event_kind::expectation_failed: {
        const expectation_record& failed = happened.expectations[e.subject];
        return row{"expectation",
            failed.file.empty() ? "fails" : fmt::format("fails at {}:{}", failed.file, failed.line)};
    }
    }
    return std::nullopt;
}

std::string plan_line(const fault_plan& plan)
{
    const std::string text = to_string(plan);
    return text.empty() ? "(no fault at all)" : text;
}

/// `./session_test run FILE`, from `./session_test replay`.
std::string file_line(const std::string& file, const std::string& replay_command)
{
    const std::string_view program =
        std::string_view(replay_command)
            .substr(0, std::min(replay_command.rfind(' '), replay_command.size()));
    return fmt::format("{}{}run {}", program, program.empty() ? "" : " ", file);
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

std::string render(const run_result& run, const violation& v, const fault_plan& plan,
    const std::string& remark, const report_options& options, const std::string& events = {})
{
    std::string text;
    text += fmt::format("{}{} breaks {}\n", options.location.empty() ? "" : options.location + ": ",
        run.manager.empty() ? "this manager" : run.manager, v.invariant);
    text += fmt::format("  {}\n", v.sentence);
    text += fmt::format("  plan      {}{}\n", plan_line(plan), remark);
    if (!v.expected.empty())
        text += fmt::format("  expected  {}\n  actual    {}\n", v.expected, v.actual);
    std::string lines = events.empty() ? detail::events_of(run, &v) : events;
    if (lines.starts_with(detail::note_mark)) {
        const std::size_t end = lines.find('\n');
        text += fmt::format(
            "  note      {}\n", lines.substr(detail::note_mark.size(), end - detail::note_mark.size()));
        lines.erase(0, end + 1);
    }
    bool first = true;
    for (std::size_t at = 0; at < lines.size();) {
        const std::size_t end = lines.find('\n', at);
        text += fmt::format("  {:<10}{}\n", first ? "timeline" : "", lines.substr(at, end - at));
        first = false;
        at = end + 1;
    }
    text += fmt::format("  replay    {}\n", options.replay_file.empty()
                                                ? replay_line(run, options.replay_command)
                                                : file_line(options.replay_file, options.replay_command));
    if (!options.saved.empty())
        text += fmt::format("  saved     {}\n", options.saved);
    return detail::printable(text);
}

} // namespace

namespace {

/// One line of a timeline.
struct line
{
    std::string time;
    row text;
    mishap::lane lane = 0;
    std::string remark;
};

/// In one list: who, and what.
std::string as_list(const std::vector<line>& lines)
{
    std::size_t time_width = 0, who_width = 0, what_width = 0;
    for (const line& l : lines) {
        time_width = std::max(time_width, l.time.size());
        who_width = std::max(who_width, l.text.who.size());
        if (!l.remark.empty())
            what_width = std::max(what_width, l.text.what.size());
    }
    std::string text;
    for (const line& l : lines)
        text += l.remark.empty() ? fmt::format("{:>{}}  {:<{}}  {}\n", l.time, time_width, l.text.who,
                                       who_width, l.text.what)
                                 : fmt::format("{:>{}}  {:<{}}  {:<{}}  <- {}\n", l.time, time_width,
                                       l.text.who, who_width, l.text.what, what_width, l.remark);
    return text;
}

/// What stands in a lane's own column: the lane need not be said again.
std::string in_column(const line& l)
{
    const std::string own = lane_name(l.lane) + '/';
    if (l.text.who == fmt::format("client {}", l.lane) || l.text.who == "adapter" || l.text.who == "-" ||
        l.text.who == lane_name(l.lane))
        return l.text.what;
    return fmt::format(
        "{} {}", l.text.who.starts_with(own) ? l.text.who.substr(own.size()) : l.text.who, l.text.what);
}

/// With a column for each lane. What concerns all of them begins in the first.
std::string as_columns(const std::vector<line>& lines)
{
    std::size_t time_width = 0;
    std::map<lane, std::size_t> widths;
    for (const line& l : lines) {
        time_width = std::max(time_width, l.time.size());
        if (l.text.who == "-")
            continue;
        // The adapter's column comes last.
        const lane at = l.lane == background_lane ? std::numeric_limits<lane>::max() : l.lane;
        std::size_t& width = widths[at];
        width = std::max({width, in_column(l).size(), std::size_t(2)});
    }
    std::map<lane, std::size_t> begins;
    std::size_t end = 0;
    for (const auto& [at, width] : widths) {
        begins[at] = end;
        end += width + 2;
    }
    std::string text(time_width, ' ');
    for (const auto& [at, width] : widths)
        text += fmt::format("  {:<{}}", at == std::numeric_limits<lane>::max() ? "bg" : lane_name(at), width);
    text.resize(text.find_last_not_of(' ') + 1);
    text += '\n';
    for (const line& l : lines) {
        const lane at = l.lane == background_lane ? std::numeric_limits<lane>::max() : l.lane;
        const std::size_t indent = l.text.who == "-" ? 0 : begins[at];
        std::string one = fmt::format("{:>{}}  {:<{}}{}", l.time, time_width, "", indent,
            l.text.who == "-" ? fmt::format("-- {} --", l.text.what) : in_column(l));
        if (!l.remark.empty())
            one = fmt::format("{:<{}}<- {}", one, time_width + 2 + end, l.remark);
        text += one + '\n';
    }
    return text;
}

/// Nobody reads thousands of lines. Those with a remark stay.
void leave_out_the_middle(std::vector<line>& lines)
{
    constexpr std::size_t head = 60, tail = 40;
    if (lines.size() <= head + tail)
        return;
    std::vector<line> kept;
    std::size_t left_out = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (i < head || i + tail >= lines.size() || !lines[i].remark.empty())
            kept.push_back(std::move(lines[i]));
        else
            ++left_out;
        if (i + tail + 1 == lines.size() && left_out != 0)
            kept.push_back({"...", {"-", fmt::format("{} lines are left out", left_out)}, 0, ""});
    }
    lines = std::move(kept);
}

} // namespace

std::string timeline(const run_result& run, const violation* v)
{
    std::vector<line> lines;
    std::vector<std::string> waiting; // remarks on events that have no line of their own
    for (index i = 0; i < run.trace.events.size(); ++i) {
        const event& e = run.trace.events[i];
        std::string remark;
        if (v)
            for (const auto& proof : v->proof)
                if (proof.event == i)
                    remark = proof.remark;
        auto text = describe_event(run, i);
        if (!text) {
            // A result is marked where it reads: the line of its completion, just before its delivery.
            if (!remark.empty() && e.kind == event_kind::delivered) {
                const index done = run.trace.operations[e.subject].completed;
                for (auto at = lines.rbegin(); at != lines.rend(); ++at)
                    if (done != none &&
                        at->text.who == to_string(run.trace, run.trace.operations[e.subject]) &&
                        at->remark.empty()) {
                        at->remark = remark;
                        remark.clear();
                        break;
                    }
            }
            if (!remark.empty())
                waiting.push_back(std::move(remark));
            continue;
        }
        if (remark.empty() && !waiting.empty()) {
            remark = std::move(waiting.front());
            waiting.erase(waiting.begin());
        }
        lines.push_back({format_time(e.at), std::move(*text), e.lane, std::move(remark)});
    }
    leave_out_the_middle(lines);
    return detail::printable(run.trace.outcomes.size() > 1 ? as_columns(lines) : as_list(lines));
}

std::string detail::events_of(const run_result& run, const violation* v)
{
    const std::string note = v ? known_defect(run, *v) : std::string();
    return (note.empty() ? note : fmt::format("{}{}\n", note_mark, note)) + timeline(run, v);
}

std::string replay_line(const run_result& run, const std::string& replay_command)
{
    const std::string token = to_string(replay_token{run.manager, run.fired});
    return replay_command.empty() ? fmt::format("MISHAP_REPLAY='{}'", token)
                                  : fmt::format("{} '{}'", replay_command, token);
}

std::string report(const run_result& run, const violation& v, const report_options& options)
{
    return render(run, v, run.fired, {}, options);
}

std::string report(const counterexample& c, const report_options& options)
{
    violation fallback{.invariant = c.invariant,
        .sentence = "the violation was seen once, and not again when the same plan was run again",
        .expected = "equal plans give equal runs",
        .actual = "this manager is not deterministic"};
    const violation& v = c.broken() ? *c.broken() : fallback;
    std::string remark;
    if (c.found.perturbations.size() > c.minimal.fired.perturbations.size())
        remark = fmt::format("      ({} of {} faults matter{})", c.minimal.fired.perturbations.size(),
            c.found.perturbations.size(), c.nondeterministic ? "; nondeterministic" : "");
    else if (c.nondeterministic)
        remark = "      (nondeterministic)";
    return render(c.minimal, v, c.minimal.fired, remark, options, c.events);
}

std::string report(const run_result& run, const report_options& options)
{
    std::string text;
    for (const violation& v : run.verdict.violations)
        text += report(run, v, options) + '\n';
    if (text.empty())
        text = fmt::format("{} holds under {}\n",
            run.manager.empty() ? "this manager" : detail::printable(run.manager),
            run.fired.perturbations.empty() ? "no fault" : to_string(run.fired));
    return text;
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
    std::string text = fmt::format("{}: {}, {} fired, {} with a violation\n",
        result.manager.empty() ? "this manager" : detail::printable(result.manager),
        detail::counted(result.runs, "run"), detail::counted(result.fired, "fault"),
        detail::counted(result.violating_runs, "run"));
    if (const std::string took = detail::took_line(result.took, result.runs); !took.empty())
        text += fmt::format("  took      {}\n", took);
    text += fmt::format("  covered   {}\n", result.covered);
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
