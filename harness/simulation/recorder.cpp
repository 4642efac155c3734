// SPDX-License-Identifier: MIT
#include "recorder.hpp"

#include "misuse.hpp"

#include <algorithm>

namespace mishap::detail {

void recorder::begin(trace& into, std::size_t perturbations)
{
    trace_ = &into;
    into.clear();
    clock_.steps = &into.steps;
    fired_.assign(perturbations, false);
    counters_.clear();
    causes.begin();
}

void recorder::add_escape() noexcept
{
    if (!trace_)
        return;
    trace_->escapes.push_back(std::current_exception());
    add(event_kind::escaped, running, static_cast<index>(trace_->escapes.size() - 1));
}

void recorder::add_terminate(const std::exception_ptr& under_way)
{
    trace_->escapes.push_back(under_way);
    add(event_kind::terminated, running, static_cast<index>(trace_->escapes.size() - 1));
}

void recorder::add_report(std::exception_ptr error) noexcept
{
    if (!trace_)
        return;
    trace_->reports.push_back({running, std::move(error)});
    add(event_kind::reported, running, static_cast<index>(trace_->reports.size() - 1));
}

void recorder::add_expectation(expectation_record failed)
{
    failed.lane = running;
    trace_->expectations.push_back(std::move(failed));
    add(event_kind::expectation_failed, running, static_cast<index>(trace_->expectations.size() - 1));
}

void recorder::add_note(std::string_view text)
{
    if (!trace_)
        return;
    trace_->notes.emplace_back(text);
    add(event_kind::note, running, static_cast<index>(trace_->notes.size() - 1));
}

void recorder::add_reached(const char* what) noexcept
{
    if (!trace_)
        return;
    for (reached_record& known : trace_->reached)
        if (known.what.data() == what) {
            ++known.times;
            return;
        }
    const auto before = trace_->events.empty() ? none : static_cast<index>(trace_->events.size() - 1);
    trace_->reached.push_back({what, before});
    add_to_hash(std::hash<std::string_view>()(what));
}

void recorder::add_outside(event_kind kind, const char* call) noexcept
{
    trace_->outside_calls.push_back({call, trace_->steps});
    add(kind, running, static_cast<index>(trace_->outside_calls.size() - 1));
}

void recorder::note_instant()
{
    constexpr std::size_t at_most = 256;
    auto& instants = trace_->instants;
    if (instants.size() < at_most && (instants.empty() || instants.back() != clock_.now))
        instants.push_back(clock_.now);
}

void recorder::add_strike(std::size_t which, const perturbation& what, index at)
{
    if (which < fired_.size())
        fired_[which] = true;
    trace_->strikes.push_back({which, what, at});
}

void recorder::list_inert(std::vector<std::size_t>& into) const
{
    for (std::size_t i = 0; i < fired_.size(); ++i)
        if (!fired_[i])
            into.push_back(i);
}

std::uint64_t recorder::watch(statistic_record named, std::function<long()> value)
{
    const auto& known = trace_->statistics;
    if (std::any_of(known.begin(), known.end(),
            [&](const statistic_record& other) { return other.name == named.name; }))
        misused("the statistic " + named.name + " was given twice: add the counters up");
    trace_->statistics.push_back(std::move(named));
    counters_.push_back(
        {next_counter_, static_cast<index>(trace_->statistics.size() - 1), running, std::move(value)});
    return next_counter_++;
}

void recorder::unwatch(std::uint64_t id, bool unread) noexcept
{
    const auto ended =
        std::find_if(counters_.begin(), counters_.end(), [&](const counter& one) { return one.id == id; });
    if (ended == counters_.end())
        return;
    // What an abandoned client leaves is destroyed in no order that its counters could show.
    const auto client = static_cast<std::size_t>(ended->giver);
    const bool gone =
        unread || !trace_ ||
        (ended->giver >= 0 && client < trace_->outcomes.size() && trace_->outcomes[client].abandoned != none);
    if (!gone)
        read(*ended, true);
    counters_.erase(ended);
}

void recorder::read_counters() noexcept
{
    for (const counter& one : counters_)
        read(one, false);
}

void recorder::read(const counter& one, bool last) noexcept
{
    try {
        const long value = one.value();
        const auto position = static_cast<index>(trace_->events.size());
        for (auto before = trace_->samples.rbegin(); !last && before != trace_->samples.rend(); ++before) {
            if (before->statistic != one.record)
                continue;
            if (before->value == value && before->position == position)
                return; // nothing happened since
            break;
        }
        trace_->samples.push_back({one.record, value, position, last});
        add_to_hash(static_cast<std::uint64_t>(value));
    } catch (...) {
        add_escape();
    }
}

} // namespace mishap::detail
