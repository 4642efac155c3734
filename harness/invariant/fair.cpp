#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

namespace {

/// How long an instant lasts: where each step takes time, for as long as nothing but steps is done.
duration instant(const evidence& e, index since, index event)
{
    return e.plan.step_cost == duration(0) ? duration(0) : tolerance(e, since, event);
}

/// Whether the first was served at the same instant, either with something that the second had not given
/// back, or while there was room for both: then both were granted theirs, and the way to the one is only some
/// steps longer than to the other.
bool overtakes_by_a_hop(const evidence& e, index first_entered, index second_entered)
{
    if (e.trace.time_of(first_entered) >
        e.trace.time_of(second_entered) + instant(e, second_entered, first_entered))
        return false;
    const auto& bodies = e.trace.bodies;
    const auto at = [&](index entered) {
        return std::find_if(
            bodies.begin(), bodies.end(), [&](const body_record& body) { return body.entered == entered; });
    };
    const auto first = at(first_entered);
    const auto second = at(second_entered);
    const auto others = std::count_if(bodies.begin(), bodies.end(), [&](const body_record& body) {
        return body.lane != first->lane && body.entered < second_entered &&
               body.left > second_entered; // `none` is the greatest index
    });
    return second->left > first_entered || second->resource != first->resource ||
           (e.contract.capacity && static_cast<std::uint32_t>(others) + 2 <= *e.contract.capacity);
}

} // namespace

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
                    const bool by_then =
                        op.started != none &&
                        (op.started < second_entered ||
                            e.trace.time_of(op.started) <=
                                e.trace.time_of(second_entered) + instant(e, second_entered, op.started));
                    return op.id.lane == static_cast<lane>(early) && by_then && !op.in_body &&
                           (op.role == role::create || (op.perturbed && op.role != role::close));
                });
            if (was_served || overtakes_by_a_hop(e, first_entered, second_entered))
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
