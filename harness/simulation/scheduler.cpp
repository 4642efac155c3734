// SPDX-License-Identifier: MIT
#include "scheduler.hpp"

#include <algorithm>

namespace mishap::detail {

namespace {

/// Priorities that lanes have at first are above all that they fall to.
constexpr std::uint64_t first_priority = 1'000'000;

} // namespace

void scheduler::begin(const fault_plan& plan, const contract& promises)
{
    drawn_ = plan.schedule && plan.schedule->kind != schedule_kind::fifo ? &*plan.schedule : nullptr;
    if (!drawn_)
        return;
    clients_ = plan.clients != 0 ? plan.clients : promises.default_clients();
    any_handler_ = promises.work.executor == executor_model::concurrent;
    choices_ = 0;
    operations_ = 0;
    ranks_.clear();
    change_points_.clear();
    if (drawn_->kind != schedule_kind::pct)
        return;
    const std::uint32_t among = std::max(drawn_->operations, 1u);
    for (std::uint32_t i = 1; i < drawn_->depth; ++i)
        change_points_.push_back(1 + static_cast<std::uint32_t>(mix(mix(drawn_->seed, 2), i) % among));
}

scheduler::ranked& scheduler::rank_of(lane in)
{
    for (ranked& one : ranks_)
        if (one.in == in)
            return one;
    const std::uint64_t drawn = mix(mix(drawn_->seed, 1), static_cast<std::uint16_t>(in));
    return ranks_.emplace_back(ranked{in, first_priority + (drawn >> 1)});
}

std::uint64_t scheduler::priority_of(lane in) { return rank_of(in).priority; }

/// No client that is there has a higher priority.
bool scheduler::goes_first(lane in)
{
    const std::uint64_t mine = priority_of(in);
    const auto& clients = record_->outcomes;
    for (std::size_t i = 0; i < clients.size(); ++i)
        if (clients[i].started != none && clients[i].ended == none && static_cast<lane>(i) != in &&
            priority_of(static_cast<lane>(i)) > mine)
            return false;
    return true;
}

std::optional<scheduler::held_back> scheduler::hold(const operation_record& op)
{
    // Fresh clients only see whether they are served.
    if (!drawn_ || op.in_probe)
        return std::nullopt;
    const lane in = op.id.lane;
    if (drawn_->kind == schedule_kind::pct) {
        ++operations_;
        for (std::size_t i = 0; i < change_points_.size(); ++i)
            if (change_points_[i] == operations_)
                rank_of(in).priority = change_points_.size() - i;
        if (goes_first(in))
            return std::nullopt;
        return held_back{.until = {}, .order = ~priority_of(in)};
    }
    const std::uint64_t coin = mix(drawn_->seed, hash_of(op.id));
    if (coin % 2 != 0 || clients_ < 2)
        return std::nullopt;
    return held_back{.until = drawn_for(op.id), .order = mix(coin, 3)};
}

deviation scheduler::drawn_for(const operation_id& id) const
{
    const std::uint64_t coin = mix(drawn_->seed, hash_of(id));
    const bool of_client = id.lane >= 0 && static_cast<std::size_t>(id.lane) < clients_;
    auto first = static_cast<lane>((coin >> 8) % (of_client ? clients_ - 1 : clients_));
    if (of_client && first >= id.lane)
        ++first;
    return {.first = first, .steps = 1 + static_cast<std::uint32_t>((coin >> 32) % 4)};
}

} // namespace mishap::detail
