#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace mishap::detail {

namespace {

std::string name_settings(const evidence& e)
{
    std::vector<std::string> words;
    for (const std::string& name : e.plan.invalid_settings) {
        const auto given = e.plan.settings.find(name);
        words.push_back(
            fmt::format("{} = '{}'", name, given == e.plan.settings.end() ? std::string() : given->second));
    }
    return fmt::format("the invalid setting{} {}", words.size() == 1 ? "" : "s", fmt::join(words, ", "));
}

} // namespace

void judge_validates_first(const evidence& e, violations& found)
{
    if (e.plan.invalid_settings.empty())
        return;
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        if (op.role != role::create || op.started == none)
            continue;
        found.push_back({
            .sentence = fmt::format("{} was started in spite of {}", name_of(e, i), name_settings(e)),
            .lane = op.id.lane,
            .resource = op.resource,
            .role = role::create,
            .proof = {{op.started, "creates all the same"}},
            .expected = "an error, and nothing is created",
            .actual = "something was created",
        });
        return;
    }
    for (const body_record& body : e.trace.bodies) {
        found.push_back({
            .sentence = fmt::format("the body was run in spite of {}", name_settings(e)),
            .lane = body.lane,
            .proof = {{body.entered, "runs the body all the same"}},
            .expected = "an error, and nothing is done",
            .actual = "the body was run",
        });
        return;
    }
    // A manager that is refused as a whole serves nobody.
    if (e.trace.has_adapter && e.trace.adapter.error)
        return;
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const auto in = static_cast<lane>(i);
        if (client.ended == none || client.error || !is_judged(e, in))
            continue;
        found.push_back({
            .sentence = fmt::format("{} saw success in spite of {}", name_of_client(e, in), name_settings(e)),
            .lane = in,
            .proof = {{client.ended, "sees success"}},
            .expected = "an error",
            .actual = "success",
        });
        return;
    }
}

} // namespace mishap::detail
