// SPDX-License-Identifier: MIT
#pragma once
/// The different bugs that a campaign has met, and their smallest plans.

#include "simpler.hpp"

#include <mishap/explore.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mishap::detail {

inline constexpr std::string_view nondeterministic_name = "nondeterministic";

/// Keeps the plainest plan of each different violation, and makes counterexamples of them.
class bugs
{
public:
    /// Runs a plan and judges it; the result is overwritten by the next run.
    using judge = std::function<run_result&(const fault_plan&)>;

    /// What makes two violations the same bug: the rule, on what, and where the last thing went wrong.
    struct identity
    {
        std::string_view invariant;
        mishap::role role = role::body;
        symbol resource; ///< its kind
        symbol kind;     ///< of the resource at which the last thing went wrong
        symbol name;     ///< and of the operation

        /// The same rule on the same kind of thing: what making it smaller must keep.
        bool breaks_as(const identity& other) const noexcept
        {
            return invariant == other.invariant && role == other.role && resource == other.resource;
        }
        friend bool operator==(const identity&, const identity&) noexcept = default;
    };

    struct met
    {
        identity what;
        violation example;
        fault_plan found;    ///< the first plan
        fault_plan plainest; ///< of those that were met
        burden weight;
        bool shrinks = true;
    };

    bugs(contract promises, judge run);

    /// Keeps what a run broke. Complexity: linear in its violations and in the bugs that were met.
    void see(const run_result&);

    /// Keeps that one plan gave two different runs.
    void see_nondeterminism(const fault_plan&, std::string difference);

    bool empty() const noexcept { return met_.empty(); }
    const std::vector<met>& all() const noexcept { return met_; }

    /// Keeps what another process met, as if these runs had been seen here.
    void join(std::vector<met>);

    /// Forgets what was met.
    void clear() { met_.clear(); }

    /// Makes what is left to do short: somebody waits.
    void hurry() noexcept;

    /// Calls `look` with the invariant and the plainest plan of each that was met.
    template <class Look>
    void for_each(Look look) const
    {
        for (const met& one : met_)
            look(one.what.invariant, one.plainest);
    }

    /// Makes each plan as small as it goes, unless it was asked for, and tells different bugs once, the
    /// plainest first.
    void tell(campaign_result& into, bool as_they_are);

private:
    /// What single perturbations of one run break.
    struct singles
    {
        fault_plan base;
        bool abandons; ///< clients, too
        std::vector<met> broken;
    };

    static identity identity_of(const violation&, const run_result&);
    void keep(std::vector<met>& in, const run_result&) const;
    const violation* find(const run_result&, const identity&) const;
    void tell(const met&, campaign_result& into, bool as_it_is);
    fault_plan shrunk(const met&, std::uint64_t& runs);
    bool make_simpler(fault_plan&, const identity&, std::uint64_t& runs);
    bool try_singles(fault_plan&, const identity&, std::uint64_t& runs);
    const singles& singles_of(const fault_plan& like, std::uint64_t& runs);
    run_result& spend(const fault_plan&, std::uint64_t& runs);

    contract promises_;
    judge run_;
    std::vector<met> met_;
    std::vector<singles> singles_;
    /// Of the bugs that are told, with their plans.
    std::vector<std::pair<identity, fault_plan>> told_;
    std::uint64_t runs_left_;
};

/// In which event, result or counter two runs of one plan differ first.
std::string first_difference(const trace& before, const trace& now);

} // namespace mishap::detail
