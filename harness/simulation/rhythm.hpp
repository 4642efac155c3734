// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/contract.hpp>
#include <mishap/trace.hpp>

#include <cstdint>
#include <vector>

namespace mishap::detail {

/// Finds out that only periodic work is left: the same operations with the same results at a constant
/// distance, and nothing else that happens.
///
/// A manager with a heartbeat never runs out of work, so a client that waits for ever would not be found
/// stuck before the horizon. Once everything that happened repeated itself long enough, the run is taken to
/// be at rest. A timer of the manager's own that is farther off than that is not waited for.
class rhythm
{
public:
    /// A run begins.
    void begin(const contract&) noexcept;
    /// Something came from outside, such as the cancellation of a stuck client: all repetition starts anew.
    void restart(duration now) noexcept;

    /// Nothing is ready, and time is about to pass. Reads what happened since the last call; returns whether
    /// the run is at rest. `last_due` is when the last of the operations and clients that are due comes, or
    /// `duration(0)` where none is.
    ///
    /// Complexity: what happened since the last call times the number of ticks, which is at most 256.
    bool is_at_rest(const trace&, duration now, duration last_due);

    /// What still goes on; nothing unless the last call of `is_at_rest` found rest.
    void list(std::vector<tick_record>& into, const trace&) const;

private:
    /// Something that may happen again and again.
    struct tick
    {
        event_kind kind;
        lane who;
        symbol of_kind; ///< of an operation: the kind of its resource, and its name
        symbol name;
        mishap::result result;
        bool of_client;    ///< an operation of a client's own, and no check
        std::uint32_t nth; ///< of those that are equal at one instant
        duration last;
        duration every{0}; ///< the distance of the last two; zero after the first
        std::uint32_t times = 1;
        index latest = none; ///< the event
    };

    bool find_rest(const trace&, duration now, duration last_due);
    void read(const trace&, duration now);
    void count(const event&, const trace&, index at);

    std::vector<tick> ticks_;
    std::size_t read_to_ = 0;
    std::uint64_t calls_ = 0;
    std::uint64_t steps_ = 0;
    std::uint64_t silent_ = 0; ///< instants since `steady_since_` at which handlers ran and recorded nothing
    duration last_silent_{0};
    duration silent_every_{0};
    duration steady_since_{0};    ///< since then everything came at its constant distance
    duration repeating_since_{0}; ///< since then nothing happened for the first time
    duration longest_deadline_{0};
    bool at_rest_ = false;
};

} // namespace mishap::detail
