// SPDX-License-Identifier: MIT
// What is started, and when: no_use_after_close, one_at_a_time, validates_first and no_stray_work.

#include "invariants.hpp"
#include "waivers.hpp"
#include "wording.hpp"

#include "vocabulary/deadlines.hpp"

#include <mishap/duration.hpp>
#include <mishap/operation.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace mishap::detail {

void judge_no_use_after_close(const evidence& e, violations& found)
{
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        const bool uses = op.role == role::use || op.role == role::maintenance || op.role == role::begin;
        const bool ends_transaction = op.role == role::commit || op.role == role::rollback;
        if ((!uses && !ends_transaction) || op.resource == none || op.started == none ||
            e.excused(op.id.lane))
            continue;
        if (const index create = e.trace.resources[op.resource].create;
            uses && create != none && yielded_nothing(e.trace.operations[create]) &&
            e.trace.operations[create].completed < op.started) {
            found.push_back(blame(op,
                fmt::format(
                    "{} was started, although {} had yielded nothing", name_of(e, i), name_of(e, create)),
                {{e.trace.operations[create].completed, "yields nothing"},
                    {op.started, "uses it all the same"}},
                "a null handle is noticed", "it was used"));
            continue;
        }
        const auto& closes = e.account.resources()[op.resource].closes;
        if (closes.empty() || e.trace.operations[closes.front()].started > op.started)
            continue;
        const operation_record& close = e.trace.operations[closes.front()];
        found.push_back(
            blame(op, fmt::format("{} was started after {}", name_of(e, i), name_of(e, closes.front())),
                {{close.started, "closes"}, {op.started, "uses it all the same"}},
                "no use once a close has started",
                fmt::format("{} was {}", name_of_resource(e, op.resource),
                    close.completed != none && close.completed < op.started ? "closed" : "closing")));
    }
}

void judge_one_at_a_time(const evidence& e, violations& found)
{
    if (e.contract.work.pipelined)
        return;
    const auto& all = e.trace.operations;
    const auto during = [&](index i) { return interval{all[i].started, all[i].completed}; };
    const auto conflict = [&](index first, index second) {
        const index asked = all[first].cancel_requested;
        return all[second].role != role::force_close &&
               !(all[second].role == role::close && asked != none && asked < all[second].started);
    };
    std::vector<overlap> overlaps;
    for (const resource_account& resource : e.account.resources()) {
        // A socket goes both ways, and its calls do not wait for each other.
        const auto which = static_cast<std::size_t>(&resource - e.account.resources().data());
        if (!e.trace.resources[which].wire)
            find_overlaps(resource.operations, during, conflict, overlaps);
    }
    std::sort(overlaps.begin(), overlaps.end());
    for (const auto& [i, j] : overlaps) {
        const operation_record& second = all[i];
        if (!e.excused(second.id.lane))
            found.push_back(blame(second,
                fmt::format("{} was started while {} was in flight on the same resource", name_of(e, i),
                    name_of(e, j)),
                {{all[j].started, "in flight"}, {second.started, "started all the same"}},
                "one operation at a time on a resource; a close only over one that was asked to stop",
                "two at once"));
    }
}

namespace {

std::string name_settings(const evidence& e)
{
    std::vector<std::string> words;
    for (const std::string& name : e.plan.invalid_settings) {
        const auto given = e.plan.settings.find(name);
        words.push_back(
            fmt::format("{} = '{}'", name, given == e.plan.settings.end() ? std::string() : given->second));
    }
    return fmt::format("the invalid setting{} {}", words.size() == 1 ? "" : "s", fmt::join(words, ", "));
}

} // namespace

void judge_validates_first(const evidence& e, violations& found)
{
    if (e.plan.invalid_settings.empty())
        return;
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        if (op.role != role::create || op.started == none)
            continue;
        found.push_back(
            blame(op, fmt::format("{} was started in spite of {}", name_of(e, i), name_settings(e)),
                {{op.started, "creates all the same"}}, "an error, and nothing is created",
                "something was created"));
        return;
    }
    for (const body_record& body : e.trace.bodies) {
        found.push_back(
            blame(body.lane, role::body, fmt::format("the body was run in spite of {}", name_settings(e)),
                {{body.entered, "runs the body all the same"}}, "an error, and nothing is done",
                "the body was run"));
        return;
    }
    // A manager that is refused as a whole serves nobody.
    if (e.trace.has_adapter && e.trace.adapter.error)
        return;
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const auto in = static_cast<lane>(i);
        if (client.ended == none || client.error || !is_judged(e, in))
            continue;
        found.push_back(blame(in, role::body,
            fmt::format("{} saw success in spite of {}", name_of_client(e, in), name_settings(e)),
            {{client.ended, "sees success"}}, "an error", "success"));
        return;
    }
}

namespace {

/// The event at which the last client, and the adapter, had ended; `none` if one never did.
index end_of_everybody(const evidence& e)
{
    index last = e.trace.has_adapter ? e.trace.adapter.ended : 0;
    for (const outcome& client : e.trace.outcomes)
        if (client.started != none)
            last = std::max(last, client.ended); // `none` is the greatest index
    return last;
}

/// An operation that went on by itself when everybody had ended, for longer than the contract's grace, or
/// `none`. What was asked to stop, and what comes of that, is judged by what arrives.
index operation_left(const evidence& e)
{
    const index last = end_of_everybody(e);
    if (last == none || e.trace.world_abandoned != none)
        return none;
    const duration limit = e.trace.time_of(last) + e.contract.time.grace + timer_precision;
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        // Nobody can stop the resolution of a name.
        const bool permitted = op.role == role::body || op.in_body || op.role == role::create ||
                               op.wire == wire_call::resolve || op.role == role::force_close ||
                               op.result == result::abandoned || op.cancel_requested < last ||
                               e.account.operations()[i].came_late || e.excused(op.id.lane);
        if (permitted || op.started > last || op.completed < last)
            continue;
        const bool hung = op.completed == none || op.result == result::peer_gone;
        const bool unbounded = e.contract.is_unbounded(op.role == role::close ? phase::close : phase::other);
        if (hung && e.contract.time.grace == duration(0))
            return i; // whatever the time: mishap ended it at once
        if ((op.completed == none || e.trace.time_of(op.completed) > limit) && !(hung && unbounded))
            return i;
    }
    return none;
}

} // namespace

void judge_no_stray_work(const evidence& e, violations& found)
{
    // Where a client never ended, its own suspended coroutine is what is left.
    const bool everybody_ended = std::all_of(e.trace.outcomes.begin(), e.trace.outcomes.end(),
        [](const outcome& client) { return client.ended != none; });
    if (!everybody_ended || e.trace.events.empty())
        return;
    const auto last = static_cast<index>(e.trace.events.size() - 1);
    if (const index left = operation_left(e); left != none) {
        const operation_record& op = e.trace.operations[left];
        found.push_back(
            blame(op, fmt::format("{} was left under way when everybody had ended", name_of(e, left)),
                {{op.started, "is started"}, {end_of_everybody(e), "everybody has ended"}},
                "waited for, or permitted by the contract's 'grace'", "still under way"));
        return;
    }
    std::string list;
    lane first = 0;
    bool any = false;
    for (const work_record& work : e.trace.stray_work) {
        if (e.excused(work.lane))
            continue;
        if (!any)
            first = work.lane;
        any = true;
        list += fmt::format("{}work of lane {} started in step {} at {}", list.empty() ? "" : "; ",
            lane_name(work.lane), work.step, to_string(work.since));
    }
    const bool reactor_only = !any && e.trace.stray_work.empty() && e.trace.stray_reactor && !e.excused(0);
    if (reactor_only)
        list = "a timer, descriptor or work guard of the io_context itself";
    if (!any && !reactor_only)
        return;
    const std::string expected =
        e.contract.time.grace == duration(0)
            ? std::string(
                  "nothing is left on the executor when the last client has ended; the contract's 'grace' "
                  "permits clean-up that takes longer")
            : fmt::format("nothing is left on the executor {} after the last client ended",
                  to_string(e.contract.time.grace));
    found.push_back(blame(first, role::body, fmt::format("something is left running: {}", list),
        {{last, "still there"}}, expected, list));
}

} // namespace mishap::detail
