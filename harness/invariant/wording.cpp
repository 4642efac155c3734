// SPDX-License-Identifier: MIT
#include "wording.hpp"

#include "vocabulary/causes.hpp"
#include "vocabulary/deadlines.hpp"

#include <mishap/duration.hpp>
#include <mishap/error.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

std::string name_of(const evidence& e, index operation)
{
    return to_string(e.trace, e.trace.operations[operation]);
}

std::string name_of_resource(const evidence& e, index resource)
{
    const resource_record& r = e.trace.resources[resource];
    return fmt::format("{}{}#{}",
        e.trace.outcomes.size() > 1 || r.home != 0 ? lane_name(r.home) + '/' : std::string(), r.kind.text(),
        std::max(r.ordinal, 1u));
}

std::string name_of_client(const evidence& e, lane in)
{
    if (in == background_lane)
        return "the adapter";
    return e.trace.outcomes.size() > 1 ? fmt::format("client {}", in) : "the caller";
}

std::string describe_error(const evidence& e, const std::exception_ptr& error)
{
    const index source = find_source(e.trace, error);
    if (source == none)
        return mishap::describe(error);
    return fmt::format("{} (raised by {})", name_of_error(e.trace, error),
        e.trace.operations[source].fails_body ? "the body" : name_of(e, source));
}

std::string describe(const evidence& e, const reason& r)
{
    switch (r.what) {
    case reason::kind::operation:
        return fmt::format("{} failed with {}", name_of(e, r.operation), mishap::describe(r.error));
    case reason::kind::body:
        if (r.operation != none && e.trace.operations[r.operation].role != role::body &&
            !e.trace.operations[r.operation].fails_body)
            return fmt::format("the body failed with {} (raised by {})", name_of_error(e.trace, r.error),
                name_of(e, r.operation));
        return fmt::format("the body failed with {}", mishap::describe(r.error));
    case reason::kind::cancellation:
        return "the caller cancelled";
    case reason::kind::whole:
        return fmt::format("the work had not ended after {}", to_string(*e.contract.time.whole));
    case reason::kind::deadline:
    case reason::kind::own_timeout:
        break;
    }
    if (r.operation == none)
        return fmt::format("no resource was there after {}", to_string(*e.contract.time.acquire));
    const operation_record& op = e.trace.operations[r.operation];
    const auto timeout = timeout_of(e.contract, op);
    return timeout ? fmt::format("{} had not ended after {}", name_of(e, r.operation), to_string(*timeout))
                   : fmt::format("{} was given up", name_of(e, r.operation));
}

bool is_judged(const evidence& e, lane in)
{
    if (!e.account.has_client(in) || e.excused(in))
        return false;
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    return !client.probe && client.ending != ending::abandoned;
}

bool is_there(const evidence& e, lane in)
{
    return !e.excused(in) && e.account.has_client(in) &&
           e.trace.outcomes[static_cast<std::size_t>(in)].abandoned == none;
}

violation blame(lane in, role what, std::string sentence, proof shown, std::string expected,
    std::string actual, index resource)
{
    return {{}, std::move(sentence), in, resource, what, std::move(shown), std::move(expected),
        std::move(actual)};
}

violation blame(
    const operation_record& op, std::string sentence, proof shown, std::string expected, std::string actual)
{
    return blame(op.id.lane, op.role, std::move(sentence), std::move(shown), std::move(expected),
        std::move(actual), op.resource);
}

bool is_close(const operation_record& op) noexcept
{
    return op.role == role::close || op.role == role::force_close;
}

} // namespace mishap::detail
