#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

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
            found.push_back({
                .sentence = fmt::format(
                    "{} was started, although {} had yielded nothing", name_of(e, i), name_of(e, create)),
                .lane = op.id.lane,
                .resource = op.resource,
                .role = op.role,
                .proof = {{e.trace.operations[create].completed, "yields nothing"},
                    {op.started, "uses it all the same"}},
                .expected = "a null handle is noticed",
                .actual = "it was used",
            });
            continue;
        }
        for (index j = 0; j < e.trace.operations.size(); ++j) {
            const operation_record& close = e.trace.operations[j];
            const bool closes = close.role == role::close || close.role == role::force_close;
            if (!closes || close.resource != op.resource || close.started > op.started)
                continue;
            found.push_back({
                .sentence = fmt::format("{} was started after {}", name_of(e, i), name_of(e, j)),
                .lane = op.id.lane,
                .resource = op.resource,
                .role = op.role,
                .proof = {{close.started, "closes"}, {op.started, "uses it all the same"}},
                .expected = "no use once a close has started",
                .actual = fmt::format("{} was {}", name_of_resource(e, op.resource),
                    close.completed != none && close.completed < op.started ? "closed" : "closing"),
            });
            break;
        }
    }
}

} // namespace mishap::detail
