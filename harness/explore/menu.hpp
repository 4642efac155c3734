// SPDX-License-Identifier: MIT
#pragma once

#include "places.hpp"

#include <mishap/explore.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mishap::detail {

/// What a sweep chooses from, at each place.
class menu
{
public:
    menu(const sweep_options&, const contract&);

    /// Everything that is tried at that place of a run under that plan, one perturbation more each.
    std::vector<perturbation> choices(const place&, const std::vector<presence>&, const fault_plan&) const;

    /// The peer is down for good: every create fails, from the first of a run in which nothing else went
    /// wrong yet. That shows who tries again without a pause, or one time too often. Nothing where nobody
    /// tries again.
    std::optional<std::pair<place, perturbation>> outage(const fault_plan&, const trace&, index from) const;

    /// Whether clients are interrupted at boundaries.
    bool interrupts() const noexcept { return cancels_ || abandons_; }

    /// Long enough for idle resources to grow old, and for what goes on in the background.
    duration a_while() const noexcept { return a_while_; }

    std::string description() const;

private:
    std::vector<fault> fit(const fault& kind, const place&) const;
    fault told_apart(const fault_plan&, const fault& kind) const;

    contract promises_;
    bool by_default_; ///< nobody asked for certain kinds
    std::vector<fault> kinds_;
    bool cancels_;
    bool abandons_;
    bool deviates_;
    duration a_while_;
};

} // namespace mishap::detail
