#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

namespace mishap::detail {

void judge_reports_cleanup_errors(const evidence& e, violations& found)
{
    if (!e.contract.reports_cleanup_errors && e.contract.close_error != close_error_policy::reported)
        return;
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        const bool cleans_up =
            op.role == role::close || op.role == role::rollback || op.role == role::release;
        if (!cleans_up || op.result != result::failed || op.delivered == none || !is_judged(e, op.id.lane))
            continue;
        // One that stands alone is the business of `swallows_no_error`.
        const outcome& client = e.trace.outcomes[static_cast<std::size_t>(op.id.lane)];
        if (client.ended == none || !client.error || find_source(e.trace, client.error) == i ||
            returned_value(e.trace, i, client.error) || is_translated(e, i, client.error) ||
            was_reported(e, i))
            continue;
        found.push_back({
            .sentence = fmt::format("{} failed while {} was on its way out, and the report sink was not told",
                name_of(e, i), describe_error(e, client.error)),
            .lane = op.id.lane,
            .resource = op.resource,
            .role = op.role,
            .proof = {{op.delivered, "fails"}, {client.ended, "sees another error"}},
            .expected = "given to the report sink",
            .actual = "lost",
        });
    }
}

} // namespace mishap::detail
