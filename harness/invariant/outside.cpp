// SPDX-License-Identifier: MIT
// What makes a run worthless or ends it early: leaves_the_simulation, blocks_the_thread, no_escape, livelock
// and expectation.

#include "invariants.hpp"
#include "wording.hpp"

#include <mishap/detail/caught_as.hpp>
#include <mishap/operation.hpp>
#include <mishap/require.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

namespace {

void judge_calls(
    const evidence& e, event_kind kind, std::string_view what, std::string_view expected, violations& found)
{
    std::vector<std::string_view> named;
    for (index i = 0; i < e.trace.events.size(); ++i) {
        const event& at = e.trace.events[i];
        if (at.kind != kind)
            continue;
        const outside_call& call = e.trace.outside_calls[at.subject];
        if (std::find(named.begin(), named.end(), call.call) != named.end())
            continue; // once is enough, however often it was called
        named.push_back(call.call);
        found.push_back(blame(at.lane, role::body,
            fmt::format("{}: {}, in step {} of lane {}", what, call.call, call.step, lane_name(at.lane)),
            {{i, "here"}}, std::string(expected), call.call));
    }
}

} // namespace

void judge_blocks_the_thread(const evidence& e, violations& found)
{
    judge_calls(e, event_kind::blocked, "the code under test blocks the thread",
        "waiting with co_await, so that virtual time can pass", found);
}

void judge_leaves_the_simulation(const evidence& e, violations& found)
{
    judge_calls(e, event_kind::left, "the code under test leaves the simulation",
        "everything runs on the executor of the run; where real threads or descriptors are meant, "
        "environment::allow_outside() permits them",
        found);
}

namespace {

/// Whether the client ended with the error of this operation, which settles it.
bool was_told(const evidence& e, index operation)
{
    const lane who = e.trace.operations[operation].id.lane;
    if (who < 0 || static_cast<std::size_t>(who) >= e.trace.outcomes.size())
        return false;
    const std::exception_ptr& error = e.trace.outcomes[static_cast<std::size_t>(who)].error;
    return e.account.comes_from(operation, error, e.account.client(who).told) ||
           e.account.is_translated(operation, error);
}

/// Whether this operation may be why the adapter gave up: its failure was told to nobody, or to the adapter
/// itself, or it made whoever waits for it run out of time.
bool troubles_adapter(const evidence& e, index operation)
{
    const operation_record& op = e.trace.operations[operation];
    const outcome& adapter = e.trace.adapter;
    if (op.started >= adapter.ended)
        return false;
    if (op.perturbed && (op.fault.takes_time() || op.fault.hangs() || op.fault.cancels_client()))
        return true;
    if (op.result != result::failed && op.result != result::peer_gone && !op.fails_body)
        return false; // or was given up, for another reason
    return !was_told(e, operation) || e.account.is_translated(operation, adapter.error) ||
           e.account.comes_from(operation, adapter.error, e.account.client(background_lane).told);
}

/// Whether something else went wrong for this client, such as a deadline, that it was not told.
bool keeps_trouble(const evidence& e, lane who)
{
    const client_account& client = e.account.client(who);
    return e.trace.outcomes[static_cast<std::size_t>(who)].abandoned != none ||
           std::any_of(client.reasons.begin(), client.reasons.end(), [&](const reason& r) {
               return r.what != reason::kind::operation && r.seen < e.trace.adapter.ended &&
                      !e.account.tells(client, r);
           });
}

/// Whether anything that went wrong explains the error with which the adapter ended. What a client was told
/// is settled, and what only changes an order, an arrival or a result explains nothing.
bool is_explained(const evidence& e)
{
    const std::exception_ptr& error = e.trace.adapter.error;
    if (e.account.client(background_lane).told.source != none || e.trace.world_abandoned != none ||
        std::any_of(e.trace.bodies.begin(), e.trace.bodies.end(),
            [&](const body_record& body) { return body.error && body.error == error; }))
        return true;
    for (index i = 0; i < e.trace.operations.size(); ++i)
        if (troubles_adapter(e, i))
            return true;
    for (index i = 0; i < e.trace.outcomes.size(); ++i)
        if (keeps_trouble(e, static_cast<lane>(i)))
            return true;
    return false;
}

/// Nothing was done to this run that anybody could pass on.
bool is_undisturbed(const trace& happened)
{
    return happened.strikes.empty() && std::none_of(happened.operations.begin(), happened.operations.end(),
                                           [](const operation_record& op) { return op.perturbed; });
}

/// Above the adapter there is nobody: what leaves it ends the program that it stands for.
void judge_end_of_adapter(const evidence& e, violations& found)
{
    const outcome& adapter = e.trace.adapter;
    if (!e.trace.has_adapter || adapter.ending != ending::threw || adapter.cancelled != none ||
        !e.plan.invalid_settings.empty() || caught_as<requirement_failed>(adapter.error))
        return;
    const bool undisturbed = is_undisturbed(e.trace);
    if (!undisturbed && is_explained(e))
        return;
    const std::string error = describe_error(e, adapter.error);
    found.push_back(blame(background_lane, role::body,
        fmt::format(
            "the adapter ended with {}, although nothing had failed{}", error, undisturbed ? "" : " for it"),
        {{adapter.ended, "nothing explains it"}}, "what serves the clients returns",
        fmt::format("it ended with {}", error)));
}

} // namespace

void judge_no_escape(const evidence& e, violations& found)
{
    for (index i = 0; i < e.trace.events.size(); ++i) {
        const event& at = e.trace.events[i];
        if (at.kind == event_kind::terminated) {
            const std::exception_ptr& cause = e.trace.escapes[at.subject];
            const std::string why =
                cause ? fmt::format(" while {} was under way", describe_error(e, cause)) : "";
            found.push_back(blame(background_lane, role::body,
                fmt::format("std::terminate was called{}", why), {{i, "the program would end here"}},
                "no exception leaves a destructor, another function that is noexcept, or a thread",
                fmt::format("std::terminate was called{}", why)));
        }
        // A check of the test that threw from a callback is the business of `expectation`.
        if (at.kind != event_kind::escaped || caught_as<requirement_failed>(e.trace.escapes[at.subject]))
            continue;
        const std::string error = describe_error(e, e.trace.escapes[at.subject]);
        found.push_back(blame(at.lane, role::body,
            fmt::format("{} escaped from a handler into the executor", error), {{i, "leaves the handler"}},
            "every exception is caught or passed to a completion handler",
            fmt::format("{} reached the executor, which would end the program's io_context::run()", error)));
    }
    judge_end_of_adapter(e, found);
}

void judge_livelock(const evidence& e, violations& found)
{
    for (auto i = static_cast<index>(e.trace.events.size()); i-- > 0;) {
        const event& at = e.trace.events[i];
        if (at.kind != event_kind::stage)
            continue;
        if (at.subject == static_cast<index>(stage::judged))
            return; // only a run that came to its end is judged
        if (at.subject == static_cast<index>(stage::livelock))
            found.push_back(blame(0, role::body,
                fmt::format("the run was still busy after {} steps", e.trace.steps), {{i, "stopped here"}},
                "the run ends, or waits for something", "handlers kept starting handlers"));
    }
}

namespace {

/// A message of several lines, made to stand inside a report.
std::string indented(const std::string& message)
{
    std::string text;
    for (const char c : message) {
        text += c;
        if (c == '\n')
            text += "    ";
    }
    text.erase(text.find_last_not_of(" \n") + 1);
    return text;
}

} // namespace

void judge_expectation(const evidence& e, violations& found)
{
    const bool any_excused =
        std::find(e.consequence.begin(), e.consequence.end(), true) != e.consequence.end();
    // One for the whole run: what fails after the first is mostly its echo.
    std::size_t count = 0;
    for (index i = 0; i < e.trace.events.size(); ++i) {
        const event& at = e.trace.events[i];
        if (at.kind != event_kind::expectation_failed)
            continue;
        // The adapter's mocks miss the calls of a client that hangs.
        if (e.excused(at.lane) || (at.lane < 0 && any_excused))
            continue;
        const expectation_record& failed = e.trace.expectations[at.subject];
        if (++count == 1)
            found.push_back(blame(at.lane, role::body,
                indented(failed.file.empty()
                             ? failed.message
                             : fmt::format("{}:{}: {}", failed.file, failed.line, failed.message)),
                {{i, "fails"}}, {}, {}));
    }
    if (count > 1)
        found.back().sentence += fmt::format("\n    ({} expectations failed in this run)", count);
}

} // namespace mishap::detail
