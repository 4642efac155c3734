// SPDX-License-Identifier: MIT
#include "interruptions.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace mishap::detail {

void interruptions::begin(const fault_plan& plan)
{
    plan_ = &plan;
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
    for (const std::size_t i : deviations_) {
        const perturbation& p = plan_->perturbations[i];
        if (p.at != record_->operations[operation].id)
            continue;
        held_.push_back({i, operation, p.yields()->first, p.yields()->steps, record_->steps, record_->hash});
        return true;
    }
    return false;
}

std::optional<index> interruptions::take_released(lane stepped, std::size_t& from)
{
    for (; from < held_.size(); ++from) {
        if (held_[from].first != stepped || --held_[from].steps_left != 0)
            continue;
        const held done = held_[from];
        held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(from));
        note_fired(done);
        return done.operation;
    }
    return std::nullopt;
}

std::vector<interruptions::held> interruptions::take_held() noexcept { return std::exchange(held_, {}); }

void interruptions::let_go(const held& one)
{
    // Whether that lane took all its steps or not: something else went first, if anything happened at all. If
    // not, it changed no order, but a canonical plan leaves out nothing that was done.
    const bool had_fired = record_.has_fired(one.plan_index);
    note_fired(one);
    if (record_->steps == one.since && record_->hash == one.hash && !had_fired)
        record_.unmark_fired(one.plan_index);
}

void interruptions::forget_held(index operation)
{
    std::erase_if(held_, [&](const held& one) {
        if (one.operation != operation)
            return false;
        note_fired(one);
        return true;
    });
}

void interruptions::note_fired(const held& one)
{
    record_.add_strike(
        one.plan_index, plan_->perturbations[one.plan_index], static_cast<index>(record_->events.size() - 1));
}

} // namespace mishap::detail
