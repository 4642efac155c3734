// SPDX-License-Identifier: MIT
#pragma once
/// Which term of the contract bounds an operation.

#include <mishap/contract.hpp>
#include <mishap/operation.hpp>

#include <mishap/plan.hpp>
#include <mishap/trace.hpp>

#include <algorithm>
#include <optional>
#include <string_view>

namespace mishap::detail {

/// How much later than its deadline a phase may end: Asio rounds timers up to a microsecond.
inline constexpr duration timer_precision = std::chrono::microseconds(1);

/// How long an operation of that role may take, if the contract says so.
inline std::optional<duration> timeout_of(const contract& promises, role what, bool in_body)
{
    switch (what) {
    case role::create:
        return promises.time.create;
    case role::close:
        return promises.time.close;
    case role::use:
        return in_body ? promises.time.use : promises.time.other;
    case role::body:
    case role::force_close:
        return std::nullopt;
    default:
        return promises.time.other;
    }
}

/// Likewise, of an operation that may have a deadline of its own.
inline std::optional<duration> timeout_of(const contract& promises, const operation_record& op)
{
    for (const time_terms::of_operation& one : promises.time.operations) {
        const std::string_view name = op.id.name.text();
        const std::string_view kind = op.id.kind.text();
        if (one.operation.size() == kind.size() + 1 + name.size() && one.operation.starts_with(kind) &&
            one.operation[kind.size()] == '.' && one.operation.ends_with(name))
            return one.limit;
    }
    return timeout_of(promises, op.role, op.in_body);
}

/// Deadlines beyond that are not waited for; it keeps sums of them from overflowing.
inline constexpr duration longest_counted = std::chrono::hours(24 * 365);

/// The largest of the contract's deadlines, or zero where it has none.
inline duration longest_deadline(const contract& promises)
{
    duration longest{0};
    const auto consider = [&](const std::optional<duration>& timeout, std::uint32_t times = 1) {
        if (timeout && *timeout > duration(0))
            longest =
                std::max(longest, *timeout * std::clamp<duration::rep>(longest_counted / *timeout, 1, times));
    };
    consider(promises.time.create,
        promises.time.per_attempt && promises.attempts.create <= 1000 ? promises.attempts.create : 1);
    consider(promises.time.use);
    consider(promises.time.close);
    consider(promises.time.other);
    consider(promises.time.acquire);
    consider(promises.time.whole);
    consider(promises.time.clean_up);
    for (const time_terms::of_operation& one : promises.time.operations)
        consider(one.limit);
    consider(promises.time.recovery);
    return std::min(longest, longest_counted);
}

/// How far time may go in a run of this plan.
inline duration horizon_of(const limits& bounds, const contract& promises, const fault_plan& plan)
{
    constexpr duration at_least = std::chrono::hours(24);
    constexpr int deadlines = 4;
    if (bounds.horizon)
        return *bounds.horizon;
    duration horizon = std::max(at_least, deadlines * longest_deadline(promises));
    const auto add = [&](duration later) { horizon += std::min(later, longest_counted); };
    duration last_arrival{0};
    for (const auto& [client, when] : plan.arrivals)
        last_arrival = std::max(last_arrival, when);
    add(last_arrival);
    for (const perturbation& p : plan.perturbations)
        if (p.is_fault())
            add(p.fault().after);
    return horizon;
}

} // namespace mishap::detail
