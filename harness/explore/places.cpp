// SPDX-License-Identifier: MIT
#include "places.hpp"

#include "vocabulary/deadlines.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace mishap::detail {

namespace {

/// The boundary after each step up to the last client's end.
void list_boundaries(const trace& happened, index from, std::vector<place>& into)
{
    std::uint32_t last = 0;
    for (const outcome& client : happened.outcomes)
        if (!client.probe && client.ended != none)
            last = std::max(last, happened.events[client.ended].step);
    index position = 0;
    for (std::uint32_t step = 1; step < last; ++step) {
        while (position < happened.events.size() && happened.events[position].step <= step)
            ++position;
        if (position >= from)
            into.push_back({.position = position, .boundary = true, .step = step});
    }
}

/// The deadlines that may pass while an operation is under way, from its start, the nearest first: its
/// own, those of its client, and that of whoever waits for what this one's client holds.
std::vector<duration> deadlines_of(
    const contract& promises, const trace& happened, const operation_record& op)
{
    std::vector<duration> found;
    if (op.started == none)
        return found;
    const duration now = happened.time_of(op.started);
    const auto add = [&](const std::optional<duration>& timeout, duration since) {
        if (timeout && since + *timeout >= now)
            found.push_back(since + *timeout - now);
    };
    const auto in = static_cast<std::size_t>(op.id.lane);
    const bool has_client = op.id.lane >= 0 && in < happened.outcomes.size();
    duration clock = now;
    if (op.role == role::create && promises.attempts.create > 1 && !promises.time.per_attempt)
        for (const operation_record& before : happened.operations)
            if (before.role == role::create && before.id.lane == op.id.lane && before.started < op.started)
                clock = std::min(clock, happened.time_of(before.started));
    add(timeout_of(promises, op), clock);
    if (op.role == role::close || op.role == role::rollback || op.role == role::release)
        add(promises.time.clean_up, now);
    const bool served = std::any_of(happened.bodies.begin(), happened.bodies.end(),
        [&](const body_record& body) { return body.lane == op.id.lane && body.entered < op.started; });
    if (has_client && op.role != role::close) {
        const duration came = happened.time_of(happened.outcomes[in].started);
        if (!served)
            add(promises.time.acquire, came);
        add(promises.time.whole, came);
    }
    if (has_client && promises.time.acquire && served)
        for (const outcome& other : happened.outcomes)
            if (other.started != none && other.started < op.started && !other.probe &&
                &other != &happened.outcomes[in] && other.ended > op.started)
                add(promises.time.acquire, happened.time_of(other.started));
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

/// Counts operations that differ only in their number.
class occurrences
{
public:
    struct seen
    {
        operation_id of;
        std::uint32_t count = 0;
        duration last{0}; ///< when it was started
        duration every{0};
        /// It was started at a constant distance each time, as by a heartbeat.
        bool ticks = true;
    };

    const seen& count(const operation_id& of, duration now)
    {
        const auto known = std::find_if(seen_.begin(), seen_.end(), [&](const seen& one) {
            return one.of.lane == of.lane && one.of.kind == of.kind && one.of.name == of.name;
        });
        seen& mine = known != seen_.end() ? *known : seen_.emplace_back(seen{.of = of});
        const duration distance = now - mine.last;
        if (++mine.count == 2)
            mine.every = distance;
        mine.ticks = mine.count < 2 || (mine.ticks && distance == mine.every && distance > duration(0));
        mine.last = now;
        return mine;
    }

private:
    std::vector<seen> seen_;
};

} // namespace

places list_places(const trace& happened, const fault_plan& plan, const contract& promises, index from,
    std::uint32_t occurrences_max, bool with_boundaries, index idle_until)
{
    places found;
    index last = none; // beyond which nothing is struck
    occurrences seen_idle;
    occurrences seen_busy;
    occurrences struck;
    for (const operation_record& op : happened.operations) {
        if (op.in_probe)
            continue;
        const bool is_struck = plan.find(op.id);
        const bool is_idle = idle_until != none && op.position < idle_until;
        const auto& equal =
            (is_struck    ? struck
                : is_idle ? seen_idle
                          : seen_busy)
                .count(op.id, op.started == none ? duration(0) : happened.time_of(op.started));
        if (equal.count > occurrences_max) {
            if (is_idle)
                continue;
            // An outage strikes them all; and one tick more of a heartbeat is like those before.
            found.repeated = found.repeated || (!is_struck && !equal.ticks);
            last = std::min(last, op.position);
        } else if (op.position >= from && op.role != role::force_close && !is_struck)
            found.all.push_back({.position = op.position,
                .id = op.id,
                .what = op.role,
                .prefix_hash = op.prefix_hash,
                .step = op.started == none ? 0 : happened.events[op.started].step,
                .deadlines = deadlines_of(promises, happened, op),
                .blocking = op.blocking,
                .wire = op.wire});
    }
    if (with_boundaries)
        list_boundaries(happened, from, found.all);
    std::erase_if(found.all, [&](const place& p) { return p.boundary && p.position > last; });
    for (const outcome& client : happened.outcomes) {
        const bool there = client.began != 0 && client.ended != none && !client.probe;
        found.clients.push_back(
            there ? presence{client.began, happened.events[client.ended].step} : presence{});
    }
    return found;
}

} // namespace mishap::detail
