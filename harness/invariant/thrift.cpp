// SPDX-License-Identifier: MIT
// What a manager spends: how many creates in a time, what is created for nobody, and how much of the capacity
// its clients take in all.

#include "invariants.hpp"
#include "waivers.hpp"
#include "wording.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace mishap::detail {

namespace {

/// More creates than the contract gives, within its time. The fresh clients at the end have theirs.
void judge_rate(const evidence& e, violations& found)
{
    if (!e.contract.capacity.creates)
        return;
    const std::size_t most = *e.contract.capacity.creates;
    std::vector<index> creates;
    for (index i = 0; i < e.trace.operations.size(); ++i)
        if (const operation_record& op = e.trace.operations[i];
            op.role == role::create && op.started != none && !op.in_probe)
            creates.push_back(i);
    const auto& within = e.contract.capacity.creates_within;
    for (std::size_t last = most; last < creates.size(); ++last) {
        const operation_record& first = e.trace.operations[creates[last - most]];
        const operation_record& one = e.trace.operations[creates[last]];
        const duration passed = e.trace.time_of(one.started) - e.trace.time_of(first.started);
        if (within && passed >= *within)
            continue;
        const std::string in = within ? fmt::format(" within {}", to_string(*within)) : std::string();
        found.push_back(blame(one,
            fmt::format("{} is create number {}{}, but the contract gives {}", name_of(e, creates[last]),
                most + 1, in, most),
            {{first.started, "the first of them"}, {one.started, "one too many"}},
            fmt::format("at most {} creates{}", most, in), fmt::format("{}", most + 1)));
        return;
    }
}

/// Whether something may have kept the client in whose lane it was created from being lent it.
bool had_a_reason(const evidence& e, index resource, index close)
{
    const resource_record& r = e.trace.resources[resource];
    const operation_record& create = e.trace.operations[r.create];
    const auto& on_it = e.account.resources()[resource].operations;
    const bool failed = std::any_of(on_it.begin(), on_it.end(), [&](index i) {
        const operation_record& op = e.trace.operations[i];
        return i != close && (op.result != result::ok || op.cancel_requested < op.completed);
    });
    if (failed || create.in_probe || !e.account.has_client(r.home))
        return true;
    const auto& reasons = e.account.client(r.home).reasons;
    return std::any_of(reasons.begin(), reasons.end(),
        [&](const reason& one) { return one.seen <= e.trace.operations[close].started; });
}

/// A resource that a client closed although nobody had been lent it, and nothing was wrong with it.
void judge_waste(const evidence& e, violations& found)
{
    if (!e.contract.capacity.wastes_nothing)
        return;
    for (index r = 0; r < e.trace.resources.size(); ++r) {
        const resource_account& mine = e.account.resources()[r];
        if (!mine.stays.empty() || mine.closes.empty() || !e.trace.resources[r].ever_open)
            continue;
        const operation_record& close = e.trace.operations[mine.closes.front()];
        // What is left over when everybody has ended is closed by the adapter.
        if (!e.account.has_client(close.id.lane) || !is_judged(e, close.id.lane) ||
            had_a_reason(e, r, mine.closes.front()))
            continue;
        found.push_back(blame(close,
            fmt::format("{} was closed although nobody had been lent it", name_of_resource(e, r)),
            {{e.trace.operations[e.trace.resources[r].create].completed, "opened"},
                {close.started, "closed unused"}},
            "what was created is lent, or kept for the next client", "closed unused"));
    }
}

/// Clients that lend nothing take units of the capacity: all that are inside, no more than there are.
void judge_weights(const evidence& e, violations& found)
{
    const auto& outcomes = e.trace.outcomes;
    if (!e.contract.capacity.resources || e.contract.capacity.shared ||
        std::none_of(outcomes.begin(), outcomes.end(), [](const outcome& one) { return one.weight > 1; }))
        return;
    std::uint64_t taken = 0;
    for (index i = 0; i < e.trace.events.size(); ++i) {
        const event& at = e.trace.events[i];
        if ((at.kind != event_kind::body_entered && at.kind != event_kind::body_left) ||
            !e.account.has_client(at.lane) || e.account.stays()[at.subject].nested)
            continue;
        const std::uint32_t weight = outcomes[static_cast<std::size_t>(at.lane)].weight;
        if (at.kind == event_kind::body_left) {
            taken -= weight;
            continue;
        }
        taken += weight;
        if (taken <= *e.contract.capacity.resources)
            continue;
        found.push_back(blame(at.lane, role::acquire,
            fmt::format("{} takes {} of the capacity, which makes {}, but the capacity is {}",
                name_of_client(e, at.lane), weight, taken, *e.contract.capacity.resources),
            {{i, "enters"}}, fmt::format("at most {}", *e.contract.capacity.resources),
            fmt::format("{}", taken)));
        return;
    }
}

} // namespace

void judge_thrift(const evidence& e, violations& found)
{
    judge_rate(e, found);
    judge_waste(e, found);
    judge_weights(e, found);
}

} // namespace mishap::detail
