#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

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
    const bool lent_elsewhere = std::any_of(e.trace.bodies.begin(), e.trace.bodies.end(),
        [&](const body_record& body) { return body.resource == resource && body.lane != r.home; });
    if (lent_elsewhere)
        return {};
    index closes = none;
    for (const operation_record& op : e.trace.operations)
        if (op.resource == resource && (op.role == role::close || op.role == role::force_close))
            closes = std::min(closes, op.started); // `none` is the greatest index
    if (e.contract.closed_by != closing::operation)
        for (index i = 0; i < e.trace.events.size(); ++i)
            if (e.trace.events[i].kind == event_kind::destroyed && e.trace.events[i].subject == resource)
                closes = std::min(closes, i);
    if (closes == none || e.trace.events[closes].lane != r.home)
        return {};
    return {create.started, create.delivered, closes};
}

/// Whether something had gone wrong with that resource before the event: what was opened then may replace it.
bool had_failed(const evidence& e, index resource, index before)
{
    return std::any_of(e.trace.operations.begin(), e.trace.operations.end(), [&](const operation_record& op) {
        return op.resource == resource && op.completed != none && op.completed < before &&
               op.result != result::ok;
    });
}

/// Whether the lane's body was run while both were open. Lives that merely overlap are no nest: what helps to
/// set something up may well be closed before it.
bool lent_within_both(const evidence& e, lane in, const life_span& outer, const life_span& inner)
{
    return std::any_of(e.trace.bodies.begin(), e.trace.bodies.end(), [&](const body_record& body) {
        return body.lane == in && body.entered > inner.opened && body.left < outer.closing &&
               body.left < inner.closing; // `none` is the greatest index
    });
}

} // namespace

void judge_closes_in_reverse(const evidence& e, violations& found)
{
    // A detached close starts whenever it gets its turn, and pools close what they like.
    if (e.contract.closes_in_any_order || e.contract.capacity || e.contract.grace > duration(0) ||
        e.trace.world_abandoned != none || e.trace.resources.size() < 2)
        return;
    std::vector<life_span> spans;
    for (index r = 0; r < e.trace.resources.size(); ++r)
        spans.push_back(span_of(e, r));
    for (index outer = 0; outer < spans.size(); ++outer) {
        const lane in = e.trace.resources[outer].home;
        if (spans[outer].closing == none || !is_judged(e, in))
            continue;
        for (index inner = 0; inner < spans.size(); ++inner) {
            if (inner == outer || spans[inner].closing == none || e.trace.resources[inner].home != in ||
                spans[inner].opening < spans[outer].opened || spans[outer].closing > spans[inner].closing ||
                !lent_within_both(e, in, spans[outer], spans[inner]) ||
                had_failed(e, outer, spans[inner].opening))
                continue;
            found.push_back({
                .sentence = fmt::format("{} was closed before {}, which was opened after it",
                    name_of_resource(e, outer), name_of_resource(e, inner)),
                .lane = in,
                .resource = outer,
                .role = role::close,
                .proof = {{spans[outer].opened, "opened first"}, {spans[inner].opened, "opened inside it"},
                    {spans[outer].closing, "closed first"}, {spans[inner].closing, "closed after it"}},
                .expected = "last opened, first closed",
                .actual = fmt::format("the close of {} started first", name_of_resource(e, outer)),
            });
            break;
        }
    }
}

} // namespace mishap::detail
