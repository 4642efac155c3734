// SPDX-License-Identifier: MIT
#include "interruptions.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace mishap::detail {

void interruptions::begin(const fault_plan& plan, const contract& promises)
{
    plan_ = &plan;
    scheduler_.begin(plan, promises);
    strikes_.clear();
    owed_.clear();
    deviations_.clear();
    held_.clear();
    for (std::size_t i = 0; i < plan.perturbations.size(); ++i) {
        const perturbation& p = plan.perturbations[i];
        if (const interruption* const point = p.interrupts())
            strikes_.push_back({i, p, point->when == moment::steps, point->steps});
        else if (p.yields())
            deviations_.push_back(i);
    }
}

void interruptions::arm(moment when, const operation_id& at)
{
    for (waiting& one : strikes_)
        if (!one.armed && one.what.interrupts()->when == when && one.what.at == at) {
            one.armed = true;
            one.due = record_->steps + one.what.interrupts()->steps;
        }
}

std::optional<interruptions::strike> interruptions::take_due(std::size_t& from)
{
    for (; from < strikes_.size(); ++from) {
        const waiting& one = strikes_[from];
        // A client is not cancelled before it has begun: that would test Asio, not the manager.
        const lane whom = one.what.interrupts()->client;
        const auto client = static_cast<std::size_t>(whom);
        const bool begun = whom == whole_world ||
                           (client < record_->outcomes.size() && record_->outcomes[client].began != 0);
        if (!one.armed || record_->steps < one.due || !begun)
            continue;
        const interruption point = *one.what.interrupts();
        strike due{one.plan_index, point, point.when == moment::steps ? anchor_now(point) : one.what};
        strikes_.erase(strikes_.begin() + static_cast<std::ptrdiff_t>(from));
        return due;
    }
    return std::nullopt;
}

std::optional<interruptions::strike> interruptions::take_before(const operation_id& id)
{
    const auto found = std::find_if(strikes_.begin(), strikes_.end(), [&](const waiting& one) {
        const interruption& point = *one.what.interrupts();
        return !one.armed && point.when == moment::before && one.what.at == id &&
               point.what == interruption::action::cancel;
    });
    if (found == strikes_.end())
        return std::nullopt;
    strike due{found->plan_index, *found->what.interrupts(), found->what};
    strikes_.erase(found);
    last_before_ = due.what;
    return due;
}

void interruptions::say_again(lane to)
{
    if (const interruption* const point = last_before_.interrupts(); point && point->client == to)
        strikes_.push_back({none, last_before_, true, record_->steps + 1});
}

std::optional<index> interruptions::take_owed() noexcept
{
    if (owed_.empty())
        return std::nullopt;
    const index operation = owed_.back();
    owed_.pop_back();
    return operation;
}

perturbation interruptions::anchor_now(const interruption& struck) const
{
    perturbation what{.at = {}, .what = struck};
    interruption& point = std::get<interruption>(what.what);
    for (auto e = record_->events.rbegin(); e != record_->events.rend(); ++e) {
        if (e->kind != event_kind::completed && e->kind != event_kind::delivered)
            continue;
        point.when = e->kind == event_kind::completed ? moment::queued : moment::after;
        point.steps = static_cast<std::uint32_t>(record_->steps - e->step);
        what.at = record_->operations[e->subject].id;
        return what;
    }
    point.when = moment::steps;
    point.steps = static_cast<std::uint32_t>(record_->steps);
    return what;
}

bool interruptions::hold(index operation)
{
    held one{.plan_index = none,
        .operation = operation,
        .until = {},
        .order = 0,
        .since = record_->steps,
        .hash = record_->hash};
    const operation_record& op = record_->operations[operation];
    const auto named = std::find_if(deviations_.begin(), deviations_.end(),
        [&](std::size_t i) { return plan_->perturbations[i].at == op.id; });
    if (named != deviations_.end()) {
        one.plan_index = one.order = *named;
        if (const deviation& d = *plan_->perturbations[*named].yields(); d.steps != until_nothing_is_ready)
            one.until = d;
    } else if (const auto drawn = scheduler_.is_on() ? scheduler_.hold(op) : std::nullopt) {
        one.until = drawn->until;
        one.order = std::max<std::uint64_t>(drawn->order, plan_->perturbations.size());
    } else {
        return false;
    }
    const auto later =
        std::find_if(held_.begin(), held_.end(), [&](const held& other) { return other.order > one.order; });
    held_.insert(later, std::move(one));
    return true;
}

void interruptions::note_step(lane stepped)
{
    for (held& one : held_) {
        if (one.until) {
            one.due = one.until->first == stepped && --one.until->steps == 0;
        } else if (stepped >= background_lane) {
            const auto known = std::find_if(one.stepped.begin(), one.stepped.end(),
                [&](const auto& counted) { return counted.first == stepped; });
            if (known == one.stepped.end())
                one.stepped.emplace_back(stepped, 1);
            else if (++known->second; known + 1 != one.stepped.end())
                std::rotate(known, known + 1, one.stepped.end()); // the last one is the last that ran
        }
    }
}

std::optional<index> interruptions::take_released()
{
    const auto due = std::find_if(held_.begin(), held_.end(), [](const held& one) { return one.due; });
    if (due == held_.end())
        return std::nullopt;
    const held done = std::move(*due);
    held_.erase(due);
    note_fired(done);
    return done.operation;
}

index interruptions::take_first()
{
    const held one = std::move(held_.front());
    held_.erase(held_.begin());
    // Whether that lane took all its steps or not: something else went first, if anything happened at all. If
    // not, it changed no order, but a canonical plan leaves out nothing that was done.
    const bool changed_nothing = record_->steps == one.since && record_->hash == one.hash;
    if (one.plan_index == none) {
        if (!changed_nothing)
            note_fired(one);
        return one.operation;
    }
    const bool had_fired = record_.has_fired(one.plan_index);
    note_fired(one);
    if (changed_nothing && !had_fired)
        record_.unmark_fired(one.plan_index);
    return one.operation;
}

void interruptions::forget_held(index operation)
{
    const auto found =
        std::find_if(held_.begin(), held_.end(), [&](const held& one) { return one.operation == operation; });
    if (found == held_.end())
        return;
    note_fired(*found);
    held_.erase(found);
}

/// In place of "until nothing else is ready": until the lane that ran last has taken a step more than it did.
deviation interruptions::as_it_came(const held& one) const
{
    const lane own = record_->operations[one.operation].id.lane;
    for (auto last = one.stepped.rbegin(); last != one.stepped.rend(); ++last)
        if (last->first != own)
            return {.first = last->first, .steps = last->second + 1};
    return {.first = own == 0 ? lane(1) : lane(0), .steps = 1};
}

void interruptions::note_fired(const held& one)
{
    // Where handlers are permuted, too, the plan's own words for the schedule are the only ones that repeat
    // it.
    if (one.plan_index == none && scheduler_.permutes_handlers())
        return;
    const auto at = static_cast<index>(record_->events.size() - 1);
    const operation_id& id = record_->operations[one.operation].id;
    if (one.plan_index == none && one.until)
        record_.add_strike(none, {.at = id, .what = scheduler_.drawn_for(id)}, at);
    else if (one.until)
        record_.add_strike(one.plan_index, plan_->perturbations[one.plan_index], at);
    else
        record_.add_strike(one.plan_index, {.at = id, .what = as_it_came(one)}, at);
}

} // namespace mishap::detail
