// SPDX-License-Identifier: MIT
#include "timeline.hpp"

#include "events.hpp"
#include "width.hpp"

#include "vocabulary/printable.hpp"

#include <mishap/duration.hpp>
#include <mishap/report.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <set>

namespace mishap::detail {

namespace {

/// One line of a timeline.
struct line
{
    duration at{0};
    event_words text;
    mishap::lane lane = 0;
    std::string remark = {};
    bool differs = false; ///< from another run, from here on
    std::string time = {};

    bool plain() const noexcept { return remark.empty() && !differs; }
    bool of_all() const noexcept { return text.who == "-"; }
};

/// `>` where a run begins to differ, in lines that have the room for it.
std::string time_column(const line& l, std::size_t width, bool marks)
{
    return fmt::format("{}{:>{}}  ", !marks ? "" : l.differs ? "> " : "  ", l.time, width);
}

std::string padded(std::string text, std::size_t width)
{
    const std::size_t has = width_of(text);
    return text.append(width > has ? width - has : 0, ' ');
}

/// In one list: who, and what. What does not fit goes on below.
std::string as_list(const std::vector<line>& lines, std::size_t columns, bool marks)
{
    std::size_t time_width = 0, who_width = 0, what_width = 0;
    for (const line& l : lines) {
        time_width = std::max(time_width, l.time.size());
        who_width = std::max(who_width, width_of(l.text.who));
        if (!l.remark.empty())
            what_width = std::max(what_width, width_of(l.text.what));
    }
    const std::size_t margin = time_width + (marks ? 2 : 0) + 2;
    std::string text;
    // The parts of a line that does not fit go below each other.
    const auto put = [&](std::string begin, std::string_view rest) {
        std::size_t indent = width_of(begin);
        constexpr std::size_t least_room = 30;
        if (width_of(rest) + indent > columns && columns < indent + least_room) {
            text += begin.substr(0, begin.find_last_not_of(' ') + 1) + '\n';
            indent = margin + 2;
            begin.assign(indent, ' ');
        }
        for (const std::string& part : fold(rest, columns - indent)) {
            text += begin + part + '\n';
            begin.assign(indent, ' ');
        }
    };
    for (const line& l : lines) {
        const std::string time = time_column(l, time_width, marks);
        if (l.of_all()) {
            put(time, fmt::format("-- {} --", l.text.what));
            continue;
        }
        std::string rest = l.text.what;
        if (!l.remark.empty())
            rest = padded(rest, what_width) + "  <- " + l.remark;
        const std::string begin = time + padded(l.text.who, who_width) + "  ";
        if (!l.remark.empty() && width_of(begin) + width_of(rest) > columns)
            rest = l.text.what + "  <- " + l.remark; // the column of remarks is too far to the right
        put(begin, rest);
    }
    return text;
}

/// What stands in a lane's own column: the lane need not be said again.
std::string in_column(const line& l)
{
    const std::string own = lane_name(l.lane) + '/';
    if (l.text.who == fmt::format("client {}", l.lane) || l.text.who == "adapter" || l.of_all() ||
        l.text.who == lane_name(l.lane))
        return l.text.what;
    return fmt::format(
        "{} {}", l.text.who.starts_with(own) ? l.text.who.substr(own.size()) : l.text.who, l.text.what);
}

/// The adapter's column comes last.
lane column_of(const line& l)
{
    return l.lane == background_lane ? std::numeric_limits<lane>::max() : l.lane;
}

/// With a column for each lane, or an empty text where they do not fit. What concerns all of them begins in
/// the first.
std::string as_columns(const std::vector<line>& lines, std::size_t columns, bool marks)
{
    std::size_t time_width = 0, longest_remark = 0;
    std::map<lane, std::size_t> widths;
    for (const line& l : lines) {
        time_width = std::max(time_width, l.time.size());
        longest_remark = std::max(longest_remark, width_of(l.remark));
        if (l.of_all())
            continue;
        std::size_t& width = widths[column_of(l)];
        width = std::max({width, width_of(in_column(l)), std::size_t(2)});
    }
    const std::size_t margin = time_width + (marks ? 2 : 0);
    std::map<lane, std::size_t> begins;
    std::size_t end = 0;
    for (const auto& [at, width] : widths) {
        begins[at] = end;
        end += width + 2;
    }
    if (margin + 2 + end + (longest_remark ? longest_remark + 3 : 0) > columns)
        return {};
    std::string text(margin, ' ');
    for (const auto& [at, width] : widths)
        text += fmt::format("  {:<{}}", at == std::numeric_limits<lane>::max() ? "bg" : lane_name(at), width);
    text.resize(text.find_last_not_of(' ') + 1);
    text += '\n';
    for (const line& l : lines) {
        std::string one = time_column(l, time_width, marks);
        one += l.of_all() ? fmt::format("-- {} --", l.text.what)
                          : std::string(begins[column_of(l)], ' ') + in_column(l);
        if (!l.remark.empty())
            one = padded(one, margin + 2 + end) + "<- " + l.remark;
        text += one + '\n';
    }
    return text;
}

/// Who did it, whichever time it was: `session.ping` of `session.ping#17`.
std::string_view without_number(std::string_view who)
{
    const std::size_t end = who.find_last_not_of("0123456789.");
    return end != std::string_view::npos && end + 1 < who.size() && who[end] == '#' ? who.substr(0, end)
                                                                                    : who;
}

bool is_repeated_by(const line& a, const line& b)
{
    return a.plain() && b.plain() && a.lane == b.lane && a.text.what == b.text.what &&
           without_number(a.text.who) == without_number(b.text.who);
}

/// How often the lines from `at` on, so many of them, come one after another at equal distances.
std::size_t cycles_from(const std::vector<line>& lines, std::size_t at, std::size_t length)
{
    std::size_t cycles = 1;
    for (; at + (cycles + 1) * length <= lines.size(); ++cycles) {
        const std::size_t here = at + cycles * length;
        for (std::size_t k = 0; k < length; ++k) {
            const line& now = lines[here + k];
            const line& before = lines[here + k - length];
            if (!is_repeated_by(before, now) ||
                (now.at - before.at) != (lines[at + length].at - lines[at].at))
                return cycles;
        }
    }
    return cycles;
}

/// What repeats is told once, with how often and at which distance.
void fold_repeats(std::vector<line>& lines)
{
    constexpr std::size_t longest = 6, least = 4;
    std::vector<line> kept;
    for (std::size_t i = 0; i < lines.size();) {
        std::size_t length = 1, cycles = 1;
        for (; length <= longest; ++length)
            if (cycles = cycles_from(lines, i, length); cycles >= least)
                break;
        if (cycles < least) {
            kept.push_back(std::move(lines[i++]));
            continue;
        }
        const duration every = lines[i + length].at - lines[i].at;
        for (std::size_t k = 0; k < length; ++k) {
            line one = lines[i + k];
            one.text.who = std::string(without_number(one.text.who));
            one.text.what += fmt::format("  ×{}, {}", grouped(cycles),
                every == duration(0) ? std::string("at once") : fmt::format("every {}", to_string(every)));
            kept.push_back(std::move(one));
        }
        i += length * cycles;
    }
    lines = std::move(kept);
}

/// Clients to whom nothing of note happened: served, and back.
std::set<lane> uneventful(const run_result& run, const std::vector<line>& lines)
{
    std::set<lane> quiet;
    const trace& happened = run.trace;
    for (lane in = 0; in < static_cast<lane>(happened.outcomes.size()); ++in) {
        const outcome& client = happened.outcomes[static_cast<std::size_t>(in)];
        // Fresh clients are there to be looked at.
        if (client.ending == ending::returned && client.cancelled == none && client.stuck == none &&
            !client.probe)
            quiet.insert(in);
    }
    for (const operation_record& op : happened.operations)
        if (op.perturbed || op.result != result::ok || op.cancel_requested != none)
            quiet.erase(op.id.lane);
    for (const line& l : lines)
        if (!l.plain() || l.text.who == "note" || l.text.who == "expectation" || l.text.who == "report sink")
            quiet.erase(l.lane);
    return quiet;
}

/// Those to whom nothing of note happened stand in one line.
std::vector<line> without(const std::set<lane>& quiet, const std::vector<line>& lines)
{
    std::vector<std::string> names;
    for (auto first = quiet.begin(); first != quiet.end();) {
        auto last = first;
        while (std::next(last) != quiet.end() && *std::next(last) == *last + 1)
            ++last;
        names.push_back(
            first == last ? lane_name(*first) : fmt::format("{} to {}", lane_name(*first), lane_name(*last)));
        first = std::next(last);
    }
    std::vector<line> kept;
    bool told = false;
    for (const line& l : lines) {
        if (l.of_all() || !quiet.contains(l.lane)) {
            kept.push_back(l);
        } else if (!told) {
            told = true;
            kept.push_back({l.at,
                {"-", fmt::format("{} {} served: nothing goes wrong", fmt::join(names, ", "),
                          quiet.size() == 1 ? "is" : "are")},
                0, "", false, l.time});
        }
    }
    return kept;
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
        const bool last = i + tail + 1 == lines.size();
        if (i < head || i + tail >= lines.size() || !lines[i].plain())
            kept.push_back(std::move(lines[i]));
        else
            ++left_out;
        if (last && left_out != 0) {
            line gap{.text = {"-", fmt::format("{} lines are left out", left_out)}};
            gap.time = "...";
            kept.push_back(std::move(gap));
        }
    }
    lines = std::move(kept);
}

std::vector<line> lines_of(const run_result& run, std::span<const violation* const> broken, index differs)
{
    std::vector<line> lines;
    std::vector<std::string> waiting; // remarks on events that have no line of their own
    bool differs_soon = false;
    for (index i = 0; i < run.trace.events.size(); ++i) {
        const event& e = run.trace.events[i];
        std::string remark;
        for (const violation* v : broken)
            for (const auto& proof : v->proof)
                if (proof.event == i && remark.find(proof.remark) == std::string::npos)
                    remark.append(remark.empty() ? "" : "; ").append(proof.remark);
        differs_soon = differs_soon || i == differs;
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
        lines.push_back({e.at, std::move(*text), e.lane, std::move(remark), differs_soon, format_time(e.at)});
        differs_soon = false;
    }
    return lines;
}

} // namespace

std::string draw_timeline(
    const run_result& run, std::span<const violation* const> broken, index differs, std::size_t columns)
{
    std::vector<line> lines = lines_of(run, broken, differs);
    fold_repeats(lines);
    leave_out_the_middle(lines);
    const bool marks = differs != none;
    std::string text;
    if (run.trace.outcomes.size() > 1) {
        text = as_columns(lines, columns, marks);
        if (text.empty()) {
            if (const std::set<lane> quiet = uneventful(run, lines); !quiet.empty()) {
                lines = without(quiet, lines);
                text = as_columns(lines, columns, marks);
            }
        }
    }
    return printable(text.empty() ? as_list(lines, columns, marks) : text);
}

} // namespace mishap::detail

namespace mishap {

std::string timeline(const run_result& run, const violation* v)
{
    const std::size_t all = v != nullptr;
    return detail::draw_timeline(run, {&v, all}, none, detail::columns_for(0));
}

} // namespace mishap
