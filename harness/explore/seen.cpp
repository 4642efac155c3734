// SPDX-License-Identifier: MIT
#include "seen.hpp"

#include "vocabulary/mix.hpp"

#include <algorithm>

namespace mishap::detail {

namespace {

/// The trace's own hash leaves steps and causes out, and what may come up yet of the plan.
std::uint64_t hash_of(const run_result& done, const fault_plan& plan)
{
    std::uint64_t hash = done.trace.hash;
    for (const event& e : done.trace.events) {
        // When exactly between two events it struck is all that such a perturbation differs in.
        const bool strikes = e.kind == event_kind::client_cancelled || e.kind == event_kind::client_abandoned;
        hash = mix(hash, (std::uint64_t(e.cause) << 32) ^ (strikes ? 0 : e.step));
        hash = mix(hash, static_cast<std::uint64_t>(e.why));
    }
    std::uint64_t struck = 0; // in any order
    for (const perturbation& p : plan.perturbations)
        if (p.is_fault())
            struck += mix(mishap::detail::hash_of(p.at), p.fails_body() ? 1 : 0);
    hash = mix(hash, struck);
    hash = mix(hash, plan.sequential ? 1 : plan.relay ? 2 : 0);
    for (const auto& [client, when] : plan.arrivals)
        hash = mix(mix(hash, static_cast<std::uint16_t>(client)), static_cast<std::uint64_t>(when.count()));
    return hash;
}

/// Everything of the plan came up, but for what its operations refused; so nothing of it is still to come in
/// a run that goes on differently.
bool is_spent(const run_result& done, const fault_plan& plan)
{
    return std::all_of(plan.perturbations.begin(), plan.perturbations.end(), [&](const perturbation& p) {
        if (p.repeats())
            return false;
        if (p.is_fault())
            return std::any_of(done.trace.operations.begin(), done.trace.operations.end(),
                [&](const operation_record& op) { return op.id == p.at; });
        return std::any_of(
            done.trace.strikes.begin(), done.trace.strikes.end(), [&](const strike_record& one) {
                return one.plan_index == static_cast<std::size_t>(&p - plan.perturbations.data());
            });
    });
}

} // namespace

bool seen_runs::covers(
    const run_result& done, const fault_plan& plan, index from, unsigned perturbations, unsigned preemptions)
{
    if (plan.perturbations.empty() || !is_spent(done, plan))
        return false;
    const auto [known, added] =
        seen_.try_emplace(hash_of(done, plan), followed{from, perturbations, preemptions});
    if (added)
        return false;
    followed& before = known->second;
    if (before.from <= from && before.perturbations >= perturbations && before.preemptions >= preemptions)
        return true;
    if (from <= before.from && perturbations >= before.perturbations && preemptions >= before.preemptions)
        before = {from, perturbations, preemptions};
    return false;
}

} // namespace mishap::detail
