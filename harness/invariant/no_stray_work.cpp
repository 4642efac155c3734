#include "invariants.hpp"
#include "reading.hpp"

#include <mishap/duration.hpp>
#include <mishap/operation.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

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
    const duration limit = e.trace.time_of(last) + e.contract.grace + timer_precision;
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        const bool permitted = op.role == role::body || op.in_body || op.role == role::create ||
                               op.role == role::force_close || op.result == result::abandoned ||
                               op.cancel_requested < last || closes_what_came_late(e.trace, op) ||
                               e.excused(op.id.lane);
        if (permitted || op.started > last || op.completed < last)
            continue;
        const bool hung = op.completed == none || op.result == result::peer_gone;
        const bool unbounded = e.contract.is_unbounded(op.role == role::close ? phase::close : phase::other);
        if (hung && e.contract.grace == duration(0))
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
        found.push_back({
            .sentence = fmt::format("{} was left under way when everybody had ended", name_of(e, left)),
            .lane = op.id.lane,
            .resource = op.resource,
            .role = op.role,
            .proof = {{op.started, "is started"}, {end_of_everybody(e), "everybody has ended"}},
            .expected = "waited for, or permitted by the contract's 'grace'",
            .actual = "still under way",
        });
        return;
    }
    const std::string expected =
        e.contract.grace == duration(0)
            ? std::string(
                  "nothing is left on the executor when the last client has ended; the contract's 'grace' "
                  "permits clean-up that takes longer")
            : fmt::format("nothing is left on the executor {} after the last client ended",
                  to_string(e.contract.grace));
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
    found.push_back({
        .sentence = fmt::format("something is left running: {}", list),
        .lane = first,
        .proof = {{last, "still there"}},
        .expected = expected,
        .actual = list,
    });
}

} // namespace mishap::detail
