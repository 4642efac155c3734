// SPDX-License-Identifier: MIT
#pragma once

#include "recorder.hpp"

#include "vocabulary/mix.hpp"

#include <mishap/contract.hpp>
#include <mishap/plan.hpp>
#include <mishap/trace.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace mishap::detail {

/// In a deviation, in place of a number of steps: the operation waits until nothing else is ready.
inline constexpr std::uint32_t until_nothing_is_ready = std::numeric_limits<std::uint32_t>::max();

/// Draws a schedule while the run goes on: which operations are held back, and which of what is ready goes
/// first. It keeps to what the contract's executor model permits: where handlers keep their order, only
/// completions change theirs.
///
/// Source: probabilistic concurrency testing, S. Burckhardt et al., "A Randomized Scheduler with
/// Probabilistic Guarantees of Finding Bugs", ASPLOS 2010.
class scheduler
{
public:
    explicit scheduler(recorder& record) noexcept : record_(record) {}

    /// A run begins.
    void begin(const fault_plan&, const contract&);

    bool is_on() const noexcept { return drawn_ != nullptr; }
    /// Handlers that are ready may run in any order.
    bool permutes_handlers() const noexcept { return is_on() && any_handler_; }

    /// How an operation that could complete is held back.
    struct held_back
    {
        /// Until that lane has taken this number of steps; none: until nothing else is ready.
        std::optional<deviation> until;
        /// When nothing else is ready, the least goes on first.
        std::uint64_t order = 0;
    };
    /// Nothing where it goes on at once. Complexity: linear in the clients.
    std::optional<held_back> hold(const operation_record&);

    /// How the random schedule holds that operation back. Preconditions: it does.
    deviation drawn_for(const operation_id&) const;

    /// Which of the handlers that are ready runs next; `lane_of` says of which lane each is.
    template <class LaneOf>
    std::size_t choose(std::size_t ready, LaneOf lane_of)
    {
        if (drawn_->kind == schedule_kind::random)
            return static_cast<std::size_t>(mix(drawn_->seed, ++choices_) % ready);
        std::size_t best = 0;
        for (std::size_t i = 1; i < ready; ++i)
            if (priority_of(lane_of(i)) > priority_of(lane_of(best)))
                best = i;
        return best;
    }

private:
    struct ranked
    {
        lane in;
        std::uint64_t priority;
    };

    std::uint64_t priority_of(lane in);
    ranked& rank_of(lane in);
    bool goes_first(lane in);

    recorder& record_;
    const drawn_schedule* drawn_ = nullptr;
    bool any_handler_ = false;
    std::uint32_t clients_ = 1;
    std::uint64_t choices_ = 0;
    // For `pct`.
    std::uint32_t operations_ = 0;             ///< that could complete so far
    std::vector<std::uint32_t> change_points_; ///< after which a priority falls, in order
    std::vector<ranked> ranks_;
};

} // namespace mishap::detail
