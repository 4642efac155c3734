#include "invariants.hpp"
#include "reading.hpp"

#include "vocabulary/printable.hpp"

#include <fmt/format.h>

namespace mishap::detail {

namespace {

/// Whether a create that arrived after it was given up is closed at once.
bool is_late_and_closed(const trace& happened, const operation_record& create)
{
    if (create.cancel_requested == none || create.completed == none ||
        create.cancel_requested > create.completed)
        return false;
    const resource_record& resource = happened.resources[create.resource];
    return resource.first_close != none &&
           happened.time_of(happened.operations[resource.first_close].started) ==
               happened.time_of(create.completed);
}

} // namespace

void judge_within_capacity(const evidence& e, violations& found)
{
    if (!e.contract.capacity)
        return;
    const auto most = static_cast<std::int64_t>(*e.contract.capacity);
    std::int64_t count = 0;
    std::vector<bool> counted(e.trace.resources.size(), false);
    const auto set = [&](index resource, bool now) {
        count += static_cast<int>(now) - static_cast<int>(static_cast<bool>(counted[resource]));
        counted[resource] = now;
    };
    for (index i = 0; i < e.trace.events.size(); ++i) {
        const event& at = e.trace.events[i];
        if (at.kind == event_kind::destroyed && at.lane >= 0 &&
            static_cast<std::size_t>(at.lane) < e.trace.outcomes.size() &&
            e.trace.outcomes[static_cast<std::size_t>(at.lane)].abandoned != none)
            set(at.subject, false); // it went with its client
        const bool of_operation = at.kind == event_kind::started || at.kind == event_kind::completed ||
                                  at.kind == event_kind::cancel_requested;
        if (at.kind == event_kind::destroyed && e.contract.closed_by != closing::operation)
            set(at.subject, false);
        if (!of_operation)
            continue;
        const operation_record& op = e.trace.operations[at.subject];
        if (op.resource == none)
            continue;
        if (op.role == role::create && at.kind == event_kind::started)
            set(op.resource, true);
        else if (op.role == role::create && at.kind == event_kind::cancel_requested) {
            if (op.completed == none || op.completed > i)
                set(op.resource, false); // nobody waits for it any more
        } else if (op.role == role::create && at.kind == event_kind::completed)
            set(op.resource,
                op.result == result::ok && !yielded_nothing(op) && !is_late_and_closed(e.trace, op));
        else if ((op.role == role::close || op.role == role::force_close) &&
                 at.kind == (e.contract.closing_counts ? event_kind::completed : event_kind::started))
            set(op.resource, false);
        else
            continue;
        if (count > most) {
            found.push_back({
                .sentence = fmt::format("{} resources exist at once, but the capacity is {}", count, most),
                .lane = op.id.lane,
                .resource = op.resource,
                .role = role::create,
                .proof = {{i, fmt::format("the {} at once", ordinal(static_cast<std::uint64_t>(count)))}},
                .expected = fmt::format("at most {}", most),
                .actual = fmt::format("{}", count),
            });
            return;
        }
    }
}

} // namespace mishap::detail
