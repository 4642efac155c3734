// SPDX-License-Identifier: MIT
#include "agenda.hpp"

#include <algorithm>
#include <utility>

namespace mishap::detail {

namespace {

/// Virtual time after the horizon for those who were stuck until then.
constexpr duration clean_up_time = std::chrono::hours(1);

} // namespace

void agenda::begin(duration horizon) noexcept
{
    entries_.clear();
    order_ = 0;
    clock_.now = last_active_ = duration(0);
    clock_.horizon = horizon_ = horizon;
    clock_.numbers_drawn = 0;
}

void agenda::add(entry what)
{
    what.order = order_++;
    entries_.push_back(what);
    std::push_heap(entries_.begin(), entries_.end(), &later);
}

void agenda::remove_end(index operation) noexcept
{
    if (std::erase_if(entries_, [&](const entry& e) { return e.operation == operation; }) != 0)
        std::make_heap(entries_.begin(), entries_.end(), &later);
}

duration agenda::last_due() const noexcept
{
    duration last{0};
    for (const entry& e : entries_)
        if (e.at <= horizon_)
            last = std::max(last, e.at);
    return last;
}

agenda::next agenda::step(duration limit, bool timers_count, duration others) noexcept
{
    const reactor& own = clock_.reactors.front();
    const bool timer_armed = timers_count && own.expiry >= duration(0);
    const bool entry_first = !entries_.empty() && (!timer_armed || entries_.front().at <= own.expiry);
    const duration planned = entry_first ? entries_.front().at : timer_armed ? own.expiry : duration::max();
    const bool others_first = others != duration::max() && others <= planned;
    if (!entry_first && !timer_armed && !others_first)
        return next::nothing;
    const duration until = std::max(others_first ? others : planned, clock_.now);
    if (until > limit) {
        // Walking towards a timer that is never due changed nothing, so the clock goes back to when something
        // last happened.
        clock_.now = last_active_;
        return next::nothing;
    }
    clock_.now = until;
    if (others_first)
        return next::others;
    if (!entry_first) {
        ring();
        return next::timer;
    }
    last_active_ = until; // an arrival is an event, also where no handler waits for it
    timer_is_due_too_ = timer_armed && own.expiry == until;
    return next::entries;
}

std::optional<agenda::entry> agenda::take_due() noexcept
{
    if (entries_.empty() || entries_.front().at > clock_.now)
        return std::nullopt;
    std::pop_heap(entries_.begin(), entries_.end(), &later);
    const entry due = entries_.back();
    entries_.pop_back();
    return due;
}

void agenda::ring_too() noexcept
{
    if (std::exchange(timer_is_due_too_, false))
        ring();
}

void agenda::ring() noexcept
{
    reactor& own = clock_.reactors.front();
    own.expiry = duration(-1);
    own.due = true;
}

void agenda::extend_horizon() noexcept
{
    horizon_ = clock_.horizon = std::max(horizon_, clock_.now + clean_up_time);
}

duration agenda::narrow_horizon(duration until) noexcept
{
    return std::exchange(horizon_, std::min(until, horizon_));
}

} // namespace mishap::detail
