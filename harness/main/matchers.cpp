// SPDX-License-Identifier: MIT
#include "report/outcome.hpp"

#include <mishap/error.hpp>
#include <mishap/gtest.hpp>
#include <mishap/input_error.hpp>
#include <mishap/report.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace mishap {

namespace {

using check = std::function<std::string(const run_result&)>;

testing::PolymorphicMatcher<detail::happened_matcher> matcher(
    std::string positive, std::string negative, check instead)
{
    return testing::MakePolymorphicMatcher(
        detail::happened_matcher(std::move(positive), std::move(negative), std::move(instead)));
}

std::size_t closes_of(const run_result& run, index resource)
{
    std::size_t count = 0;
    for (const operation_record& op : run.trace.operations)
        count += op.resource == resource && (op.role == role::close || op.role == role::force_close);
    if (run.contract.closing.by != closing::operation)
        for (const event& e : run.trace.events)
            count += e.kind == event_kind::destroyed && e.subject == resource;
    return count;
}

std::string not_closed_once(const run_result& run, const std::string& kind)
{
    bool any = false;
    std::string wrong;
    std::vector<std::string> others;
    for (index r = 0; r < run.trace.resources.size(); ++r) {
        const resource_record& resource = run.trace.resources[r];
        if (!resource.ever_open)
            continue;
        if (resource.kind.text() != kind) {
            if (std::find(others.begin(), others.end(), resource.kind.text()) == others.end())
                others.emplace_back(resource.kind.text());
            continue;
        }
        any = true;
        const std::size_t closes = closes_of(run, r);
        if (closes != 1 && wrong.empty())
            wrong = fmt::format("{}#{} was {}", kind, std::max(resource.ordinal, 1u),
                closes == 0 ? std::string("never closed") : fmt::format("closed {} times", closes));
    }
    if (any)
        return wrong;
    return others.empty() ? fmt::format("no {} was opened", kind)
                          : fmt::format("no {} was opened, only: {}", kind, fmt::join(others, ", "));
}

index find_operation(const run_result& run, const operation_id& id)
{
    const auto& all = run.trace.operations;
    const auto found = std::find_if(all.begin(), all.end(),
        [&](const operation_record& op) { return op.id == id && op.started != none; });
    return found == all.end() ? none : static_cast<index>(found - all.begin());
}

std::string not_before(const run_result& run, const operation_id& first, const operation_id& second)
{
    const index a = find_operation(run, first);
    const index b = find_operation(run, second);
    for (const auto& [id, found] : {std::pair{first, a}, std::pair{second, b}})
        if (found == none) {
            std::vector<std::string> names;
            for (const operation_record& op : run.trace.operations)
                names.push_back(to_string(op.id));
            const std::string near = nearest(to_string(id), names);
            return fmt::format("there was no {}{}", to_string(id),
                near.empty() ? "" : fmt::format("; did you mean {}?", near));
        }
    const operation_record& earlier = run.trace.operations[a];
    const operation_record& later = run.trace.operations[b];
    if (earlier.completed != none && earlier.completed < later.started)
        return {};
    if (later.started < earlier.started)
        return fmt::format("{} was started first", to_string(second));
    return fmt::format("{} had not ended when {} was started", to_string(first), to_string(second));
}

const outcome* find_client(const run_result& run, int client)
{
    return client >= 0 && static_cast<std::size_t>(client) < run.trace.outcomes.size()
               ? &run.trace.outcomes[static_cast<std::size_t>(client)]
               : nullptr;
}

std::string who(int client) { return client == 0 ? "the client" : fmt::format("client {}", client); }

std::string not_ended_with(const run_result& run, int client, const std::string& wanted)
{
    const outcome* const found = find_client(run, client);
    if (!found)
        return fmt::format("there was no client {}, only {}", client, run.trace.outcomes.size());
    if (detail::ends_with(run.trace, *found, wanted))
        return {};
    const std::string actual = detail::outcome_in_words(run.trace, *found);
    return fmt::format("{} {}", who(client), actual == "cancelled" ? "was cancelled" : actual);
}

} // namespace

bool detail::happened_matcher::MatchAndExplain(
    const run_result& run, testing::MatchResultListener* listener) const
{
    const std::string instead = check_(run);
    if (!listener->IsInterested())
        return instead.empty();
    if (!instead.empty())
        *listener << "in which " << instead;
    *listener << "\n" << timeline(run);
    return instead.empty();
}

testing::PolymorphicMatcher<detail::happened_matcher> ClosedOnce(std::string kind)
{
    return matcher(fmt::format("closes each {} that was opened exactly once", kind),
        fmt::format("does not close each {} that was opened exactly once", kind),
        [kind](const run_result& run) { return not_closed_once(run, kind); });
}

testing::PolymorphicMatcher<detail::happened_matcher> Before(std::string_view first, std::string_view second)
{
    return matcher(fmt::format("has {} ended before {} starts", first, second),
        fmt::format("does not have {} ended before {} starts", first, second),
        [a = parse_operation(first), b = parse_operation(second)](
            const run_result& run) { return not_before(run, a, b); });
}

testing::PolymorphicMatcher<detail::happened_matcher> Throws(std::string_view error, int client)
{
    get_error(error);
    return matcher(fmt::format("throws {} to {}", error, who(client)),
        fmt::format("does not throw {} to {}", error, who(client)),
        [wanted = fmt::format("throws {}", error), client](
            const run_result& run) { return not_ended_with(run, client, wanted); });
}

testing::PolymorphicMatcher<detail::happened_matcher> Returns(int client)
{
    return matcher(fmt::format("returns to {}", who(client)),
        fmt::format("does not return to {}", who(client)),
        [client](const run_result& run) { return not_ended_with(run, client, "returns"); });
}

} // namespace mishap
