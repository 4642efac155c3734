// SPDX-License-Identifier: MIT
// What a manager had at each event: open, idle, being created, taken.

#include "waivers.hpp"

#include <mishap/account.hpp>

#include <algorithm>

namespace mishap {

const supply& account::supply_at(index event) const
{
    if (!supply_is_known_)
        read_supply();
    return supply_[event];
}

index account::idle_for(symbol key, index event) const
{
    if (supply_at(event).idle == 0)
        return none;
    const auto serves = [&](index resource) {
        const auto lent = stays_by_resource_[resource];
        if (key.empty() || lent.empty())
            return key.empty();
        const lane first = trace_->bodies[lent.front()].lane;
        return has_client(first) && trace_->outcomes[static_cast<std::size_t>(first)].key == key;
    };
    for (std::size_t i = 0; i < idle_of_.size(); ++i) {
        if (!serves(idle_of_[i].first))
            continue;
        const auto last = idle_.begin() + (i + 1 < idle_of_.size() ? idle_of_[i + 1].second
                                                                   : static_cast<index>(idle_.size()));
        const auto after = std::partition_point(
            idle_.begin() + idle_of_[i].second, last, [&](const interval& one) { return one.to <= event; });
        if (after != last && after->contains(event))
            return idle_of_[i].first;
    }
    return none;
}

void account::read_supply() const
{
    const mishap::trace& happened = *trace_;
    // Differences first, their sums in the end. What is over at the end of the trace has no event for that.
    supply_.assign(happened.events.size() + 1, {});
    const auto add = [&](const interval& when, std::int32_t supply::*what) {
        if (when.from == none || when.to <= when.from)
            return;
        ++(supply_[when.from].*what);
        if (when.to < supply_.size())
            --(supply_[when.to].*what);
    };
    for (const stay& one : stays_) {
        add(one.during, &supply::inside);
        add(one.during, &supply::taken);
    }
    for (index i = 0; i < operations_.size(); ++i) {
        const operation_record& op = happened.operations[i];
        const interval in_flight{op.started, op.completed};
        if (op.role == role::create)
            add(in_flight, &supply::creating);
        if (op.role != role::body && op.role != role::force_close && !op.in_body &&
            !operations_[i].beside_body)
            add(in_flight, &supply::taken);
    }
    idle_.clear();
    idle_of_.clear();
    std::vector<interval> busy;
    for (index r = 0; r < resources_.size(); ++r) {
        const resource_account& resource = resources_[r];
        add(resource.open, &supply::open);
        const index create = happened.resources[r].create;
        if (create == none || happened.operations[create].result != result::ok ||
            detail::yielded_nothing(happened.operations[create]))
            continue;
        // One that has reported an error is no resource to count on, and what is gone cannot be lent.
        index over = resource.first_destroyed;
        busy.clear();
        for (const index i : resource.operations) {
            const operation_record& op = happened.operations[i];
            if (op.started == none || i == create)
                continue;
            if (op.role == role::close || op.role == role::force_close || op.result != result::ok)
                over = std::min(over, op.started);
            else
                busy.push_back({op.started, op.completed});
        }
        for (const index i : resource.stays)
            busy.push_back(stays_[i].during);
        std::sort(
            busy.begin(), busy.end(), [](const interval& a, const interval& b) { return a.from < b.from; });
        idle_of_.emplace_back(r, static_cast<index>(idle_.size()));
        index since = happened.operations[create].completed;
        for (const interval& one : busy) {
            if (since == none || one.from >= over)
                break;
            if (one.from > since)
                idle_.push_back({since, one.from});
            since = std::max(since, one.to);
        }
        if (since != none && since < over)
            idle_.push_back({since, over});
    }
    for (const interval& one : idle_)
        add(one, &supply::idle);
    for (std::size_t i = 1; i < supply_.size(); ++i) {
        supply& now = supply_[i];
        const supply& before = supply_[i - 1];
        now.open += before.open;
        now.idle += before.idle;
        now.creating += before.creating;
        now.inside += before.inside;
        now.taken += before.taken;
    }
    supply_is_known_ = true;
}

} // namespace mishap
