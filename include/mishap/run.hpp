// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/chooser.hpp>
#include <mishap/contract.hpp>
#include <mishap/invariant.hpp>
#include <mishap/manager.hpp>
#include <mishap/plan.hpp>
#include <mishap/trace.hpp>

#include <iosfwd>
#include <string>
#include <vector>

namespace mishap {

/// Options of `run`.
struct run_options
{
    /// What the manager promises; that of the manager itself when left out.
    std::optional<mishap::contract> contract = {};
    mishap::limits limits = {};
    /// Decides the order of handlers and completions; first come, first served when left out. Must outlive
    /// the run.
    mishap::chooser* chooser = nullptr;
    /// Only these invariants are judged, and those that always are; empty means all.
    std::vector<std::string> invariants = {};
};

/// One run, judged.
struct run_result
{
    std::string manager;
    mishap::contract contract;
    /// What was asked for; the horizon may be unset.
    mishap::limits limits;
    /// The plan that was asked for.
    fault_plan plan;
    /// What of it fired, in order: the canonical plan.
    fault_plan fired;
    mishap::trace trace;
    mishap::verdict verdict;

    bool holds() const noexcept { return verdict.holds(); }
    bool violates(std::string_view invariant) const noexcept { return verdict.violates(invariant); }
};

/// Runs a manager once, in virtual time, under a plan, and judges it.
///
/// Errors: throws `std::runtime_error` when virtual time is not linked into the program, and `input_error`
/// for an unknown invariant. Throws `std::logic_error` for a run inside a run, for a contract that
/// contradicts itself and for an invariant whose registration was refused. What the manager throws is its
/// outcome. Determinism: equal managers, plans and options give equal traces. Thread safety: runs on several
/// threads at once do not touch each other.
run_result run(const manager&, const fault_plan&, const run_options& = {});

/// Writes what `report` says, so that test frameworks show it.
std::ostream& operator<<(std::ostream&, const run_result&);

/// What a test compares a result with: `CHECK(mishap::sweep(adapter) == mishap::holds)`. A framework that
/// prints both sides then prints the report.
struct holds_t
{
    friend std::ostream& operator<<(std::ostream&, holds_t);
    friend bool operator==(const run_result& result, holds_t) noexcept { return result.holds(); }
};
inline constexpr holds_t holds;

} // namespace mishap
