// SPDX-License-Identifier: MIT
#pragma once
/// What every campaign does with a run: count it, and keep what it broke.

#include "bugs.hpp"
#include "obligations.hpp"

#include "simulation/last_words.hpp"
#include "simulation/run.hpp"

#include <mishap/explore.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

/// After so many runs that had to be left where they stood a campaign stops: they stay in memory.
inline constexpr std::uint64_t lost_max = 200;

class campaign
{
public:
    campaign(const manager& under_test, const std::optional<contract>& promises, const limits& bounds,
        std::string name, std::span<const std::string> only = {});

    /// Has each run judged once more, after the invariants, by what may change the verdict.
    void judge_also(std::function<void(run_result&)> judge) { judge_also_ = std::move(judge); }

    /// What this runner's manager reads counts, too, when settings are looked for that nobody reads.
    void reads_too(const runner& other) { also_reads_ = &other; }

    /// What must be reached. Errors: as `obligations::require`.
    void require(std::span<const std::string> wanted) { obligations_.require(wanted); }

    /// No fault was asked for, so that none need fire.
    void wants_no_faults() noexcept { wants_faults_ = false; }

    /// Runs and accounts for one plan, and returns what `look` reads out of the run, which the next run
    /// overwrites.
    template <class Look>
    auto run(const fault_plan& plan, Look look)
    {
        return look(static_cast<const run_result&>(accounted(plan)));
    }

    /// Runs the requested replay instead of the campaign, if there is one for this campaign.
    bool replayed();

    /// Runs a plan again and compares it with what happened before; reports a manager that answered
    /// differently, with the first event that differs. Returns whether the runs were equal.
    bool repeats(const fault_plan& plan, const trace& before);

    /// Reports a manager that answered the same plan differently.
    void found_nondeterminism(const fault_plan& plan, const std::string& difference);

    /// Makes the counterexamples small, and hands over what was learned.
    ///
    /// Errors: throws `misuse_error` for a setting that nobody ever asked for.
    campaign_result finish();

    /// How many operations a run of that plan starts. The run is neither judged nor counted.
    std::uint32_t operations_of(const fault_plan&);

    /// Whether the manager asks for a setting of that name; tries it with that value.
    bool reads(const std::string& setting, const std::string& value);

    campaign_result& result() noexcept { return result_; }
    const contract& promises() const noexcept { return promises_; }
    bool nondeterministic() const noexcept { return nondeterministic_; }

private:
    struct cell
    {
        symbol kind;
        symbol name;
        std::array<coverage_cell, fault_kinds> by_fault;
    };

    run_result& judged(const fault_plan& plan);
    run_result& accounted(const fault_plan& plan);
    void count(const run_result&);
    void check_settings(const fault_plan&) const;
    bool serves_nobody();
    std::string told() const;

    const manager& under_test_;
    contract promises_;
    runner runner_;
    campaign_result result_;
    std::function<void(run_result&)> judge_also_;
    bugs bugs_;
    std::vector<cell> cells_;
    obligations obligations_;
    fault_plan settings_; ///< of every run, and its clients; nothing else of it counts
    const runner* also_reads_ = nullptr;
    bool wants_faults_ = true;
    bool entered_ = false; ///< a client's body, in any run
    bool asked_ = false;   ///< for the body, in any run
    bool nondeterministic_ = false;
    so_far so_far_{[this] { return told(); }};
};

/// The runs of a sweep, and those of a random campaign.
/// `prunes`: a run that was seen before is not followed further.
void sweep_into(campaign&, const sweep_options&, bool prunes = true);
void draw_into(campaign&, const random_options&);

} // namespace mishap::detail
