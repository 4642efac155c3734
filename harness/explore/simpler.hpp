// SPDX-License-Identifier: MIT
#pragma once
/// Which of two plans is plainer to read, and plans that may be plainer than one.

#include <mishap/contract.hpp>
#include <mishap/plan.hpp>

#include <compare>
#include <cstdint>
#include <vector>

namespace mishap::detail {

/// How much there is to read in a plan, what weighs most first. Less is plainer.
struct burden
{
    std::uint32_t perturbations = 0; ///< an outage counts as many
    std::uint32_t comings = 0;       ///< arrivals that are not at once
    std::uint32_t clients = 0;
    std::uint32_t counted = 0; ///< interruptions that count steps
    std::uint32_t kinds = 0;   ///< how far the faults are from a plain failure
    std::uint32_t lanes = 0;
    std::uint32_t occurrences = 0;
    std::uint32_t steps = 0;

    friend auto operator<=>(const burden&, const burden&) noexcept = default;
};

burden burden_of(const fault_plan&, const contract&);

/// Plans that differ from this one in one respect and may be plainer, the greatest relief first: a
/// perturbation less; an outage that is a single failure; an arrival less, its fault moved to another client;
/// a fault of a plainer kind, of an earlier client or at an earlier operation.
///
/// The order is that of greedy delta debugging: A. Zeller, R. Hildebrandt, "Simplifying and Isolating
/// Failure-Inducing Input", IEEE TSE 28 (2002).
std::vector<fault_plan> simpler_plans(const fault_plan&, const contract&);

} // namespace mishap::detail
