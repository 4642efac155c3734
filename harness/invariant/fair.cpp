#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

void judge_fair(const evidence& e, violations& found)
{
    if (!e.contract.fair)
        return;
    const auto entered = [&](lane in) {
        index first = none;
        for (const body_record& body : e.trace.bodies)
            if (body.lane == in)
                first = std::min(first, body.entered);
        return first;
    };
    for (std::size_t early = 0; early < e.trace.outcomes.size(); ++early)
        for (std::size_t late = early + 1; late < e.trace.outcomes.size(); ++late) {
            const outcome& first = e.trace.outcomes[early];
            const outcome& second = e.trace.outcomes[late];
            if (first.probe != second.probe || first.started == none || second.started == none ||
                first.started > second.started || first.cancelled != none || first.abandoned != none)
                continue;
            const index first_entered = entered(static_cast<lane>(early));
            const index second_entered = entered(static_cast<lane>(late));
            if (first_entered == none || second_entered == none || second_entered > first_entered)
                continue;
            // Who creates a resource of its own does not queue for one, and what is done to a resource before
            // it is lent (a ping, a begin) may take its time.
            const bool was_served = std::any_of(
                e.trace.operations.begin(), e.trace.operations.end(), [&](const operation_record& op) {
                    return op.id.lane == static_cast<lane>(early) && op.started < second_entered &&
                           (op.role == role::create || (op.perturbed && op.role != role::close));
                });
            if (was_served)
                continue;
            found.push_back({
                .sentence =
                    fmt::format("client {} came after client {} and was served before it", late, early),
                .lane = static_cast<lane>(late),
                .role = role::acquire,
                .proof = {{first.started, "came first"}, {second_entered, "served first"}},
                .expected = "clients are served in the order in which they came",
                .actual = fmt::format("client {} before client {}", late, early),
            });
            return;
        }
}

} // namespace mishap::detail
