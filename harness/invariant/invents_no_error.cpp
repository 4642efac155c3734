#include "invariants.hpp"
#include "reading.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

namespace {

/// Whether the client may end with `error` because of a clean-up that failed or that was given up.
bool stems_from_close(const evidence& e, lane in, const std::exception_ptr& error)
{
    return std::any_of(e.trace.operations.begin(), e.trace.operations.end(), [&](const operation_record& op) {
        if (op.id.lane != in ||
            (op.role != role::close && op.role != role::rollback && op.role != role::release))
            return false;
        const auto operation = static_cast<index>(&op - e.trace.operations.data());
        if (comes_from(e, operation, error) || is_translated(e, operation, error))
            return op.result == result::failed || op.result == result::peer_gone;
        if (op.result == result::failed)
            return false;
        return op.cancel_requested != none && is_timeout(e.contract, error);
    });
}

/// Fits "nothing ...".
std::string_view what_is_missing(const evidence& e, const std::exception_ptr& error)
{
    if (find_source(e.trace, error) != none)
        return "failed that was its own";
    const bool any =
        !e.trace.strikes.empty() || std::any_of(e.trace.operations.begin(), e.trace.operations.end(),
                                        [](const operation_record& op) { return op.perturbed; });
    return any ? "that went wrong explains it" : "failed";
}

/// Success, or what the client might have been told.
std::string expected_of(const evidence& e, const std::vector<primary>& optional)
{
    std::string text = "success";
    for (const primary& p : optional)
        if (p.what == primary::kind::operation || p.what == primary::kind::body)
            text += ", or: " + describe(e, p);
    return text;
}

} // namespace

void judge_invents_no_error(const evidence& e, violations& found)
{
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const auto in = static_cast<lane>(i);
        if (client.ended == none || !client.error || !is_judged(e, in))
            continue;
        const auto primaries = primaries_of(e, in);
        if (std::any_of(primaries.begin(), primaries.end(),
                [&](const primary& p) { return !p.optional || is_passed_on(e, p, client.error); }))
            continue;
        // What becomes of a null handle is the manager's to say.
        if (std::any_of(e.trace.operations.begin(), e.trace.operations.end(),
                [&](const operation_record& op) { return op.id.lane == in && yielded_nothing(op); }))
            continue;
        // A client that came when every peer had gone.
        if (const index source = find_source(e.trace, client.error);
            source != none && e.trace.operations[source].result == result::peer_gone &&
            e.trace.operations[source].role != role::close)
            continue;
        if (was_refused(e, in))
            continue;
        // A setting was declared invalid, and this is how it is refused.
        if (!e.plan.invalid_settings.empty() && find_source(e.trace, client.error) == none)
            continue;
        const bool from_close = stems_from_close(e, in, client.error);
        if (from_close && e.contract.close_error != close_error_policy::reported)
            continue;
        found.push_back({
            .sentence = from_close
                            ? fmt::format("{} saw {}, but the contract has close errors reported, not raised",
                                  name_of_client(e, in), describe_error(e, client.error))
                            : fmt::format("nothing {}, but {} saw {}", what_is_missing(e, client.error),
                                  name_of_client(e, in), describe_error(e, client.error)),
            .lane = in,
            .role = from_close ? role::close : role::body,
            .proof = {{client.ended, "sees an error"}},
            .expected = expected_of(e, primaries),
            .actual = describe_error(e, client.error),
        });
    }
}

} // namespace mishap::detail
