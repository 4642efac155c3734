#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

namespace {

/// The client's last body, if somebody other than the client's caller had it stopped; else `none`.
index stopped_body(const evidence& e, lane in)
{
    index last = none;
    for (index i = 0; i < e.trace.bodies.size(); ++i)
        if (e.trace.bodies[i].lane == in && !is_nested_body(e.trace, i))
            last = i;
    const bool stopped =
        last != none && e.trace.bodies[last].left != none && is_abort(e.trace.bodies[last].error);
    return stopped && e.trace.outcomes[static_cast<std::size_t>(in)].cancelled == none ? last : none;
}

/// Whether the contract grants closing again after this close failed, and that succeeded.
bool is_closed_again(const evidence& e, const operation_record& failed)
{
    return e.contract.close_attempts > 1 &&
           std::any_of(e.trace.operations.begin(), e.trace.operations.end(), [&](const operation_record& op) {
               return op.resource == failed.resource && op.role == role::close && op.result == result::ok &&
                      op.started > failed.completed;
           });
}

/// Whether what was acquired was released after all, or went with its resource, which was dropped or broken.
bool is_released_again(const evidence& e, const operation_record& failed)
{
    return failed.role == role::release &&
           (was_broken(e, failed.resource, failed.delivered) ||
               std::any_of(
                   e.trace.operations.begin(), e.trace.operations.end(), [&](const operation_record& op) {
                       const bool ends_it = op.role == role::force_close ||
                                            (op.role == role::release && op.result == result::ok);
                       return op.resource == failed.resource && ends_it && op.started > failed.completed;
                   }));
}

/// A close of the background that failed, where the contract has such errors reported and nobody was told; or
/// `none`.
index lost_in_the_background(const evidence& e)
{
    const bool promised =
        e.contract.reports_cleanup_errors || e.contract.close_error == close_error_policy::reported;
    if (!promised || e.trace.world_abandoned != none)
        return none;
    for (index o = 0; o < e.trace.operations.size(); ++o) {
        const operation_record& op = e.trace.operations[o];
        if (op.id.lane == background_lane && op.role == role::close && op.result == result::failed &&
            op.delivered != none && !op.in_probe && !was_reported(e, o) && !is_closed_again(e, op) &&
            !comes_from(e, o, e.trace.adapter.error))
            return o;
    }
    return none;
}

} // namespace

void judge_swallows_no_error(const evidence& e, violations& found)
{
    if (const index lost = lost_in_the_background(e); lost != none && !e.excused(background_lane)) {
        const operation_record& op = e.trace.operations[lost];
        found.push_back({
            .sentence = fmt::format(
                "{} failed in the background, and the report sink was not told", name_of(e, lost)),
            .lane = background_lane,
            .resource = op.resource,
            .role = role::close,
            .proof = {{op.delivered, "fails"}},
            .expected = "given to the report sink",
            .actual = "lost",
        });
    }
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const auto in = static_cast<lane>(i);
        if (client.ended == none || client.error || !is_judged(e, in))
            continue;
        const auto primaries = primaries_of(e, in);
        const auto first =
            std::find_if(primaries.begin(), primaries.end(), [](const primary& p) { return !p.optional; });
        if (first != primaries.end()) {
            found.push_back({
                .sentence = fmt::format("{}, but {} saw success", describe(e, *first), name_of_client(e, in)),
                .lane = in,
                .role = first->operation == none ? role::body : e.trace.operations[first->operation].role,
                .proof = {{first->seen, "first error"}, {client.ended, "swallows it"}},
                .expected = describe(e, *first),
                .actual = "success",
            });
            continue;
        }
        if (const index stopped = stopped_body(e, in); stopped != none) {
            const body_record& body = e.trace.bodies[stopped];
            found.push_back({
                .sentence = fmt::format(
                    "the body was stopped before its end, but {} saw success", name_of_client(e, in)),
                .lane = in,
                .role = role::body,
                .proof = {{body.left, "is stopped"}, {client.ended, "sees success"}},
                .expected = "the reason why it was stopped",
                .actual = "success",
            });
            continue;
        }
        // Whoever was to report a close error when the world ended runs no more.
        for (index o = 0; o < e.trace.operations.size() && e.trace.world_abandoned == none; ++o) {
            const operation_record& op = e.trace.operations[o];
            const bool cleans_up = op.role == role::close || op.role == role::release;
            const bool failed = cleans_up && op.id.lane == in && !op.in_body && op.result == result::failed &&
                                op.delivered != none;
            if (!failed || is_closed_again(e, op) || is_released_again(e, op) ||
                is_one_of(e.contract.suppresses, op.error))
                continue;
            const bool reported = was_reported(e, o);
            if (reported && e.contract.close_error != close_error_policy::raised)
                continue;
            found.push_back({
                .sentence =
                    reported
                        ? fmt::format("{} failed and was reported, but the contract has such errors raised",
                              name_of(e, o))
                        : fmt::format("{} failed, and nobody was told", name_of(e, o)),
                .lane = in,
                .resource = op.resource,
                .role = op.role,
                .proof = {{op.delivered, "fails"}, {client.ended, "swallows it"}},
                .expected = e.contract.close_error == close_error_policy::raised ? "raised"
                            : e.contract.close_error == close_error_policy::reported
                                ? "given to the report sink"
                                : "raised, or given to the report sink",
                .actual = reported ? "reported" : "neither raised nor reported",
            });
        }
    }
}

} // namespace mishap::detail
