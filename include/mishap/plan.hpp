// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/duration.hpp>
#include <mishap/fault.hpp>
#include <mishap/operation.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mishap {

/// When an interruption strikes, relative to an operation.
enum class moment : std::uint8_t
{
    before, ///< as the operation is about to start
    queued, ///< the operation has completed, and its handler has not run
    after,  ///< its handler has run
    steps,  ///< after a number of steps of the run, whatever they are
};

std::string_view to_string(moment) noexcept;

/// In place of a client: all of them, the adapter and the background; the whole world ends.
inline constexpr lane whole_world = -4;

/// A client is cancelled or abandoned from outside, at a moment. The cancellation of a client while an
/// operation of its own is pending is the fault `cancel` instead.
///
/// An abandoned client gets no chance to act. What is suspended or queued in its lane is destroyed, as when
/// the execution context that it runs on is shut down: only its destructors run. The manager and the
/// other clients live on, and so does what the destructors start. When the world is abandoned, nothing runs
/// any more: handlers are dropped where they are queued, and the `io_context` is destroyed.
struct interruption
{
    enum class action : std::uint8_t
    {
        cancel,
        abandon
    };

    action what = action::cancel;
    /// Whom it strikes; for `abandon`, `whole_world` too.
    lane client = 0;
    moment when = moment::queued;
    /// The number of steps after the moment; for `moment::steps`, the number of the step.
    std::uint32_t steps = 0;
    /// For `cancel`: how.
    cancellation type = cancellation::terminal;

    friend bool operator==(const interruption&, const interruption&) noexcept = default;
};

/// A departure from first come, first served: the completion of an operation is held back until a lane has
/// taken a number of further steps, or until nothing else is ready. It has not fired where nothing ran
/// meanwhile.
/// Of several that end together, the one that the plan names first goes first; when nothing else is ready,
/// only that one does.
struct deviation
{
    /// Who runs first.
    lane first = 0;
    std::uint32_t steps = 1;

    friend bool operator==(const deviation&, const deviation&) noexcept = default;
};

/// Which operations a fault strikes besides the one at which it is: `session.query#2..5`,
/// `*/session.close#*`.
struct repetition
{
    /// The last occurrence; the greatest number means all that come.
    std::uint32_t last = std::numeric_limits<std::uint32_t>::max();
    bool every_lane = false;

    friend bool operator==(const repetition&, const repetition&) noexcept = default;
};

/// An operation, or a pattern of operations, as faults are written at one.
struct operation_pattern
{
    operation_id first;
    std::optional<repetition> repeats = {};
};

/// Reads `session.query#2`, `session.query#*`, `session.query#2..`, `session.query#2..5`, each with a lane or
/// with `*/` for every lane.
///
/// Errors: throws `input_error` with the offset of what is wrong.
operation_pattern parse_pattern(std::string_view text);

/// A fault at an operation.
struct operation_fault
{
    mishap::fault fault;
    /// Set where the fault strikes more than one operation; `perturbation::at` is then the first of them.
    std::optional<repetition> repeats = {};

    friend bool operator==(const operation_fault&, const operation_fault&) noexcept = default;
};

/// The body fails at once at an operation of its own: `body=fail(io_error after session.query#2)`.
struct body_failure
{
    symbol error;
    /// False: it fails right after the operation delivered, although the operation itself succeeded. True:
    /// it fails instead of starting the operation.
    bool before = false;

    friend bool operator==(const body_failure&, const body_failure&) noexcept = default;
};

/// One thing chosen against a manager.
struct perturbation
{
    /// Where the fault strikes, what the moment of the interruption is relative to, or what is held back.
    operation_id at;
    std::variant<operation_fault, body_failure, interruption, deviation> what;

    /// Null where it is something else.
    const body_failure* fails_body() const noexcept { return std::get_if<body_failure>(&what); }
    const interruption* interrupts() const noexcept { return std::get_if<interruption>(&what); }
    const deviation* yields() const noexcept { return std::get_if<deviation>(&what); }
    /// Which operations the fault strikes besides `at`; null where it strikes that one only.
    const repetition* repeats() const noexcept;

    /// Whether it strikes an operation: as a fault there, or as a failure of the body there.
    bool is_fault() const noexcept { return !interrupts() && !yields(); }
    /// What it does to the operation or to the body; `ok` where it is no fault.
    mishap::fault fault() const noexcept;
    /// Whether it is a fault that strikes this operation.
    bool strikes(const operation_id&) const noexcept;

    friend bool operator==(const perturbation&, const perturbation&) noexcept = default;
};

/// Faults that are drawn when an operation asks for one, not before: a function from identities to faults.
///
/// A draw depends on the seed and on the operation's identity only, so it is the same in every schedule, and
/// draws for operations that never happen do not exist.
struct lazy_faults
{
    std::uint64_t seed = 0;
    /// How many of a thousand operations draw something other than `ok`.
    std::uint32_t per_mille = 0;
    /// Relative weight of each fault kind, by index of `fault_kind`; `ok` is ignored.
    std::array<std::uint8_t, fault_kinds> weights{};
    /// The maximum number that fires in one run.
    std::uint32_t at_most = 0;

    friend bool operator==(const lazy_faults&, const lazy_faults&) noexcept = default;
};

/// How completions of operations are ordered.
enum class schedule_kind : std::uint8_t
{
    fifo,   ///< first come, first served
    random, ///< one operation in two is held back, until another lane has taken some steps
    pct,    ///< lanes have priorities, which change at so many operations less one
};

/// A schedule that is drawn while the run goes on. What it comes to are deviations, which is how a canonical
/// plan has it.
struct drawn_schedule
{
    schedule_kind kind = schedule_kind::fifo;
    std::uint64_t seed = 0;
    /// For `pct`: how many orderings the bugs depend on that it is to find.
    std::uint32_t depth = 0;
    /// For `pct`: among so many operations its priorities change.
    std::uint32_t operations = 0;

    friend bool operator==(const drawn_schedule&, const drawn_schedule&) noexcept = default;
};

/// How it is written: `fifo`, `random`, `pct 3`.
std::string to_string(const drawn_schedule&);

/// All that is chosen about one run, as one plain value.
struct fault_plan
{
    std::vector<perturbation> perturbations;
    std::optional<lazy_faults> lazy;
    /// What else departs from first come, first served, besides the plan's own deviations.
    std::optional<drawn_schedule> schedule;
    /// How many clients; 0 leaves it to the contract.
    std::uint32_t clients = 0;
    /// Each client starts when the one before it has ended, instead of all at once.
    bool sequential = false;
    /// The last client starts when another one has ended: a newcomer, at the moment at which something is
    /// given back.
    bool relay = false;
    /// When single clients arrive, from the moment at which the clients start; the others come at once. Means
    /// nothing for clients that come one after the other, nor for those that there are not.
    std::map<lane, duration> arrivals;
    /// Virtual time that each step takes. With the default, time stands still while handlers run; more than
    /// that reaches paths on which a deadline has passed before a timer for it is made.
    duration step_cost{0};
    /// Settings that the adapter reads with `environment::setting`.
    std::map<std::string, std::string, std::less<>> settings;
    /// Which of the settings have a value that the manager must refuse before it creates anything.
    std::set<std::string, std::less<>> invalid_settings;

    /// What an operation of that identity does by this plan's own list, or null.
    const perturbation* find(const operation_id&) const noexcept;

    /// Adds a fault at the operation written as in scenario files: `plan.at("session.query#2",
    /// fault::hang())`.
    fault_plan& at(std::string_view operation, fault);

    friend bool operator==(const fault_plan&, const fault_plan&) = default;
};

/// The plan on one line, which `parse_plan` reads back to an equal plan:
/// `session.query#2=fail(io_error) session.close=hang with(timeout=5s)`. An empty plan is an empty line.
/// Interruptions and deviations read `cancel(c1 queued c0/session.use#1 +2)`, `abandon(world after
/// session.create#1)` and `run(c1 before c0/session.close#1)`; settings that must be refused
/// `with(fetch_size=-1) invalid(fetch_size)`.
std::string to_string(const fault_plan&);

/// Reads a plan's line.
///
/// Errors: throws `input_error` with the offset of the offending word.
fault_plan parse_plan(std::string_view line);

/// A plan bound to the manager it belongs to, as a line that repeats a run.
struct replay_token
{
    std::string manager;
    fault_plan plan;
};

/// `1 session session.query=fail(io_error) ~7f3a`: format version, manager, plan, checksum.
///
/// The checksum is a CRC-16, so a single changed, lost or doubled character never goes unnoticed.
std::string to_string(const replay_token&);

/// Errors: throws `input_error` for a wrong version, a wrong checksum, and anything `parse_plan` refuses.
replay_token parse_token(std::string_view token);

} // namespace mishap
