#include "invariants.hpp"

#include <fmt/format.h>

namespace mishap::detail {

void judge_livelock(const evidence& e, violations& found)
{
    for (index i = 0; i < e.trace.events.size(); ++i)
        if (e.trace.events[i].kind == event_kind::stage &&
            e.trace.events[i].subject == static_cast<index>(stage::livelock))
            found.push_back({
                .sentence = fmt::format("the run was still busy after {} steps", e.trace.steps),
                .proof = {{i, "stopped here"}},
                .expected = "the run ends, or waits for something",
                .actual = "handlers kept starting handlers",
            });
}

} // namespace mishap::detail
