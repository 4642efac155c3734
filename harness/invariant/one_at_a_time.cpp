#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <vector>

namespace mishap::detail {

void judge_one_at_a_time(const evidence& e, violations& found)
{
    if (e.contract.pipelined)
        return;
    std::vector<std::vector<index>> before(e.trace.resources.size()); // on each resource
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& second = e.trace.operations[i];
        if (second.resource == none || second.started == none || e.excused(second.id.lane))
            continue;
        before[second.resource].push_back(i);
        for (const index j : before[second.resource]) {
            const operation_record& first = e.trace.operations[j];
            const bool in_flight = first.started < second.started &&
                                   (first.completed == none || first.completed > second.started);
            if (!in_flight)
                continue;
            const bool closes = second.role == role::close || second.role == role::force_close;
            const bool asked = first.cancel_requested != none && first.cancel_requested < second.started;
            if (second.role == role::force_close || (closes && asked))
                continue;
            found.push_back({
                .sentence = fmt::format("{} was started while {} was in flight on the same resource",
                    name_of(e, i), name_of(e, j)),
                .lane = second.id.lane,
                .resource = second.resource,
                .role = second.role,
                .proof = {{first.started, "in flight"}, {second.started, "started all the same"}},
                .expected =
                    "one operation at a time on a resource; a close only over one that was asked to stop",
                .actual = "two at once",
            });
            break;
        }
    }
}

} // namespace mishap::detail
