// SPDX-License-Identifier: MIT
#pragma once

#include "seam.hpp"

#include <mishap/trace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace mishap::detail {

/// What is due when: ends of operations and arrivals of clients; and how far time has come and may go.
class agenda
{
public:
    /// Something that is due at a time: the end of an operation, or, where that is `none`, a client.
    struct entry
    {
        duration at;
        std::uint64_t order;
        index operation;
        std::size_t client;
    };

    explicit agenda(seam& clock) noexcept : clock_(clock) {}

    /// A run begins, at virtual time 0 and with the first random number.
    void begin(duration horizon) noexcept;

    void add_end(duration at, index operation) { add({at, 0, operation, 0}); }
    void add_arrival(duration at, std::size_t client) { add({at, 0, none, client}); }
    /// Preconditions: the operation has an entry.
    void remove_end(index operation) noexcept;
    bool empty() const noexcept { return entries_.empty(); }
    /// When the last of what is due within the horizon comes, or 0.
    duration last_due() const noexcept;

    /// Something happens now.
    void note_activity() noexcept { last_active_ = clock_.now; }

    /// What time went on to.
    enum class next
    {
        nothing, ///< nothing is due until the limit
        timer,   ///< a timer of Asio's, which its reactor will report
        entries, ///< see `take_due`
        others,  ///< what the network or another thread does by itself
    };
    /// Lets time pass until something is due, but not beyond the limit. `timers_count` says that Asio has
    /// something pending: if not, an armed timerfd means nothing, since a cancelled timer leaves it armed.
    /// `others` is when something else is due, or `duration::max()`; it comes before a timer of that instant.
    next step(duration limit, bool timers_count, duration others) noexcept;
    /// The next of those that are due now, or nothing.
    std::optional<entry> take_due() noexcept;
    /// The reactor reports its timer now, too, if that is due at this very instant.
    void ring_too() noexcept;

    /// Lets time pass until then, though nothing is due.
    void pass(duration until) noexcept { clock_.now = std::max(clock_.now, until); }

    duration horizon() const noexcept { return horizon_; }
    /// Gives those who were stuck at the horizon time to clean up.
    void extend_horizon() noexcept;
    /// Time may go that far; returns how far it might before.
    duration narrow_horizon(duration until) noexcept;
    void restore_horizon(duration to) noexcept { horizon_ = to; }

private:
    void add(entry what);
    static bool later(const entry& a, const entry& b) noexcept
    {
        return a.at != b.at ? a.at > b.at : a.order > b.order;
    }
    void ring() noexcept;

    seam& clock_;
    std::vector<entry> entries_; ///< a heap, earliest first
    std::uint64_t order_ = 0;
    duration horizon_{0};     ///< how far time may go in this stage
    duration last_active_{0}; ///< when something last happened
    bool timer_is_due_too_ = false;
};

} // namespace mishap::detail
