// SPDX-License-Identifier: MIT
#include "servable.hpp"
#include "wording.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

bool is_attempt(const operation_record& op)
{
    const bool prepares = op.role == role::create || op.role == role::use || op.role == role::maintenance ||
                          op.role == role::begin || op.role == role::acquire;
    return prepares && !op.in_body && op.started != none;
}

servable::servable(const evidence& e) : e_(e)
{
    read_weights();
    read_pauses();
    for (auto* const changes : {&retrying_, &cooling_, &beyond_})
        for (std::size_t i = 1; i < changes->size(); ++i)
            (*changes)[i] += (*changes)[i - 1];
}

void servable::read_weights()
{
    for (const outcome& client : e_.trace.outcomes)
        needed_ = std::max(needed_, static_cast<std::int32_t>(client.weight));
    if (needed_ == 1)
        return;
    beyond_.resize(e_.trace.events.size() + 1);
    for (index i = 0; i < e_.trace.bodies.size(); ++i) {
        const stay& one = e_.account.stays()[i];
        const lane in = e_.trace.bodies[i].lane;
        if (one.nested || !e_.account.has_client(in))
            continue;
        const auto beyond =
            static_cast<std::int32_t>(e_.trace.outcomes[static_cast<std::size_t>(in)].weight - 1);
        beyond_[one.during.from] += beyond;
        beyond_[std::min<std::size_t>(one.during.to, e_.trace.events.size())] -= beyond;
    }
}

/// Between an attempt that failed and the next one of its lane, a client keeps its slot, where the contract
/// grants several. In the background, where a timer starts the next one, the pause keeps everybody waiting.
void servable::read_pauses()
{
    const trace& happened = e_.trace;
    const auto add = [&](std::vector<std::int32_t>& to, index from, index until) {
        to.resize(happened.events.size() + 1);
        ++to[from];
        --to[std::min<index>(until, static_cast<index>(happened.events.size()))];
    };
    const auto read_lane = [&](const client_account& mine) {
        const bool in_background = mine.who == background_lane;
        index failed = none;
        for (const index i : mine.operations) {
            const operation_record& op = happened.operations[i];
            if (!is_attempt(op))
                continue;
            if (failed != none && op.started > failed && in_background &&
                happened.events[op.started].why == origin::timer)
                add(cooling_, failed, op.started);
            else if (failed != none && op.started > failed && !in_background &&
                     e_.contract.attempts.create > 1)
                add(retrying_, failed, op.started);
            const index end = std::min(op.completed, op.cancel_requested);
            const bool in_vain = end != none && (op.result != result::ok || op.cancel_requested == end);
            failed = in_vain ? end : none;
            if (in_vain)
                failed_.push_back(end);
        }
        if (failed != none && !in_background && e_.contract.attempts.create > 1 && mine.acquired > failed)
            add(retrying_, failed, mine.acquired);
    };
    read_lane(e_.account.client(background_lane));
    for (std::size_t i = 0; i < happened.outcomes.size(); ++i)
        read_lane(e_.account.client(static_cast<lane>(i)));
    std::sort(failed_.begin(), failed_.end());
}

bool servable::is_known_for(lane in) const
{
    return !e_.contract.capacity.keyed || !e_.trace.outcomes[static_cast<std::size_t>(in)].key.empty();
}

index servable::idle_for(lane in, index at) const
{
    const symbol key =
        e_.contract.capacity.keyed ? e_.trace.outcomes[static_cast<std::size_t>(in)].key : symbol();
    return e_.account.idle_for(key, at);
}

bool servable::slot_is_free(index at) const
{
    if (!cooling_.empty() && cooling_[at] > 0)
        return false;
    const supply& now = e_.account.supply_at(at);
    const auto most = static_cast<std::int32_t>(*e_.contract.capacity.resources);
    const std::int32_t retrying = retrying_.empty() ? 0 : retrying_[at];
    const std::int32_t beyond = beyond_.empty() ? 0 : beyond_[at];
    // What others are served with takes room as well.
    return now.taken + retrying + beyond + needed_ <= most &&
           (!e_.contract.capacity.keyed || now.open + now.creating < most);
}

index servable::last_failure_by(index at) const
{
    const auto after = std::upper_bound(failed_.begin(), failed_.end(), at);
    return after == failed_.begin() ? none : *(after - 1);
}

std::string servable::name(lane in, index at, bool pauses, std::string_view verb) const
{
    if (const index idle = idle_for(in, at); idle != none)
        return fmt::format("{} {} idle", name_of_resource(e_, idle), verb);
    return !pauses && slot_is_free(at) ? fmt::format("a slot {} free", verb) : std::string();
}

} // namespace mishap::detail
