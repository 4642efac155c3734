#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

namespace {

/// A message of several lines, made to stand inside a report.
std::string indented(const std::string& message)
{
    std::string text;
    for (const char c : message) {
        text += c;
        if (c == '\n')
            text += "    ";
    }
    text.erase(text.find_last_not_of(" \n") + 1);
    return text;
}

} // namespace

void judge_expectation(const evidence& e, violations& found)
{
    const bool any_excused =
        std::find(e.consequence.begin(), e.consequence.end(), true) != e.consequence.end();
    // One for the whole run: what fails after the first is mostly its echo.
    std::size_t count = 0;
    for (index i = 0; i < e.trace.events.size(); ++i) {
        const event& at = e.trace.events[i];
        if (at.kind != event_kind::expectation_failed)
            continue;
        // The adapter's mocks miss the calls of a client that hangs.
        if (e.excused(at.lane) || (at.lane < 0 && any_excused))
            continue;
        const expectation_record& failed = e.trace.expectations[at.subject];
        if (++count == 1)
            found.push_back({
                .sentence = indented(
                    failed.file.empty() ? failed.message
                                        : fmt::format("{}:{}: {}", failed.file, failed.line, failed.message)),
                .lane = at.lane,
                .proof = {{i, "fails"}},
            });
    }
    if (count > 1)
        found.back().sentence += fmt::format("\n    ({} expectations failed in this run)", count);
}

} // namespace mishap::detail
