// SPDX-License-Identifier: MIT
#pragma once

#include "recorder.hpp"

#include <mishap/plan.hpp>
#include <mishap/trace.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace mishap::detail {

/// What the plan lets come from outside, and when: cancellations, abandonment, and deviations of the
/// schedule. It is told what happens, and says what is due; the loop acts.
class interruptions
{
public:
    explicit interruptions(recorder& record) noexcept : record_(record) {}

    /// A run begins.
    void begin(const fault_plan&);

    // Cancellations and abandonment.
    bool any_left() const noexcept { return !strikes_.empty() || !owed_.empty(); }
    /// An operation reached that moment.
    void note(moment when, const operation_id& at)
    {
        if (!strikes_.empty())
            arm(when, at);
    }

    /// One that strikes now.
    struct strike
    {
        std::size_t plan_index; ///< `none` for one that is said again
        interruption point;
        perturbation what; ///< in the plan's words
    };
    /// The next that is due. `from` is where to go on, 0 at first: what is struck may arm others, and those
    /// that were passed by then come the next time.
    std::optional<strike> take_due(std::size_t& from);

    bool may_come_before() const noexcept { return !strikes_.empty(); }
    /// The cancellation that comes right before this operation, if the plan has one.
    std::optional<strike> take_before(const operation_id& id);
    /// The client did not hear of the one that came last before an operation: a composition that is only
    /// being started has not connected its parts yet. From outside nothing could come there, so it is said
    /// again between two steps.
    void say_again(lane to);

    /// An operation with the fault `cancel`: its client is cancelled next.
    void owe(index operation) { owed_.push_back(operation); }
    std::optional<index> take_owed() noexcept;
    void forget_owed(index operation) noexcept { std::erase(owed_, operation); }

    // Deviations.
    /// Whether a deviation holds the completion of this operation back.
    bool hold(index operation);
    bool holds_any() const noexcept { return !held_.empty(); }
    /// A lane took a step. The next operation that goes on now; `from` is where to go on, 0 at first.
    std::optional<index> take_released(lane stepped, std::size_t& from);
    /// Nothing else is ready: those that are held back go on, in this order, each with `let_go`.
    struct held
    {
        std::size_t plan_index;
        index operation;
        lane first;
        std::uint32_t steps_left;
        std::uint64_t since; ///< the step in which it was started
        std::uint64_t hash;  ///< of the trace then
    };
    std::vector<held> take_held() noexcept;
    void let_go(const held&);
    /// It ended otherwise.
    void forget_held(index operation);

private:
    /// An interruption that waits for its moment.
    struct waiting
    {
        std::size_t plan_index;
        perturbation what;
        bool armed;
        std::uint64_t due; ///< the step after which it strikes
    };

    void arm(moment when, const operation_id& at);
    perturbation anchor_now(const interruption& struck) const;
    void note_fired(const held&);

    recorder& record_;
    const fault_plan* plan_ = nullptr;
    std::vector<waiting> strikes_;
    perturbation last_before_;            ///< the last one that came before an operation
    std::vector<index> owed_;             ///< the last one first
    std::vector<std::size_t> deviations_; ///< of the plan, by index
    std::vector<held> held_;
};

} // namespace mishap::detail
