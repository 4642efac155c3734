// SPDX-License-Identifier: MIT
#pragma once

#include "recorder.hpp"
#include "scheduler.hpp"

#include <mishap/plan.hpp>
#include <mishap/trace.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace mishap::detail {

/// What the plan lets come from outside, and when: cancellations, abandonment, and deviations of the
/// schedule. It is told what happens, and says what is due; the loop acts.
class interruptions
{
public:
    explicit interruptions(recorder& record) noexcept : record_(record) {}

    /// A run begins.
    void begin(const fault_plan&, const contract&);

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

    // Deviations, those of the plan and those that are drawn.
    /// Whether the completion of this operation is held back.
    bool hold(index operation);
    bool holds_any() const noexcept { return !held_.empty(); }
    /// A lane took a step.
    void note_step(lane stepped);
    /// The next operation that goes on after that step.
    std::optional<index> take_released();
    /// Nothing else is ready: the operation that goes on now. Preconditions: one is held back.
    index take_first();
    /// It ended otherwise.
    void forget_held(index operation);

    /// Handlers that are ready need not keep their order.
    bool permutes_handlers() const noexcept { return scheduler_.permutes_handlers(); }
    /// Which of the handlers that are ready runs next.
    template <class LaneOf>
    std::size_t choose(std::size_t ready, LaneOf lane_of)
    {
        return scheduler_.choose(ready, lane_of);
    }

private:
    /// An interruption that waits for its moment.
    struct waiting
    {
        std::size_t plan_index;
        perturbation what;
        bool armed;
        std::uint64_t due; ///< the step after which it strikes
    };

    /// An operation that is held back.
    struct held
    {
        std::size_t plan_index; ///< `none` where it was drawn
        index operation;
        std::optional<deviation> until; ///< nothing: until nothing else is ready
        std::uint64_t order;            ///< of those that go on together, the least is the first
        std::uint64_t since;            ///< the step in which it was started
        std::uint64_t hash;             ///< of the trace then
        bool due = false;
        std::vector<std::pair<lane, std::uint32_t>> stepped = {}; ///< by clients and the background since
    };

    void arm(moment when, const operation_id& at);
    perturbation anchor_now(const interruption& struck) const;
    deviation as_it_came(const held&) const;
    void note_fired(const held&);

    recorder& record_;
    const fault_plan* plan_ = nullptr;
    std::vector<waiting> strikes_;
    perturbation last_before_;            ///< the last one that came before an operation
    std::vector<index> owed_;             ///< the last one first
    std::vector<std::size_t> deviations_; ///< of the plan, by index
    scheduler scheduler_{record_};
    std::vector<held> held_; ///< in their order
};

} // namespace mishap::detail
