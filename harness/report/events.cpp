// SPDX-License-Identifier: MIT
#include "events.hpp"

#include "vocabulary/causes.hpp"

#include <mishap/duration.hpp>
#include <mishap/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mishap::detail {

std::string format_time(duration at)
{
    const auto ns = at.count();
    const int digits = ns % 1'000'000 == 0 ? 3 : ns % 1'000 == 0 ? 6 : 9;
    std::string fraction = fmt::format("{:09}", ns % 1'000'000'000);
    fraction.resize(static_cast<std::size_t>(digits));
    return fmt::format("{}.{}s", ns / 1'000'000'000, fraction);
}

std::string resource_name(const trace& happened, index resource)
{
    const resource_record& r = happened.resources[resource];
    const bool shows_lane = happened.outcomes.size() > 1 || r.home != 0;
    return fmt::format(
        "{}{}#{}", shows_lane ? lane_name(r.home) + "/" : "", r.kind.text(), std::max(r.ordinal, 1u));
}

namespace {

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
    return "throws " + name_of_error(run.trace, client.error);
}

} // namespace

std::optional<event_words> describe_event(const run_result& run, index i)
{
    const trace& happened = run.trace;
    const event& e = happened.events[i];
    switch (e.kind) {
    case event_kind::client_started:
    case event_kind::delivered:
        return std::nullopt;
    case event_kind::client_ended:
        if (e.subject == none)
            return event_words{"adapter", describe_end(run, happened.adapter)};
        return event_words{
            fmt::format("client {}", e.subject), describe_end(run, happened.outcomes[e.subject])};
    case event_kind::client_cancelled:
        if (e.subject == none)
            return event_words{"adapter", "is cancelled"};
        return event_words{fmt::format("client {}", e.subject), "is cancelled by its caller"};
    case event_kind::client_abandoned:
        if (e.subject == none)
            return event_words{"-", "the world is abandoned: everything is destroyed where it is"};
        return event_words{
            fmt::format("client {}", e.subject), "is abandoned: what it had suspended is destroyed"};
    case event_kind::started: {
        const operation_record& op = happened.operations[e.subject];
        const std::string who = op.role == role::body ? name_of_body(run, e.lane) : to_string(happened, op);
        if (op.fault.kind == fault_kind::hang)
            return event_words{who, "hangs"};
        if (op.fault.kind == fault_kind::hang_after_effect)
            return event_words{who, "takes effect, and hangs"};
        if (op.fault.kind == fault_kind::deaf)
            return event_words{who, "hangs, and ignores being cancelled"};
        if (op.fault.takes_time())
            return event_words{who, fmt::format("takes {}", to_string(op.fault.after))};
        return std::nullopt;
    }
    case event_kind::cancel_requested: {
        const operation_record& op = happened.operations[e.subject];
        if (op.completed != none && op.completed < i)
            return event_words{to_string(happened, op), "is asked to stop, too late"};
        if (op.fault.kind == fault_kind::deaf || op.fault.kind == fault_kind::late)
            return event_words{to_string(happened, op), "is asked to stop, and does not listen"};
        return std::nullopt;
    }
    case event_kind::completed: {
        const operation_record& op = happened.operations[e.subject];
        const std::string who = op.role == role::body ? name_of_body(run, e.lane) : to_string(happened, op);
        if (op.fails_before)
            return event_words{
                who, fmt::format("is not started: the body fails with {}", op.fault.error.text())};
        switch (op.result) {
        case result::pending:
            return std::nullopt;
        case result::ok:
            if (op.fault.kind == fault_kind::empty)
                return event_words{who, "ok, but yields nothing"};
            if (op.fails_body)
                return event_words{
                    who, fmt::format("ok, then the body fails with {}", op.fault.error.text())};
            return event_words{who, op.fault.kind == fault_kind::ok_now ? "ok, at once" : "ok"};
        case result::failed:
            if (op.fault.kind == fault_kind::bad_alloc)
                return event_words{who, "fails bad_alloc, at once"};
            return event_words{
                who, fmt::format("{} {}",
                         !op.failed_by_itself.empty()                     ? "fails by itself with"
                         : op.fault.kind == fault_kind::fail_after_effect ? "takes effect, then fails"
                                                                          : "fails",
                         op.failed_with().text())};
        case result::aborted:
            return event_words{who, op.fault.kind == fault_kind::cancel_after_effect
                                        ? "is cancelled, but took effect"
                                        : "is cancelled"};
        case result::peer_gone:
            return event_words{who, "fails: its peer is gone"};
        case result::abandoned:
            return event_words{who, "is abandoned"};
        }
        return std::nullopt;
    }
    case event_kind::body_entered:
        // With several clients, who holds what is half of the story.
        if (happened.outcomes.size() > 1 && happened.bodies[e.subject].resource != none)
            return event_words{fmt::format("client {}", e.lane),
                fmt::format("holds {}", resource_name(happened, happened.bodies[e.subject].resource))};
        return event_words{name_of_body(run, e.lane), "begins"};
    case event_kind::body_left: {
        const body_record& body = happened.bodies[e.subject];
        // An error that mishap did not raise is the body's own news.
        if (body.error && find_source(happened, body.error) == none)
            return event_words{name_of_body(run, e.lane), fmt::format("throws {}", describe(body.error))};
        // Where it failed by itself, its failure says that it ended.
        if (const index source = body.error ? find_source(happened, body.error) : none;
            source != none && happened.operations[source].role == role::body)
            return std::nullopt;
        return event_words{name_of_body(run, e.lane), "ends"};
    }
    case event_kind::reported: {
        const std::exception_ptr& error = happened.reports[e.subject].error;
        const index source = find_source(happened, error);
        return event_words{"report sink", source == none
                                              ? describe(error)
                                              : fmt::format("{} ({})", name_of_error(happened, error),
                                                    to_string(happened, happened.operations[source]))};
    }
    case event_kind::destroyed: {
        return event_words{resource_name(happened, e.subject), run.contract.closing.by == closing::operation
                                                                   ? "is destroyed while open"
                                                                   : "is closed by its destruction"};
    }
    case event_kind::escaped:
        return event_words{"executor", fmt::format("catches {}", describe(happened.escapes[e.subject]))};
    case event_kind::terminated:
        return event_words{lane_name(e.lane), "calls std::terminate"};
    case event_kind::blocked:
        return event_words{
            lane_name(e.lane), fmt::format("blocks the thread: {}", happened.outside_calls[e.subject].call)};
    case event_kind::left:
        return event_words{lane_name(e.lane),
            fmt::format("leaves the simulation: {}", happened.outside_calls[e.subject].call)};
    case event_kind::stage: {
        const auto reached = static_cast<stage>(e.subject);
        if (reached == stage::stuck || reached == stage::livelock || reached == stage::probing ||
            reached == stage::shutting_down)
            return event_words{"-", std::string(to_string(reached))};
        return std::nullopt;
    }
    case event_kind::note:
        return event_words{"note", happened.notes[e.subject]};
    case event_kind::expectation_failed: {
        const expectation_record& failed = happened.expectations[e.subject];
        return event_words{"expectation",
            failed.file.empty() ? "fails" : fmt::format("fails at {}:{}", failed.file, failed.line)};
    }
    }
    return std::nullopt;
}

event_words name_event(const run_result& run, index i)
{
    if (auto told = describe_event(run, i))
        return std::move(*told);
    const trace& happened = run.trace;
    const event& e = happened.events[i];
    const auto of_operation = [&](std::string_view what) {
        const operation_record& op = happened.operations[e.subject];
        return event_words{
            op.role == role::body ? name_of_body(run, e.lane) : to_string(happened, op), std::string(what)};
    };
    switch (e.kind) {
    case event_kind::client_started:
        return {e.subject == none ? "adapter" : fmt::format("client {}", e.subject), "comes"};
    case event_kind::started:
        return of_operation("starts");
    case event_kind::cancel_requested:
        return of_operation("is asked to stop");
    case event_kind::completed:
        return of_operation("ends");
    case event_kind::delivered: {
        // The result is news for the code only now.
        const index done = happened.operations[e.subject].completed;
        const auto result = done == none ? std::nullopt : describe_event(run, done);
        return of_operation(result ? result->what + ", which is told" : "is told");
    }
    case event_kind::body_left:
        return {name_of_body(run, e.lane), "ends"};
    case event_kind::stage:
        return {"-", std::string(to_string(static_cast<stage>(e.subject)))};
    default:
        return {lane_name(e.lane), "goes on"};
    }
}

index first_difference(const run_result& run, const run_result& other)
{
    const auto& mine = run.trace.events;
    const auto& theirs = other.trace.events;
    for (index i = 0; i < mine.size(); ++i) {
        if (i >= theirs.size() || mine[i].at != theirs[i].at || mine[i].kind != theirs[i].kind ||
            mine[i].lane != theirs[i].lane)
            return i;
        const event_words here = name_event(run, i), there = name_event(other, i);
        if (here.who != there.who || here.what != there.what)
            return i;
    }
    return none;
}

} // namespace mishap::detail
