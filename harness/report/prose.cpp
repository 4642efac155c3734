// SPDX-License-Identifier: MIT
#include "prose.hpp"

#include "events.hpp"
#include "what_matters.hpp"
#include "width.hpp"

#include "vocabulary/printable.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace mishap::detail {

namespace {

/// Nobody reads more of one instant.
constexpr std::size_t sentences_max = 24;

std::string capitalised(std::string text)
{
    // What the code calls so stays as it is.
    const std::string_view first = std::string_view(text).substr(0, text.find(' '));
    if (first.find_first_of("#./") == std::string_view::npos && !text.empty() && text.front() >= 'a' &&
        text.front() <= 'z')
        text.front() = static_cast<char>(text.front() - 'a' + 'A');
    return text;
}

/// The operation that an event ends, or null.
const operation_record* ended_by(const trace& happened, index i)
{
    const event& e = happened.events[i];
    return e.kind == event_kind::completed ? &happened.operations[e.subject] : nullptr;
}

/// What an event's words are in a sentence, without its full stop.
std::string sentence_of(const run_result& run, index i, const event_words& words)
{
    const event& e = run.trace.events[i];
    std::string who = words.who, what = words.what;
    if (who == "-")
        return what;
    if (e.kind == event_kind::note)
        return fmt::format("the code notes: {}", what);
    if (e.kind == event_kind::reported)
        return fmt::format("the report sink gets {}", what);
    if (who == "body" || who == "report sink" || who == "executor" || who == "adapter")
        who.insert(0, "the ");
    if (e.kind == event_kind::expectation_failed)
        who = "a check of the test";
    if (what == "ok" || what.starts_with("ok,"))
        what.replace(0, 2, "succeeds");
    else if (what.starts_with("fails ") && !what.starts_with("fails by itself") &&
             !what.starts_with("fails at "))
        what.insert(6, "with ");
    const operation_record* const op = ended_by(run.trace, i);
    const bool planned = (op && op->perturbed && op->result != result::peer_gone) ||
                         (e.kind == event_kind::started && run.trace.operations[e.subject].perturbed);
    return fmt::format("{} {}{}", who, what, planned ? ", as the plan has it" : "");
}

std::string when(duration at, duration before, bool first)
{
    if (first)
        return at == duration(0) ? "At the start, " : fmt::format("After {}, ", to_string(at));
    return fmt::format("{} later, at {}, ", to_string(at - before), format_time(at));
}

std::string paragraph(std::string_view text)
{
    std::string all;
    for (const std::string& line : fold(text, columns_for(0)))
        all += line + '\n';
    return all;
}

} // namespace

std::string tell_run(const run_result& run, const violation* v)
{
    const auto& events = run.trace.events;
    std::string text;
    duration before{0};
    bool first = true;
    for (index i = 0; i < events.size();) {
        const duration now = events[i].at;
        std::vector<std::string> sentences;
        bool by_timer = false;
        for (; i < events.size() && events[i].at == now; ++i) {
            std::string remark;
            for (std::size_t k = 0; v && k < v->proof.size(); ++k)
                if (v->proof[k].event == i)
                    remark = v->proof[k].remark;
            const auto words = describe_event(run, i);
            if (!words && remark.empty())
                continue;
            // A result that proves something was told just before.
            if (!words && events[i].kind == event_kind::delivered && !sentences.empty()) {
                sentences.back() += fmt::format(" ({})", remark);
                continue;
            }
            by_timer = by_timer || (sentences.empty() && events[i].why == origin::timer);
            const event_words shown = words ? *words : name_event(run, i);
            sentences.push_back(
                sentence_of(run, i, shown) + (remark.empty() ? "" : fmt::format(" ({})", remark)));
        }
        if (sentences.empty())
            continue;
        std::string one = when(now, before, first) + (by_timer ? "a timer expires. " : "");
        if (by_timer)
            sentences.front() = capitalised(sentences.front());
        const std::size_t shown = std::min(sentences.size(), sentences_max);
        for (std::size_t k = 0; k < shown; ++k)
            one += (k ? capitalised(sentences[k]) : sentences[k]) + (k + 1 < shown ? ". " : ".");
        if (shown < sentences.size())
            one += fmt::format(" {} more things happen at that instant.", sentences.size() - shown);
        text += paragraph(one) + '\n';
        before = now;
        first = false;
    }
    return printable(text);
}

std::string tell_counterexample(const counterexample& c)
{
    const violation* const v = c.broken();
    const std::string plan = to_string(c.minimal.fired);
    std::string text = paragraph(
        fmt::format("{} runs, and {}.", c.minimal.manager.empty() ? "This manager" : c.minimal.manager,
            plan.empty() ? std::string("nothing goes wrong") : fmt::format("the plan is {}", plan)));
    text += '\n' + tell_run(c.minimal, v);
    text += paragraph(fmt::format(
        "That breaks {}: {}.", c.invariant, v ? v->sentence : "but when the plan was run again, it did not"));
    if (v && !v->expected.empty())
        text += paragraph(fmt::format("Expected: {}. What happened: {}.", v->expected, v->actual));
    if (const std::string holds = what_holds(c); !holds.empty())
        text += paragraph(fmt::format("It holds {}.", holds));
    if (const std::string alike = what_is_alike(c); !alike.empty())
        text += paragraph(capitalised(alike) + ".");
    return printable(text);
}

} // namespace mishap::detail
