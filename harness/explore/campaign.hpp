// SPDX-License-Identifier: MIT
#pragma once
/// What every campaign does with a run: count it, and keep what it broke.

#include "bugs.hpp"
#include "campaign_part.hpp"
#include "obligations.hpp"
#include "workers.hpp"

#include "simulation/last_words.hpp"
#include "simulation/run.hpp"

#include <mishap/explore.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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
    void reads_too(runner& other) { also_reads_ = &other; }

    /// A count that belongs to the campaign, too: of plans under which nothing could be compared.
    void counts_skipped(std::uint64_t& counter) { skipped_ = &counter; }

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

    /// Whether this campaign hands its runs to other processes.
    bool is_conducted() const noexcept { return conducts_; }

    /// One sort of parts, done in other processes.
    struct parts
    {
        /// Runs in a worker; what it counts besides runs it writes into the part.
        std::function<void(const part_request&, campaign_part&)> serve;
        /// Learns of a part when it was counted. Returns whether the campaign goes on.
        std::function<bool(const campaign_part&)> learn;
        std::uint64_t count = 1;
        std::uint64_t runs_max = 0; ///< of the whole campaign
        /// The first part shows how many there are: each machine does it, and one counts it.
        bool has_root = false;
        std::string what; ///< is tried, for people who wait
        fault_plan base;  ///< with the settings and clients of each run
    };

    /// Does them all. Returns whether nothing was left out, but for what other machines do.
    bool conduct(parts&);

    /// In a worker, or in the only process: whether time, signals and deaths let this go on.
    bool may_go_on() const noexcept;

    /// Runs a plan without counting it, and returns what `look` reads out of the run.
    template <class Look>
    auto peek(const fault_plan& plan, Look look)
    {
        shared_row* const row = std::exchange(work_.row, nullptr);
        auto seen = look(static_cast<const run_result&>(judged(plan)));
        work_.row = row;
        return seen;
    }

    void stops_after(duration real_time);

    /// "stopped by SIGINT", "its time was up", or an empty string.
    std::string why_stopped() const;
    /// Whether other machines do the rest; and which share this one has, for what it covered.
    bool is_shard() const noexcept;
    std::string which_shard() const;

    campaign_result& result() noexcept { return result_; }
    const contract& promises() const noexcept { return promises_; }
    bool nondeterministic() const noexcept { return nondeterministic_; }

private:
    /// What a worker is told of its part and shares with its parent.
    struct worker_state
    {
        shared_row* row = nullptr;
        std::uint64_t begun = 0;
        std::uint64_t begun_max = 0;
        std::map<std::uint64_t, death> deaths;
        std::uint64_t dead = 0;
        const try_alone* alone = nullptr;
    };

    void begin_part(const part_request&, shared_row&);
    campaign_part end_part();
    void join(campaign_part&&);
    void tell_of_bugs();
    void tell_in_worker();
    std::string tell_as_worker(const part_request&, shared_row&, const try_alone&);
    run_result& dead(const fault_plan&, const death&);
    void watch(const row_sums&, std::uint64_t done, std::uint64_t all, const std::string& what) const;
    void add(const coverage_of_operation&);

    run_result& judged(const fault_plan& plan);
    run_result& accounted(const fault_plan& plan);
    void count(const run_result&);
    void keep_settings(const fault_plan& first);
    void check_settings(const fault_plan&) const;
    bool serves_nobody();
    void tell_if_nobody_is_served();
    /// Asks that of a worker, where code under test has to run for it; what was given where the worker dies.
    std::string answer_of_a_worker(
        const char* question, const std::function<std::string()>& ask, std::string answer);
    std::string told() const;

    const manager& under_test_;
    contract promises_;
    runner runner_;
    campaign_result result_;
    std::function<void(run_result&)> judge_also_;
    bugs bugs_;
    std::vector<coverage_of_operation> cells_;
    obligations obligations_;
    fault_plan settings_; ///< of every run, and its clients; nothing else of it counts
    runner* also_reads_ = nullptr;
    std::uint64_t* skipped_ = nullptr;
    bool conducts_;
    std::uint64_t number_ = 0; ///< among the campaigns of this program, which names its parts in files
    std::uint64_t sorts_ = 0;  ///< of parts, so far
    worker_state work_;
    mutable bool cut_short_ = false; ///< not all was done that was to be
    bool tells_timeline_ = false;    ///< when the process dies
    std::uint64_t deaths_ = 0;
    std::map<std::string, std::string> last_words_; ///< by the plan under which a process died
    run_result dead_;
    duration began_;
    duration until_{0}; ///< real time
    bool wants_faults_ = true;
    bool entered_ = false; ///< a client's body, in any run
    bool asked_ = false;   ///< for the body, in any run
    bool nondeterministic_ = false;
    so_far so_far_{[this] { return told(); }};
};

/// The number of runs that end their process after which a campaign stops, since each takes a process.
inline constexpr std::uint64_t deaths_max = 100;

/// Whether that run ended its process.
bool has_died(const run_result&) noexcept;

/// The runs of a sweep, and those of a random campaign.
/// `prunes`: a run that was seen before is not followed further.
void sweep_into(campaign&, const sweep_options&, bool prunes = true);
void draw_into(campaign&, const random_options&);

} // namespace mishap::detail
