// SPDX-License-Identifier: MIT
#include "rhythm.hpp"

#include "vocabulary/deadlines.hpp"

#include <algorithm>

namespace mishap::detail {

namespace {

/// This number of periods proves a constant distance, ...
constexpr int periods = 100;
/// ... or this much time, where that is shorter and holds enough periods. A timer of the manager's own may
/// hide behind a quick tick: it has at least `at_least`.
constexpr duration long_enough = std::chrono::minutes(10);
constexpr int periods_at_least = 20;
constexpr duration at_least = std::chrono::minutes(1);
/// Where the distance is never the same, as with jitter and growing back-off: multiples of the largest
/// deadline.
constexpr int deadlines = 4;
/// A run in which time went on no more often than that has nothing periodic to speak of, and pays nothing.
constexpr std::uint64_t calls_before_reading = 16;
/// A client that works its way through a long list does the same again and again, too: far more of it before
/// that is taken for waiting.
constexpr int periods_of_work = 10'000;
/// More different things than these are no ticks.
constexpr std::size_t ticks_max = 256;

bool is_of_operation(event_kind kind)
{
    switch (kind) {
    case event_kind::started:
    case event_kind::cancel_requested:
    case event_kind::completed:
    case event_kind::delivered:
        return true;
    default:
        return false;
    }
}

bool may_be_periodic(event_kind kind)
{
    return is_of_operation(kind) || kind == event_kind::reported || kind == event_kind::destroyed ||
           kind == event_kind::note;
}

} // namespace

void rhythm::begin(const contract& promises) noexcept
{
    ticks_.clear();
    read_to_ = 0;
    calls_ = steps_ = silent_ = 0;
    last_silent_ = silent_every_ = duration(0);
    steady_since_ = repeating_since_ = duration(0);
    at_rest_ = false;
    longest_deadline_ = longest_deadline(promises);
}

void rhythm::restart(duration now) noexcept
{
    ticks_.clear();
    silent_ = 0;
    steady_since_ = repeating_since_ = now;
}

bool rhythm::is_at_rest(const trace& happened, duration now, duration last_due)
{
    return at_rest_ = find_rest(happened, now, last_due);
}

bool rhythm::find_rest(const trace& happened, duration now, duration last_due)
{
    if (++calls_ < calls_before_reading) {
        read_to_ = happened.events.size();
        steps_ = happened.steps;
        last_silent_ = now;
        steady_since_ = repeating_since_ = now;
        return false;
    }
    read(happened, now);
    if (last_due > now)
        return false; // what is under way comes first
    duration longest{0};
    bool is_at_work = false;
    for (const tick& one : ticks_) {
        longest = std::max(longest, one.every);
        is_at_work = is_at_work || (one.of_client && one.every != duration(0));
    }
    const bool is_silent = silent_ > 1 && now - last_silent_ <= 2 * silent_every_;
    if (longest == duration(0) && !is_silent)
        return false; // nothing repeats itself: time goes on to what comes
    longest = std::max(longest, is_silent ? silent_every_ : duration(0));
    const duration steady = now - steady_since_;
    const duration patience = std::max(at_least, longest_deadline_ + longest);
    if (is_at_work)
        return steady > patience && steady / periods_of_work > longest;
    const duration some_periods = std::max(long_enough, periods_at_least * longest);
    if (now - repeating_since_ > std::max(some_periods, deadlines * patience))
        return true;
    return steady > std::max(patience, std::min(periods * longest, some_periods));
}

void rhythm::read(const trace& happened, duration now)
{
    if (read_to_ == happened.events.size() && happened.steps != steps_) {
        silent_every_ = now - last_silent_;
        last_silent_ = now;
        ++silent_;
    }
    for (; read_to_ < happened.events.size(); ++read_to_)
        count(happened.events[read_to_], happened, static_cast<index>(read_to_));
    steps_ = happened.steps;
    // A tick that did not come again when it should have is a change, too.
    const auto has_ended = [&](const tick& t) {
        return t.every != duration(0) && now - t.last > 2 * t.every + longest_deadline_;
    };
    if (std::erase_if(ticks_, has_ended) != 0)
        steady_since_ = now;
}

void rhythm::count(const event& e, const trace& happened, index at)
{
    if (!may_be_periodic(e.kind)) {
        restart(e.at);
        return;
    }
    tick seen{.kind = e.kind,
        .who = e.lane,
        .of_kind = {},
        .name = {},
        .result = result::ok,
        .of_client = false,
        .nth = 0,
        .last = e.at,
        .latest = at};
    if (is_of_operation(e.kind)) {
        const operation_record& op = happened.operations[e.subject];
        seen.of_kind = op.id.kind;
        seen.name = op.id.name;
        seen.of_client = op.id.lane >= 0 && op.role != role::maintenance && op.role != role::create &&
                         op.role != role::close;
        if (e.kind == event_kind::completed || e.kind == event_kind::delivered)
            seen.result = op.result;
    }
    const auto is_same = [&](const tick& t) {
        return t.kind == seen.kind && t.who == seen.who && t.of_kind == seen.of_kind && t.name == seen.name &&
               t.result == seen.result && t.nth == seen.nth;
    };
    for (;; ++seen.nth) {
        const auto known = std::find_if(ticks_.begin(), ticks_.end(), is_same);
        if (known == ticks_.end()) {
            if (ticks_.size() >= ticks_max)
                return restart(e.at);
            ticks_.push_back(seen);
            steady_since_ = repeating_since_ = e.at;
            silent_ = 0;
            return;
        }
        if (known->last == e.at)
            continue; // another one at this instant
        const duration distance = e.at - known->last;
        if (known->every != distance && known->every != duration(0))
            steady_since_ = e.at;
        known->every = distance;
        known->last = e.at;
        known->latest = at;
        ++known->times;
        return;
    }
}

void rhythm::list(std::vector<tick_record>& into, const trace& happened) const
{
    if (!at_rest_)
        return;
    for (const tick& t : ticks_)
        if (t.kind == event_kind::started && t.nth == 0 && t.times > 1)
            into.push_back(
                {.operation = happened.events[t.latest].subject, .every = t.every, .times = t.times});
}

} // namespace mishap::detail
