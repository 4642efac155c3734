#include "invariants.hpp"

#include <mishap/operation.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

namespace {

void judge_calls(
    const evidence& e, event_kind kind, std::string_view what, std::string_view expected, violations& found)
{
    std::vector<std::string_view> named;
    for (index i = 0; i < e.trace.events.size(); ++i) {
        const event& at = e.trace.events[i];
        if (at.kind != kind)
            continue;
        const outside_call& call = e.trace.outside_calls[at.subject];
        if (std::find(named.begin(), named.end(), call.call) != named.end())
            continue; // once is enough, however often it was called
        named.push_back(call.call);
        found.push_back({
            .sentence =
                fmt::format("{}: {}, in step {} of lane {}", what, call.call, call.step, lane_name(at.lane)),
            .lane = at.lane,
            .proof = {{i, "here"}},
            .expected = std::string(expected),
            .actual = call.call,
        });
    }
}

} // namespace

void judge_blocks_the_thread(const evidence& e, violations& found)
{
    judge_calls(e, event_kind::blocked, "the code under test blocks the thread",
        "waiting with co_await, so that virtual time can pass", found);
}

void judge_leaves_the_simulation(const evidence& e, violations& found)
{
    judge_calls(e, event_kind::left, "the code under test leaves the simulation",
        "everything runs on the executor of the run; where real threads or descriptors are meant, "
        "environment::allow_outside() permits them",
        found);
}

} // namespace mishap::detail
