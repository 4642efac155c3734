#include "invariants.hpp"
#include "reading.hpp"

#include <mishap/require.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

namespace {

/// A check of the test that threw from a callback: the business of `expectation`.
bool is_requirement(const std::exception_ptr& thrown)
{
    try {
        std::rethrow_exception(thrown);
    } catch (const requirement_failed&) {
        return true;
    } catch (...) {
        return false;
    }
}

/// Nothing was done to this run that anybody could pass on.
bool is_undisturbed(const trace& happened)
{
    return happened.strikes.empty() && std::none_of(happened.operations.begin(), happened.operations.end(),
                                           [](const operation_record& op) { return op.perturbed; });
}

/// Above the adapter there is nobody: what leaves it ends the program that it stands for.
void judge_adapter(const evidence& e, violations& found)
{
    const outcome& adapter = e.trace.adapter;
    if (!e.trace.has_adapter || adapter.ending != ending::threw || adapter.cancelled != none ||
        !e.plan.invalid_settings.empty() || is_requirement(adapter.error) || !is_undisturbed(e.trace))
        return;
    const std::string error = describe_error(e, adapter.error);
    found.push_back({
        .sentence = fmt::format("the adapter ended with {}, although nothing had failed", error),
        .lane = background_lane,
        .proof = {{adapter.ended, "nothing explains it"}},
        .expected = "what serves the clients returns",
        .actual = fmt::format("it ended with {}", error),
    });
}

} // namespace

void judge_no_escape(const evidence& e, violations& found)
{
    for (index i = 0; i < e.trace.events.size(); ++i) {
        const event& at = e.trace.events[i];
        if (at.kind == event_kind::terminated) {
            const std::exception_ptr& cause = e.trace.escapes[at.subject];
            const std::string why =
                cause ? fmt::format(" while {} was under way", describe_error(e, cause)) : "";
            found.push_back({
                .sentence = fmt::format("std::terminate was called{}", why),
                .lane = background_lane,
                .proof = {{i, "the program would end here"}},
                .expected =
                    "no exception leaves a destructor, another function that is noexcept, or a thread",
                .actual = fmt::format("std::terminate was called{}", why),
            });
        }
        if (at.kind != event_kind::escaped || is_requirement(e.trace.escapes[at.subject]))
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
    judge_adapter(e, found);
}

} // namespace mishap::detail
