#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

namespace mishap::detail {

void judge_no_escape(const evidence& e, violations& found)
{
    for (index i = 0; i < e.trace.events.size(); ++i) {
        const event& at = e.trace.events[i];
        if (at.kind != event_kind::escaped)
            continue;
        const std::string error = describe_error(e, e.trace.escapes[at.subject]);
        found.push_back({
            .sentence = fmt::format("{} escaped from a handler into the executor", error),
            .lane = at.lane,
            .proof = {{i, "leaves the handler"}},
            .expected = "every exception is caught or passed to a completion handler",
            .actual = fmt::format(
                "{} reached the executor, which would end the program's io_context::run()", error),
        });
    }
}

} // namespace mishap::detail
