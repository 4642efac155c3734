// SPDX-License-Identifier: MIT
// Cancellations that a waiting client does not hear.

#include "waits_in_vain.hpp"
#include "waivers.hpp"
#include "wording.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

namespace {

/// Whether a waiting coroutine hears of that cancellation.
bool is_terminal(const trace& happened, index struck)
{
    const auto& strikes = happened.strikes;
    const auto which = std::find_if(strikes.begin(), strikes.end(), [&](const strike_record& one) {
        return one.event == struck && one.what.interrupts(); // others are told with the event before them
    });
    if (which == strikes.end())
        return false;
    const auto* by = std::get_if<interruption>(&which->what.what);
    return by && by->what == interruption::action::cancel && by->type == cancellation::terminal;
}

/// Whether the client has something under way at that event, or in hand: it may wait for that, or see it
/// through, and shield itself meanwhile. So it may where it cleans up after its body.
bool has_to_see_something_through(const evidence& e, const client_account& mine, index struck)
{
    if (!mine.stays.empty() && e.trace.bodies[mine.stays.front()].entered < struck)
        return true;
    // Clean-up counts until the client has done something else, since what awaits it may be nested.
    const index last_act = last_act_before(e.trace, mine.who, struck);
    return std::any_of(mine.operations.begin(), mine.operations.end(), [&](index i) {
        const operation_record& op = e.trace.operations[i];
        if (op.started > struck)
            return false;
        if (cleans_up(op.role) && op.delivered == last_act && last_act != none)
            return true;
        if (op.completed == none || op.completed >= struck || op.delivered >= struck)
            return true;
        return op.role == role::create && op.resource != none &&
               e.account.resources()[op.resource].open.contains(struck);
    });
}

} // namespace

void judge_unheard_cancellation(const evidence& e, lane in, violations& found)
{
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    const index rest = e.account.first_rest();
    const index struck = client.cancelled;
    if (struck == none || struck >= rest || client.ended == struck || !is_terminal(e.trace, struck) ||
        e.trace.cancellations[client.first_cancellation].unheard ||
        has_to_see_something_through(e, e.account.client(in), struck))
        return;
    const auto& events = e.trace.events;
    auto next = static_cast<std::size_t>(struck) + 1;
    while (next < events.size() && next < rest &&
           (events[next].lane != in || events[next].kind == event_kind::note ||
               events[next].kind == event_kind::client_cancelled))
        ++next;
    const bool for_ever = next >= rest;
    if (next >= events.size() || (!for_ever && events[next].at - events[struck].at <=
                                                   e.account.slack(struck, static_cast<index>(next))))
        return;
    const auto went_on = static_cast<index>(std::min<std::size_t>(next, events.size() - 1));
    found.push_back(blame(in, role::acquire,
        for_ever ? fmt::format("{} waits for ever although it was cancelled", name_of_client(e, in))
                 : fmt::format("{} went on waiting for {} after it was cancelled", name_of_client(e, in),
                       to_string(events[went_on].at - events[struck].at)),
        {{struck, "is cancelled"}, {went_on, for_ever ? "and still waits" : "only now goes on"}},
        "a client that waits for its turn, or for its next attempt, ends when it is cancelled: nothing is "
        "left to clean up",
        "the wait did not end"));
}

} // namespace mishap::detail
