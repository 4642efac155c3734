#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

namespace mishap::detail {

void judge_closes_once(const evidence& e, violations& found)
{
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& second = e.trace.operations[i];
        const bool closing = second.role == role::close || second.role == role::force_close;
        if (!closing || e.excused(second.id.lane))
            continue;
        for (index j = 0; j < i; ++j) {
            const operation_record& first = e.trace.operations[j];
            if (first.resource != second.resource ||
                (first.role != role::close && first.role != role::force_close))
                continue;
            // Dropping by force what would not close is no second close.
            const bool first_succeeded = first.result == result::ok && first.completed < second.started;
            if ((second.role == role::force_close && !first_succeeded) || e.contract.idempotent_close)
                continue;
            // A close that did not succeed may be tried again, as often as the contract says.
            const bool first_ended = first.completed != none && first.completed < second.started;
            if (first_ended && first.result != result::ok && second.id.attempt <= e.contract.close_attempts &&
                second.role == role::close)
                continue;
            found.push_back({
                .sentence = fmt::format("{} was closed twice", name_of_resource(e, second.resource)),
                .lane = second.id.lane,
                .resource = second.resource,
                .role = second.role,
                .proof = {{first.started, "closed"}, {second.started, "closed again"}},
                .expected = "one close, or a force_close after a close that did not succeed",
                .actual = fmt::format("{} after {}", name_of(e, i), name_of(e, j)),
            });
            break;
        }
    }
}

} // namespace mishap::detail
