#include "invariants.hpp"
#include "reading.hpp"

#include <mishap/error.hpp>

#include <fmt/format.h>

namespace mishap::detail {

namespace {

/// The event at which everybody could know that this operation left its resource broken, or `none`.
index broke_at(const evidence& e, const operation_record& op)
{
    if (op.role == role::create || op.delivered == none)
        return none;
    if (op.result == result::failed && !op.fails_body)
        return has_broken(op) ? op.delivered : none;
    if (op.role != role::use || !e.contract.cancelled_use_breaks)
        return none;
    return op.result == result::aborted ? op.delivered : op.result == result::abandoned ? op.completed : none;
}

} // namespace

void judge_discards_broken(const evidence& e, violations& found)
{
    if (e.contract.keeps_broken)
        return;
    for (index o = 0; o < e.trace.operations.size(); ++o) {
        const operation_record& op = e.trace.operations[o];
        const index broke = op.resource == none ? none : broke_at(e, op);
        if (broke == none)
            continue;
        for (const body_record& body : e.trace.bodies) {
            if (body.resource != op.resource || body.entered < broke)
                continue;
            found.push_back({
                .sentence = fmt::format("{} was lent again after {} had left it broken",
                    name_of_resource(e, op.resource), name_of(e, o)),
                .lane = body.lane,
                .resource = op.resource,
                .role = role::acquire,
                .proof = {{broke, "breaks it"}, {body.entered, "lent again"}},
                .expected = "a broken resource is closed, and another one is created",
                .actual = fmt::format("lent to {}", name_of_client(e, body.lane)),
            });
            break;
        }
    }
}

} // namespace mishap::detail
