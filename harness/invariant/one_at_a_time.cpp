#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <vector>

namespace mishap::detail {

void judge_one_at_a_time(const evidence& e, violations& found)
{
    if (e.contract.pipelined)
        return;
    std::vector<index> under_way; // operations, in the order of their starts
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& second = e.trace.operations[i];
        if (second.resource == none || second.started == none)
            continue;
        std::erase_if(
            under_way, [&](index before) { return e.trace.operations[before].completed < second.started; });
        under_way.push_back(i);
        if (e.excused(second.id.lane))
            continue;
        for (const index j : under_way) {
            const operation_record& first = e.trace.operations[j];
            if (j == i || first.resource != second.resource)
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
