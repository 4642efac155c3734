// SPDX-License-Identifier: MIT
#pragma once

#include "places.hpp"

#include <mishap/explore.hpp>

#include <span>
#include <string>
#include <vector>

namespace mishap::detail {

/// What a sweep chooses from, at each place.
class menu
{
public:
    menu(const sweep_options&, const contract&);

    /// Everything that is tried at that place of a run under that plan, one perturbation more each.
    std::vector<perturbation> choices(const place&, const std::vector<presence>&, const fault_plan&) const;

    /// The plainest of them, one of each sort: what goes wrong before others come is only to leave its trace.
    std::vector<perturbation> plain_choices(const place&, const fault_plan&) const;

    /// What comes at an instant at which the run was seen to wake up, from the operation's start: where the
    /// contract gives no deadline, the manager's own timers are deadlines, too.
    std::vector<perturbation> choices_at(
        const place&, std::span<const duration> instants, const fault_plan&) const;

    /// Everything of one sort fails at once.
    struct outage
    {
        place where; ///< that of the first that fails
        std::vector<perturbation> what;
    };

    /// Outages of every operation, from the first of a run in which nothing else went wrong yet: that shows
    /// who tries again without a pause, or one time too often. Nothing where nobody tries again.
    ///
    /// Where one client comes later than all others, at `arrival`, an outage is over by then, or begins.
    std::vector<outage> outages(const fault_plan&, const trace&, index from, index arrival) const;

    /// Whether clients are interrupted at boundaries.
    bool interrupts() const noexcept { return cancels_ || abandons_; }
    bool abandons() const noexcept { return abandons_; }
    bool deviates() const noexcept { return deviates_; }
    bool is_default() const noexcept { return by_default_; }

    /// Long enough for idle resources to grow old, and for what goes on in the background.
    duration a_while() const noexcept { return a_while_; }

    /// " of ..." the kinds that were asked for, or ", with ..." what is tried besides the default ones; else
    /// nothing.
    std::string beyond_the_default() const;

private:
    std::vector<fault> fit(const fault& kind, const place&) const;
    std::vector<fault> wire_faults(const place&) const;
    fault told_apart(const fault_plan&, const fault& kind, wire_call) const;
    bool tries_again() const noexcept;

    contract promises_;
    bool by_default_; ///< nobody asked for certain kinds
    std::vector<fault> kinds_;
    bool cancels_;
    bool abandons_;
    bool deviates_;
    duration a_while_;
};

/// What a sweep tries by default, and where.
struct coverage_row
{
    std::string_view what;
    std::string_view where;
};

std::span<const coverage_row> default_coverage();

/// What a sweep claims that calls itself complete: each part of the claim, in full.
std::span<const coverage_row> claims_of_completeness();

} // namespace mishap::detail
