#include "invariants.hpp"

#include <mishap/duration.hpp>
#include <mishap/operation.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

void judge_no_stray_work(const evidence& e, violations& found)
{
    // Where a client never ended, its own suspended coroutine is what is left.
    const bool everybody_ended = std::all_of(e.trace.outcomes.begin(), e.trace.outcomes.end(),
        [](const outcome& client) { return client.ended != none; });
    if (!everybody_ended || e.trace.events.empty())
        return;
    const auto last = static_cast<index>(e.trace.events.size() - 1);
    const std::string expected =
        e.contract.grace == duration(0)
            ? std::string(
                  "nothing is left on the executor when the last client has ended; the contract's 'grace' "
                  "permits clean-up that takes longer")
            : fmt::format("nothing is left on the executor {} after the last client ended",
                  to_string(e.contract.grace));
    std::string list;
    lane first = 0;
    bool any = false;
    for (const work_record& work : e.trace.stray_work) {
        if (e.excused(work.lane))
            continue;
        if (!any)
            first = work.lane;
        any = true;
        list += fmt::format("{}work of lane {} started in step {} at {}", list.empty() ? "" : "; ",
            lane_name(work.lane), work.step, to_string(work.since));
    }
    const bool reactor_only = !any && e.trace.stray_work.empty() && e.trace.stray_reactor && !e.excused(0);
    if (reactor_only)
        list = "a timer, descriptor or work guard of the io_context itself";
    if (!any && !reactor_only)
        return;
    found.push_back({
        .sentence = fmt::format("something is left running: {}", list),
        .lane = first,
        .proof = {{last, "still there"}},
        .expected = expected,
        .actual = list,
    });
}

} // namespace mishap::detail
