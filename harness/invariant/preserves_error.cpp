#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

namespace {

/// Whether this operation was under way at that event, was never asked to stop, and failed.
bool fails_unasked(const evidence& e, index operation, index at)
{
    const operation_record& op = e.trace.operations[operation];
    return op.started < at && at < op.completed && op.cancel_requested == none && !op.failed_with().empty();
}

} // namespace

void judge_preserves_error(const evidence& e, violations& found)
{
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const auto in = static_cast<lane>(i);
        // One that sees no error at all is the business of `swallows_no_error`.
        if (!client.error || !is_judged(e, in))
            continue;
        const auto primaries = primaries_of(e, in);
        const auto first =
            std::find_if(primaries.begin(), primaries.end(), [](const primary& p) { return !p.optional; });
        if (first == primaries.end())
            continue;
        // Those at the same instant are equally first, and so is a deadline that fell together with an
        // arrival.
        const bool kept = std::any_of(primaries.begin(), primaries.end(), [&](const primary& p) {
            const auto fell = [&](const primary& one) { return one.due.value_or(e.trace.time_of(one.seen)); };
            // Where each step takes time, an instant lasts for as long as nothing but steps is done.
            const duration instant = tolerance(e, first->seen, p.seen) - timer_precision;
            // What the manager started when it had seen the first is no rival of its, at whatever instant.
            const bool was_begun = first->what != primary::kind::operation ||
                                   p.what != primary::kind::operation ||
                                   e.trace.operations[p.operation].started <= first->seen;
            const bool is_early = p.seen <= first->seen || (was_begun && fell(p) <= fell(*first) + instant);
            return is_early && is_passed_on(e, p, client.error);
        });
        // Who is refused need not be told that it was cancelled while it waited.
        if (first->what == primary::kind::cancellation && was_refused(e, in))
            continue;
        // Nor who went on with something that was under way, and was not asked to stop, and that failed.
        const bool went_on = first->what == primary::kind::cancellation &&
                             std::any_of(primaries.begin(), primaries.end(), [&](const primary& p) {
                                 return p.operation != none && fails_unasked(e, p.operation, first->seen) &&
                                        is_passed_on(e, p, client.error);
                             });
        if (went_on)
            continue;
        // A time-out under another name is the business of `honours_timeout`.
        if (kept || first->what == primary::kind::deadline || first->what == primary::kind::whole)
            continue;
        violation v{
            .sentence = fmt::format("{}, but {} saw {}", describe(e, *first), name_of_client(e, in),
                describe_error(e, client.error)),
            .lane = in,
            .role = first->operation == none ? role::body : e.trace.operations[first->operation].role,
            .expected = describe(e, *first),
            .actual = describe_error(e, client.error),
        };
        v.proof.push_back({first->operation != none && first->what != primary::kind::deadline &&
                                   first->what != primary::kind::whole &&
                                   e.trace.operations[first->operation].delivered != none
                               ? e.trace.operations[first->operation].delivered
                               : first->seen,
            "first error"});
        const index source = find_source(e.trace, client.error);
        if (source != none && e.trace.operations[source].delivered != none)
            v.proof.push_back({e.trace.operations[source].delivered, "replaces it"});
        else if (client.ended != none)
            v.proof.push_back({client.ended, "sees another"});
        found.push_back(std::move(v));
    }
}

} // namespace mishap::detail
