#pragma once

#include <mishap/contract.hpp>
#include <mishap/plan.hpp>
#include <mishap/trace.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mishap {

/// A rule that was broken, once.
struct violation
{
    std::string_view invariant;
    /// One sentence about this run.
    std::string sentence;
    mishap::lane lane = 0;
    /// What it concerns, for "the same violation" while shrinking; `none` where it concerns a client.
    index resource = none;
    mishap::role role = role::body;
    /// Events that prove it, each with a remark for the timeline.
    struct evidence
    {
        index event;
        std::string remark;
    };
    std::vector<evidence> proof;
    std::string expected;
    std::string actual;
};

/// All violations of one run.
struct verdict
{
    std::vector<violation> violations;

    bool holds() const noexcept { return violations.empty(); }
    bool violates(std::string_view invariant) const noexcept;
};

/// What an invariant judges. It sees values only: nothing of the simulation, nothing of Asio.
struct evidence
{
    const mishap::contract& contract;
    const fault_plan& plan;
    const mishap::trace& trace;
    /// By client: its hang or escape is reported already, and what followed in its lane is consequence.
    std::vector<bool> consequence;

    bool excused(lane) const noexcept;
};

/// A named rule.
struct invariant
{
    std::string_view name;
    std::string_view rule;
    void (*judge)(const evidence&, std::vector<violation>&);
};

/// Every invariant, in the order in which a report lists violations.
std::span<const invariant> invariants() noexcept;

/// Judges a finished run by all invariants.
///
/// Verdict hygiene: for a client that hung against its contract, and for a lane from which an exception
/// escaped, that alone is reported.
verdict judge(const contract&, const fault_plan&, const trace&);

} // namespace mishap
