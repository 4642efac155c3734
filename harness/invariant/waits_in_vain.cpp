// SPDX-License-Identifier: MIT
// Clients that wait longer than they need to: a wake-up that was lost and repaired later, by a ping or a
// tick, and a cancellation that a waiting client does not hear.

#include "waits_in_vain.hpp"
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

waits_in_vain::waits_in_vain(const evidence& e) : e_(e)
{
    const auto& events = e.trace.events;
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
        if (passes > duration(0) && passes > e.account.slack(i, i + 1) && could_serve(i, failed))
            idle_at_.push_back(i);
    }
}

/// Whether whoever waits at that event could have been served. Where anything of the manager's own is under
/// way, or something failed a moment ago, it may have its reasons to wait.
bool waits_in_vain::could_serve(index at, const std::optional<duration>& failed) const
{
    const supply& now = e_.account.supply_at(at);
    if (now.taken != now.inside)
        return false;
    if (now.idle > 0)
        return true;
    const auto most = static_cast<std::int32_t>(*e_.contract.capacity.resources);
    if (now.taken >= most || now.open >= most)
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
    const auto since = std::lower_bound(idle_at_.begin(), idle_at_.end(), client.started);
    if (since == idle_at_.end() || *since >= woken)
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
    const index idle = e_.account.idle_at(*since);
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

void waits_in_vain::judge_unheard_cancellation(lane in, violations& found) const
{
    const outcome& client = e_.trace.outcomes[static_cast<std::size_t>(in)];
    const index rest = e_.account.first_rest();
    const index struck = client.cancelled;
    if (struck == none || struck >= rest || e_.account.client(in).acquired <= struck ||
        client.ended == struck || !is_terminal(struck))
        return;
    if (e_.trace.cancellations[client.first_cancellation].unheard)
        return;
    // Whoever has something under way, or in hand, may wait for that, or see it through.
    for (const index i : e_.account.client(in).operations) {
        const operation_record& op = e_.trace.operations[i];
        if (op.started < struck && (op.completed == none || op.completed >= struck || op.delivered >= struck))
            return;
        if (op.started < struck && op.role == role::create && op.resource != none &&
            e_.account.resources()[op.resource].open.contains(struck))
            return;
    }
    const auto& events = e_.trace.events;
    auto next = static_cast<std::size_t>(struck) + 1;
    while (next < events.size() && next < rest &&
           (events[next].lane != in || events[next].kind == event_kind::note ||
               events[next].kind == event_kind::client_cancelled))
        ++next;
    const bool for_ever = next >= rest;
    if (next >= events.size() || (!for_ever && events[next].at - events[struck].at <=
                                                   e_.account.slack(struck, static_cast<index>(next))))
        return;
    const auto went_on = static_cast<index>(std::min<std::size_t>(next, events.size() - 1));
    found.push_back(blame(in, role::acquire,
        for_ever ? fmt::format("{} waits for ever although it was cancelled", name_of_client(e_, in))
                 : fmt::format("{} went on waiting for {} after it was cancelled", name_of_client(e_, in),
                       to_string(events[went_on].at - events[struck].at)),
        {{struck, "is cancelled"}, {went_on, for_ever ? "and still waits" : "only now goes on"}},
        "a client that waits for its turn ends when it is cancelled: nothing is left to clean up",
        "the wait did not end"));
}

/// Whether a waiting coroutine hears of that cancellation.
bool waits_in_vain::is_terminal(index struck) const
{
    const auto& strikes = e_.trace.strikes;
    const auto which = std::find_if(
        strikes.begin(), strikes.end(), [&](const strike_record& one) { return one.event == struck; });
    if (which == strikes.end())
        return false;
    const auto* by = std::get_if<interruption>(&which->what.what);
    return by && by->what == interruption::action::cancel && by->type == cancellation::terminal;
}

} // namespace mishap::detail
