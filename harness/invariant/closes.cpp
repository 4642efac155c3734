// SPDX-License-Identifier: MIT
// How resources end: closes_everything, closes_once, closes_only_what_exists and closes_in_reverse.

#include "invariants.hpp"
#include "waivers.hpp"
#include "wording.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace mishap::detail {

namespace {

/// Whether this close counts: it ended, and not because the client's own cancellation struck it.
bool close_counts(const evidence& e, index close)
{
    const operation_record& op = e.trace.operations[close];
    if (op.role == role::force_close)
        return true;
    switch (op.result) {
    case result::ok:
    case result::abandoned:
        return true;
    case result::failed:
    case result::peer_gone:
        // One that took effect before its reply was lost is as good as any.
        return !e.contract.closing.forced || op.fault.kind == fault_kind::fail_after_effect;
    case result::pending:
        return false;
    case result::aborted:
        break;
    }
    if (e.contract.closing.forced)
        return false;
    const auto& due = e.account.operations()[close].due;
    const bool at_deadline = due && e.trace.time_of(op.cancel_requested) >= *due;
    return at_deadline || e.account.operations()[close].how != wait_end::struck;
}

/// Whether its object went with a client that was abandoned, or with the world: nothing but its destructor
/// could close it then.
bool went_with_client(const evidence& e, index resource)
{
    const index when = e.account.resources()[resource].last_destroyed;
    if (when == none)
        return false;
    const lane in = e.trace.events[when].lane;
    return e.trace.world_abandoned < when ||
           (e.account.has_client(in) && e.trace.outcomes[static_cast<std::size_t>(in)].abandoned < when);
}

/// Whether frames of a client that was abandoned may still have it: where they were waiting, nothing came.
bool stays_with_client(const evidence& e, index resource)
{
    const auto& stays = e.account.resources()[resource].stays;
    const lane last = stays.empty() ? e.trace.resources[resource].home : e.trace.bodies[stays.back()].lane;
    const auto end = static_cast<index>(e.trace.events.size());
    return e.account.lingers(last) && may_be_kept(e.account, {end - 1, end});
}

/// The event at which the manager's shut-down waited for something that may last for ever, or `none`. That it
/// is cancelled then, and closes no more, is mishap's way to end a run.
index end_of_shut_down(const evidence& e)
{
    const index stuck = e.trace.adapter.stuck;
    return stuck != none && may_wait_for_ever(e.account, whole_world, stuck) ? stuck : none;
}

} // namespace

void judge_closes_everything(const evidence& e, violations& found)
{
    const index shut_down = end_of_shut_down(e);
    for (index r = 0; r < e.trace.resources.size(); ++r) {
        const resource_record& resource = e.trace.resources[r];
        if (!resource.ever_open || e.excused(resource.home))
            continue;
        index attempt = none;
        bool closed = false;
        for (const index i : e.account.resources()[r].closes) {
            attempt = i;
            closed = closed || close_counts(e, i);
        }
        const index destroyed = e.account.resources()[r].last_destroyed;
        const closing how = e.contract.closing.by;
        if ((closed && how != closing::destruction) || (destroyed != none && how != closing::operation) ||
            went_with_client(e, r) || stays_with_client(e, r))
            continue;
        if (shut_down != none && (attempt == none || e.trace.operations[attempt].started > shut_down))
            continue;
        violation v{
            .lane = resource.home,
            .resource = r,
            .role = role::close,
            .proof = {{e.trace.operations[resource.create].completed, "opened"}},
            .expected = how == closing::operation     ? "a close that ends, or a force_close"
                        : how == closing::destruction ? "its object is destroyed while it is open"
                                                      : "a close that ends, or the end of its object",
        };
        const std::string name = name_of_resource(e, r);
        if (how == closing::destruction && closed) {
            v.sentence = fmt::format("{} was closed by {}, but the contract has it closed by its destructor",
                name, name_of(e, attempt));
            v.actual = "a close operation";
            v.proof.push_back({e.trace.operations[attempt].started, "closes it"});
        } else if (attempt == none) {
            v.sentence = fmt::format("{} was created but never closed", name);
            v.actual = how == closing::operation ? "no close was started" : "its object was never destroyed";
        } else if (e.trace.operations[attempt].result == result::failed ||
                   (e.contract.closing.forced && !e.account.was_cancelled(e.trace.operations[attempt].id.lane,
                                                     e.trace.operations[attempt].cancel_requested))) {
            v.sentence = fmt::format("the close of {} came to nothing, and no force_close followed", name);
            v.actual = "it is still open";
            v.proof.push_back({e.trace.operations[attempt].started, "closes in vain"});
        } else if (e.trace.operations[attempt].cancel_requested == none) {
            v.sentence = fmt::format("the close of {} never ended", name);
            v.actual = "its close is still under way";
            v.proof.push_back({e.trace.operations[attempt].started, "never ends"});
        } else {
            v.sentence = fmt::format(
                "the close of {} was cancelled before it ended, and nothing closed it after", name);
            v.actual = "its close was struck by the client's own cancellation";
            v.proof.push_back({e.trace.operations[attempt].cancel_requested, "cancelled"});
        }
        if (destroyed != none)
            v.proof.push_back({destroyed, "destroyed while open"});
        found.push_back(std::move(v));
    }
}

void judge_closes_once(const evidence& e, violations& found)
{
    if (e.contract.closing.idempotent)
        return;
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& second = e.trace.operations[i];
        if (!is_close(second) || second.resource == none || e.excused(second.id.lane))
            continue;
        for (const index j : e.account.resources()[second.resource].closes) {
            if (j >= i)
                break;
            const operation_record& first = e.trace.operations[j];
            // Dropping by force what would not close is no second close.
            const bool first_ended = first.completed != none && first.completed < second.started;
            const bool first_succeeded = first.result == result::ok && first_ended;
            if (second.role == role::force_close && !first_succeeded)
                continue;
            // A close that did not succeed may be tried again, as often as the contract says.
            if (first_ended && first.result != result::ok && second.id.attempt <= e.contract.attempts.close &&
                second.role == role::close)
                continue;
            found.push_back(
                blame(second, fmt::format("{} was closed twice", name_of_resource(e, second.resource)),
                    {{first.started, "closed"}, {second.started, "closed again"}},
                    "one close, or a force_close after a close that did not succeed",
                    fmt::format("{} after {}", name_of(e, i), name_of(e, j))));
            break;
        }
    }
}

void judge_closes_only_what_exists(const evidence& e, violations& found)
{
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        const bool gives_back = op.role == role::close || op.role == role::force_close ||
                                op.role == role::commit || op.role == role::rollback ||
                                op.role == role::release;
        if (!gives_back || op.resource == none || e.excused(op.id.lane))
            continue;
        const resource_record& resource = e.trace.resources[op.resource];
        const operation_record* create =
            resource.create == none ? nullptr : &e.trace.operations[resource.create];
        // A create whose reply was lost has taken effect all the same.
        // So has a connect that failed: the descriptor is there.
        const bool took_effect = create && !yielded_nothing(*create) &&
                                 (create->result == result::ok || resource.wire ||
                                     create->fault.kind == fault_kind::fail_after_effect);
        const bool existed = took_effect && create->completed < op.started;
        if (existed)
            continue;
        violation v = blame(op,
            fmt::format("{} was started on a {} that never was open", name_of(e, i), resource.kind.text()),
            {}, "nothing to close, so nothing closed",
            create ? fmt::format("{} {}", name_of(e, resource.create),
                         yielded_nothing(*create)            ? "had yielded nothing"
                         : create->result == result::failed  ? "had failed"
                         : create->result == result::pending ? "had not ended"
                         : create->completed > op.started    ? "had not ended"
                                                             : "had been given up")
                   : "no create was ever started");
        if (create)
            v.proof.push_back(
                {create->completed == none ? create->started : create->completed, "gives no resource"});
        v.proof.push_back({op.started, "closes it all the same"});
        found.push_back(std::move(v));
    }
}

namespace {

/// When a resource was there, in the lane that both opened and closed it.
struct life_span
{
    index opening = none; ///< its create's start
    index opened = none;
    index closing = none; ///< the start of its first close
};

/// `none` everywhere where this resource is not judged: its create was given up, another lane closed it, or
/// it was lent to another client.
life_span span_of(const evidence& e, index resource)
{
    const resource_record& r = e.trace.resources[resource];
    if (r.create == none || r.home < 0)
        return {};
    const operation_record& create = e.trace.operations[r.create];
    if (create.result != result::ok || yielded_nothing(create) || create.delivered == none ||
        create.cancel_requested != none)
        return {};
    const resource_account& mine = e.account.resources()[resource];
    const bool lent_elsewhere = std::any_of(
        mine.stays.begin(), mine.stays.end(), [&](index i) { return e.trace.bodies[i].lane != r.home; });
    if (lent_elsewhere)
        return {};
    index closes = mine.closes.empty() ? none : e.trace.operations[mine.closes.front()].started;
    if (e.contract.closing.by != closing::operation)
        closes = std::min(closes, mine.first_destroyed); // `none` is the greatest index
    if (closes == none || e.trace.events[closes].lane != r.home)
        return {};
    return {create.started, create.delivered, closes};
}

/// Whether something had gone wrong with that resource before the event: what was opened then may replace it.
bool had_failed(const evidence& e, index resource, index before)
{
    const auto& on_it = e.account.resources()[resource].operations;
    return std::any_of(on_it.begin(), on_it.end(), [&](index i) {
        const operation_record& op = e.trace.operations[i];
        return op.completed != none && op.completed < before && op.result != result::ok;
    });
}

/// Whether the lane's body was run while both were open. Lives that merely overlap are no nest: what helps to
/// set something up may well be closed before it.
bool lent_within_both(const evidence& e, lane in, const life_span& outer, const life_span& inner)
{
    const auto& stays = e.account.client(in).stays;
    return std::any_of(stays.begin(), stays.end(), [&](index i) {
        const body_record& body = e.trace.bodies[i];
        return body.entered > inner.opened && body.left < outer.closing &&
               body.left < inner.closing; // `none` is the greatest index
    });
}

} // namespace

void judge_closes_in_reverse(const evidence& e, violations& found)
{
    // A detached close starts whenever it gets its turn, and pools close what they like.
    if (e.contract.closing.any_order || e.contract.capacity.resources ||
        e.contract.time.grace > duration(0) || e.trace.world_abandoned != none ||
        e.trace.resources.size() < 2)
        return;
    std::vector<life_span> spans;
    std::vector<index> by_opening;
    for (index r = 0; r < e.trace.resources.size(); ++r) {
        spans.push_back(span_of(e, r));
        if (spans.back().closing != none)
            by_opening.push_back(r);
    }
    std::sort(by_opening.begin(), by_opening.end(),
        [&](index a, index b) { return spans[a].opening < spans[b].opening; });
    for (index outer = 0; outer < spans.size(); ++outer) {
        const lane in = e.trace.resources[outer].home;
        if (spans[outer].closing == none || !is_judged(e, in))
            continue;
        index inner = none;
        for (auto next = std::partition_point(by_opening.begin(), by_opening.end(),
                 [&](index r) { return spans[r].opening < spans[outer].opened; });
             next != by_opening.end() && spans[*next].opening < spans[outer].closing; ++next)
            if (*next < inner && e.trace.resources[*next].home == in &&
                spans[outer].closing <= spans[*next].closing &&
                lent_within_both(e, in, spans[outer], spans[*next]) &&
                !had_failed(e, outer, spans[*next].opening))
                inner = *next;
        if (inner == none)
            continue;
        found.push_back(blame(in, role::close,
            fmt::format("{} was closed before {}, which was opened after it", name_of_resource(e, outer),
                name_of_resource(e, inner)),
            {{spans[outer].opened, "opened first"}, {spans[inner].opened, "opened inside it"},
                {spans[outer].closing, "closed first"}, {spans[inner].closing, "closed after it"}},
            "last opened, first closed",
            fmt::format("the close of {} started first", name_of_resource(e, outer)), outer));
    }
}

} // namespace mishap::detail
