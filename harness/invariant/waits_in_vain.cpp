// SPDX-License-Identifier: MIT
// Clients that wait longer than they need to: a wake-up that was lost and repaired later, by a ping or a
// tick.

#include "waits_in_vain.hpp"
#include "waivers.hpp"
#include "wording.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mishap::detail {

namespace {

/// What a client does at the moment.
enum class doing : std::uint8_t
{
    absent,
    waiting, ///< it came, and has done nothing since
    busy,    ///< it prepares, cleans up, or was asked to stop
    inside   ///< its body
};

} // namespace

waits_in_vain::waits_in_vain(const evidence& e) : e_(e), could_(e)
{
    const auto& events = e.trace.events;
    find_keys();
    const auto end = std::min<std::size_t>(events.size(), e.account.first_rest());
    std::vector<doing> state(e.trace.outcomes.size(), doing::absent);
    woken_.assign(e.trace.outcomes.size(), none);
    std::size_t waiting = 0, busy = 0;
    std::optional<duration> failed; // when something outside of the bodies last failed, or was given up
    const auto become = [&](lane in, doing what) {
        doing& now = state[static_cast<std::size_t>(in)];
        waiting += (what == doing::waiting) - (now == doing::waiting);
        busy += (what == doing::busy) - (now == doing::busy);
        now = what;
    };
    for (index i = 0; i < end; ++i) {
        const event& at = events[i];
        if (at.kind == event_kind::completed || at.kind == event_kind::cancel_requested) {
            const operation_record& op = e.trace.operations[at.subject];
            const bool in_vain = op.result != result::ok || op.cancel_requested != none;
            if (in_vain && !op.in_body && op.role != role::body)
                failed = at.at;
        }
        if (e.account.has_client(at.lane)) {
            index& woken = woken_[static_cast<std::size_t>(at.lane)];
            switch (at.kind) {
            case event_kind::client_started:
                become(at.lane, doing::waiting);
                break;
            case event_kind::client_ended:
            case event_kind::client_abandoned:
                become(at.lane, doing::absent);
                woken = std::min(woken, i);
                break;
            case event_kind::body_entered:
                become(at.lane, doing::inside);
                woken = std::min(woken, i);
                break;
            case event_kind::body_left:
                become(at.lane, e.account.is_inside(at.lane, i) ? doing::inside : doing::busy);
                break;
            case event_kind::note:
                break;
            default:
                if (state[static_cast<std::size_t>(at.lane)] == doing::waiting) {
                    become(at.lane, doing::busy);
                    woken = std::min(woken, i);
                }
            }
        }
        if (waiting == 0 || busy != 0 || i + 1 == events.size())
            continue;
        const duration passes = events[i + 1].at - at.at;
        if (passes <= duration(0) || passes <= e.account.slack(i, i + 1) ||
            e.account.supply_at(i).taken != e.account.supply_at(i).inside)
            continue; // where anything of the manager's own is under way, it may have its reasons to wait
        const bool slot = offers_slot(i, failed);
        for (line& one : lines_)
            if (slot || e.account.idle_for(one.key, i) != none)
                one.idle_at.push_back(i);
    }
}

/// Clients of one key wait in one line; without `keyed`, there is but one.
void waits_in_vain::find_keys()
{
    if (!e_.contract.capacity.keyed) {
        lines_.push_back({symbol(), {}});
        return;
    }
    for (const outcome& client : e_.trace.outcomes)
        if (!client.key.empty() && std::none_of(lines_.begin(), lines_.end(),
                                       [&](const line& one) { return one.key == client.key; }))
            lines_.push_back({client.key, {}});
}

/// Whether a slot was free that nobody had a reason to leave free: something that failed a moment ago is one.
bool waits_in_vain::offers_slot(index at, const std::optional<duration>& failed) const
{
    if (e_.account.supply_at(at).open >= static_cast<std::int32_t>(*e_.contract.capacity.resources) ||
        !could_.slot_is_free(at))
        return false;
    const duration pause = e_.contract.time.acquire
                               ? *e_.contract.time.acquire / 2
                               : e_.contract.time.recovery.value_or(std::chrono::minutes(1));
    return !failed || e_.trace.time_of(at) - *failed > pause;
}

void waits_in_vain::judge_lost_wake_up(lane in, violations& found) const
{
    const outcome& client = e_.trace.outcomes[static_cast<std::size_t>(in)];
    const index woken = woken_[static_cast<std::size_t>(in)];
    if (client.started == none || woken == none || client.cancelled <= woken || client.abandoned <= woken)
        return;
    const auto mine = std::find_if(lines_.begin(), lines_.end(),
        [&](const line& one) { return !e_.contract.capacity.keyed || one.key == client.key; });
    if (mine == lines_.end())
        return;
    const auto since = std::lower_bound(mine->idle_at.begin(), mine->idle_at.end(), client.started);
    if (since == mine->idle_at.end() || *since >= woken)
        return;
    // Only what others set off is a wake-up that could have come before; a timer may be the client's own, for
    // whatever purpose. But one that fires at the very deadline is the one that it waited with.
    const event& wake = e_.trace.events[woken];
    const bool by_others =
        (wake.why == origin::completion || wake.why == origin::start || wake.why == origin::strike) &&
        wake.cause != none && e_.trace.events[wake.cause].lane != in;
    const bool at_deadline = e_.contract.time.acquire && client.ended != woken &&
                             wake.at >= e_.trace.time_of(client.started) + *e_.contract.time.acquire;
    if (!by_others && !at_deadline)
        return;
    const index idle = could_.idle_for(in, *since);
    const std::string what = idle != none ? fmt::format("{} was idle", name_of_resource(e_, idle))
                                          : std::string("a slot was free");
    violation v = blame(in, role::acquire,
        fmt::format("{} went on waiting for {} although {}", name_of_client(e_, in),
            to_string(wake.at - e_.trace.time_of(*since)), what),
        {{client.started, "waits"}, {*since, "could be served from here on"}, {woken, "wakes up"}},
        "a client that waits is woken when a resource or a slot becomes free",
        at_deadline && !by_others ? "it woke up at its own deadline"
                                  : "what woke it came later, and by chance");
    v.resource = idle;
    found.push_back(std::move(v));
}

void judge_waits_in_vain(const evidence& e, violations& found)
{
    std::optional<waits_in_vain> line;
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const auto in = static_cast<lane>(i);
        if (client.probe || client.started == none || e.excused(in) ||
            may_be_kept(e.account, {client.started, client.ended}))
            continue;
        if (e.contract.capacity.resources && !line)
            line.emplace(e);
        if (line)
            line->judge_lost_wake_up(in, found);
        judge_unheard_cancellation(e, in, found);
    }
}

} // namespace mishap::detail
