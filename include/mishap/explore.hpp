// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/duration.hpp>
#include <mishap/fault.hpp>
#include <mishap/run.hpp>

#include <array>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mishap {

/// A plan that breaks an invariant, made as small as it goes.
struct counterexample
{
    std::string invariant;
    /// The run of the minimal plan.
    run_result minimal;
    /// The plan that was found first.
    fault_plan found;
    /// The terms of the contract that a scenario replaced, as YAML; empty where the manager's own apply. A
    /// token does not carry them, a saved scenario does.
    std::string contract_terms = {};
    /// The network of its scenario, as YAML; empty where it described none. A saved scenario carries it, too.
    std::string network = {};
    /// The manager that the run was compared with, where it was (`equivalent`).
    std::string equivalent_to = {};
    /// What a scenario narrowed the verdict to; empty where all invariants apply.
    std::vector<std::string> invariants = {};
    /// Runs spent on making it smaller.
    std::uint64_t shrink_runs = 0;
    /// The minimal plan, run again, gave another trace.
    bool nondeterministic = false;
    /// Which of the minimal run's violations this is about.
    std::size_t which = 0;
    /// The timeline, where the run was in another process: its trace stayed there. A process that died leaves
    /// its last words.
    std::string events = {};
    /// Then also: in words, which nearby plans hold.
    std::string holds = {};
    /// The run of the nearest plan under which what broke holds: the minimal one without one of its
    /// perturbations. Unset where there is none.
    std::optional<run_result> neighbour = {};
    /// Perturbations each of which breaks the same in place of the minimal plan's at the same operation: what
    /// exactly goes wrong there does not matter.
    std::vector<perturbation> alike = {};

    /// What was broken; null where the violation was not seen again.
    const violation* broken() const noexcept
    {
        const auto& all = minimal.verdict.violations;
        return which < all.size() && all[which].invariant == invariant ? &all[which] : nullptr;
    }
};

/// How often faults of one kind at one operation were planned, and fired.
struct coverage_cell
{
    std::uint64_t planned = 0;
    std::uint64_t fired = 0;
    std::uint64_t seen = 0; ///< the client ended with this very error
};

/// By operation name (`session.query`), then by fault kind.
using coverage = std::map<std::string, std::array<coverage_cell, fault_kinds>>;

/// What a sweep chooses from.
struct sweep_options
{
    /// The maximum number of perturbations in one run.
    unsigned perturbations = 2;
    /// What an operation may do instead of succeeding. Empty means the default kinds: `fail io_error`,
    /// `fail foreign`, `fail after effect` (closes and commits), `hang`, `delay`, `late` and `cancel`.
    /// Begins, acquires and commits are also struck by `cancel after effect` and `hang after effect`; uses
    /// and pings of managers with a capacity by `fail connection_reset`.
    ///
    /// A `delay` of zero stands for each deadline T that passes while the operation is under way, and for 1
    /// us before the nearest: its own, its client's, and those of clients that wait. A `late` of zero stands
    /// for the nearest T and 1 us after it. Where there is no deadline, a use is delayed by a minute, for
    /// what goes on in the background. `cancel` also cancels every client after every step.
    std::vector<fault> kinds = {};
    /// The maximum number struck of operations that differ only in their number, such as a ping every ten
    /// seconds while a body hangs. Clients are interrupted only until then. The result says "incomplete" if
    /// there are more.
    std::uint32_t occurrences_max = 16;
    /// Stops here; the result then says "incomplete".
    std::uint64_t runs_max = 1'000'000;
    /// Stops after so much real time, which makes the result "incomplete", too; zero for no limit.
    duration time_max{0};
    std::map<std::string, std::string, std::less<>> settings = {};
    /// As in `fault_plan`.
    std::set<std::string, std::less<>> invalid_settings = {};
    /// Also abandons every client, and the world, after every step; by default where the contract is
    /// `abandonable`.
    bool abandon = false;
    /// Also lets every other client take a step before each operation completes; likewise.
    bool deviate = false;
    /// Besides, every schedule with at most so many preemptions: an operation of one lane is held back until
    /// another one has taken any number of its steps, or until nothing else is ready.
    unsigned preemptions = 0;
    /// Also runs what a run that was seen before makes superfluous, and reports what that hid.
    bool check_pruning = false;
    /// What the campaign must have reached, else it fails: `session.close: hang`, `session.query: fail`, the
    /// text of a `MISHAP_REACHED`, or `*` for every one of those that the program has.
    std::vector<std::string> require = {};
    /// As in `fault_plan`.
    duration step_cost{0};
    std::uint32_t clients = 0;
    std::map<lane, duration> arrivals = {};
    /// For the replay line; the manager's own name when left out.
    std::string name = {};
    std::optional<mishap::contract> contract = {};
    mishap::limits limits = {};
    /// Only these invariants are judged, and those that always are; empty means all.
    std::vector<std::string> invariants = {};
};

/// What a random campaign draws.
struct random_options
{
    /// How many plans; 1,000 when left out, or as many as `time_max` allows.
    std::optional<std::uint64_t> cases = {};
    /// Draws no more after so much real time; zero for no limit.
    duration time_max{0};
    /// The seed; left out, it comes from `MISHAP_SEED`, `RC_PARAMS`, or is 1.
    std::optional<std::uint64_t> seed = {};
    std::vector<fault_kind> kinds = {};
    std::map<std::string, std::string, std::less<>> settings = {};
    /// As in `fault_plan`.
    std::set<std::string, std::less<>> invalid_settings = {};
    /// Also draws clients, and at times the world, to be abandoned; by default where the contract is
    /// `abandonable`.
    bool abandon = false;
    /// Also draws departures from first come, first served; likewise.
    bool deviate = false;
    /// How each run is scheduled: `{.kind = schedule_kind::pct, .depth = 3}`. The seed and the number of
    /// operations are the campaign's.
    drawn_schedule schedule = {};
    /// As in `sweep_options`.
    std::vector<std::string> require = {};
    /// As in `fault_plan`; arrivals that are not given are drawn.
    duration step_cost{0};
    std::uint32_t clients = 0;
    std::map<lane, duration> arrivals = {};
    std::string name = {};
    std::optional<mishap::contract> contract = {};
    mishap::limits limits = {};
    /// Only these invariants are judged, and those that always are; empty means all.
    std::vector<std::string> invariants = {};
};

/// In how many runs something happened that was asked for, or that the code under test tells of.
struct times_reached
{
    std::string what;
    std::uint64_t runs = 0;
};

/// What many runs showed.
struct campaign_result
{
    std::string manager;
    /// "complete: every plan of at most 2 perturbations", or why it is not. `mishap list coverage` says which
    /// perturbations a sweep tries.
    std::string covered;
    /// What was not tried although it finds bugs, and how to try it; empty where it was.
    std::string untried = {};
    bool complete = false;
    std::uint64_t runs = 0;
    std::uint64_t fired = 0;
    std::uint64_t violating_runs = 0;
    /// Which run was the first with a violation, counted from 1; 0 where none was.
    std::uint64_t first_violation = 0;
    /// Runs that were left out, since they would have repeated others.
    std::uint64_t pruned = 0;
    /// Each place of the program that some run reached, and each that was required.
    std::vector<times_reached> reached = {};
    /// What was required.
    std::vector<times_reached> required = {};
    std::optional<std::uint64_t> seed;
    mishap::coverage coverage;
    /// One for each different bug, the plainest first: different by invariant, role, kind of resource and the
    /// operation at which the last thing went wrong.
    std::vector<counterexample> counterexamples;
    /// Different bugs beyond the first ten, which are not told.
    std::uint64_t untold = 0;
    /// Why the campaign cannot count, though nothing broke (no fault ever fired).
    std::string invalid;
    /// `MISHAP_REPLAY` asked for one run instead of the campaign.
    bool replayed = false;
    /// A signal ended it before its time.
    bool stopped = false;
    /// Real time that it took; zero where nobody measured it.
    duration took{0};

    /// Whether everything was reached that was required.
    bool meets_obligations() const noexcept;
    bool holds() const noexcept { return counterexamples.empty() && invalid.empty() && meets_obligations(); }
    bool violates(std::string_view invariant) const noexcept;
};

/// Writes what `report` says, so that test frameworks show it.
std::ostream& operator<<(std::ostream&, const campaign_result&);

inline bool operator==(const campaign_result& result, holds_t) noexcept { return result.holds(); }

/// Runs every plan of at most `perturbations` faults. From the empty plan on, each run adds one more fault at
/// a later operation of that run's own trace. Each set is reached once, and operations that only exist on
/// error paths are reached, too.
///
/// Errors: as `run`; throws `std::logic_error` when the manager is found not to be deterministic.
/// Complexity: one run per plan; the number of plans is bounded by (operations x kinds) ^ perturbations.
campaign_result sweep(const manager&, const sweep_options& = {});

/// Runs plans that RapidCheck draws: how likely faults are, which kinds, and a seed from which each
/// operation's fate follows when it happens.
///
/// A failure is shrunk to a minimal plan of the same violation. `RC_PARAMS` is honoured (`seed`,
/// `max_success`). Errors: as `run`. Source: swarm testing, A. Groce et al., ISSTA 2012.
campaign_result random_campaign(const manager&, const random_options& = {});

} // namespace mishap
