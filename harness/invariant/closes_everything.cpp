#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

namespace {

/// Whether this close counts: it ended, and not because the client's own cancellation struck it.
bool close_counts(const evidence& e, const operation_record& op)
{
    if (op.role == role::force_close)
        return true;
    switch (op.result) {
    case result::ok:
    case result::abandoned:
        return true;
    case result::failed:
    case result::peer_gone:
        // One that took effect before its reply was lost is as good as any.
        return !e.contract.forces_close || op.fault.kind == fault_kind::fail_after_effect;
    case result::pending:
        return false;
    case result::aborted:
        break;
    }
    if (e.contract.forces_close)
        return false;
    const duration asked = e.trace.time_of(op.cancel_requested);
    const bool at_deadline =
        e.contract.close_timeout && asked >= e.trace.time_of(op.started) + *e.contract.close_timeout;
    return at_deadline || !was_struck(e, op);
}

/// Whether its object went with a client that was abandoned, or with the world: nothing but its destructor
/// could close it then.
bool went_with_client(const evidence& e, index resource)
{
    const auto& events = e.trace.events;
    return std::any_of(events.begin(), events.end(), [&](const event& at) {
        const auto when = static_cast<index>(&at - events.data());
        if (at.kind != event_kind::destroyed || at.subject != resource)
            return false;
        const bool of_client = at.lane >= 0 && static_cast<std::size_t>(at.lane) < e.trace.outcomes.size();
        return e.trace.world_abandoned < when ||
               (of_client && e.trace.outcomes[static_cast<std::size_t>(at.lane)].abandoned < when);
    });
}

} // namespace

void judge_closes_everything(const evidence& e, violations& found)
{
    for (index r = 0; r < e.trace.resources.size(); ++r) {
        const resource_record& resource = e.trace.resources[r];
        if (!resource.ever_open || e.excused(resource.home))
            continue;
        index attempt = none;
        bool closed = false;
        for (index i = 0; i < e.trace.operations.size(); ++i) {
            const operation_record& op = e.trace.operations[i];
            if (op.resource != r || (op.role != role::close && op.role != role::force_close))
                continue;
            attempt = i;
            closed = closed || close_counts(e, op);
        }
        index destroyed = none;
        for (index i = 0; i < e.trace.events.size(); ++i)
            if (e.trace.events[i].kind == event_kind::destroyed && e.trace.events[i].subject == r)
                destroyed = i;
        const closing how = e.contract.closed_by;
        if ((closed && how != closing::destruction) || (destroyed != none && how != closing::operation) ||
            went_with_client(e, r))
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
                   (e.contract.forces_close && !cancelled_before(e.trace, e.trace.operations[attempt].id.lane,
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

} // namespace mishap::detail
