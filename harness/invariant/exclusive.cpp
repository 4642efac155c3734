#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

namespace mishap::detail {

void judge_exclusive(const evidence& e, violations& found)
{
    if (e.contract.shared)
        return;
    for (index i = 0; i < e.trace.bodies.size(); ++i) {
        const body_record& second = e.trace.bodies[i];
        if (second.resource == none)
            continue;
        for (index j = 0; j < i; ++j) {
            const body_record& first = e.trace.bodies[j];
            const bool overlaps = first.resource == second.resource && first.entered < second.entered &&
                                  (first.left == none || first.left > second.entered);
            if (!overlaps || first.lane == second.lane)
                continue;
            found.push_back({
                .sentence = fmt::format("{} was lent to {} while {} still had it",
                    name_of_resource(e, second.resource), name_of_client(e, second.lane),
                    name_of_client(e, first.lane)),
                .lane = second.lane,
                .resource = second.resource,
                .role = role::acquire,
                .proof = {{first.entered, "lent"}, {second.entered, "lent again"}},
                .expected = "one borrower at a time",
                .actual = "two at once",
            });
            break;
        }
    }
}

} // namespace mishap::detail
