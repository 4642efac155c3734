// SPDX-License-Identifier: MIT
#pragma once

#include "origins.hpp"
#include "seam.hpp"

#include "vocabulary/mix.hpp"

#include <mishap/plan.hpp>
#include <mishap/trace.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string_view>
#include <vector>

namespace mishap::detail {

/// Writes the trace of the run under way: its events and their hash, and what the manager's counters show.
class recorder
{
public:
    explicit recorder(seam& clock) noexcept : running(clock.running), clock_(clock) {}

    /// A run begins, whose trace goes there.
    void begin(trace& into, std::size_t perturbations);
    /// It is over: nothing is recorded any more.
    void end() noexcept
    {
        trace_ = nullptr;
        clock_.steps = nullptr;
    }
    /// The counters of the run live no longer.
    void forget_counters() noexcept { counters_.clear(); }

    /// Whether a run is under way.
    bool is_on() const noexcept { return trace_ != nullptr; }
    /// The trace of the run under way, or null.
    trace* get() const noexcept { return trace_; }
    /// Preconditions: a run is under way.
    trace& operator*() const noexcept { return *trace_; }
    trace* operator->() const noexcept { return trace_; }

    duration now() const noexcept { return clock_.now; }
    index add(event_kind kind, lane who, index subject)
    {
        const root because = causes.now();
        trace_->events.push_back({.at = clock_.now,
            .kind = kind,
            .why = because.why,
            .lane = who,
            .subject = subject,
            .step = static_cast<std::uint32_t>(trace_->steps),
            .cause = because.event});
        trace_->hash = mix(trace_->hash ^ static_cast<std::uint64_t>(clock_.now.count()),
            (std::uint64_t(subject) << 24) ^ (std::uint64_t(static_cast<std::uint16_t>(who)) << 8) ^
                static_cast<std::uint64_t>(kind));
        return static_cast<index>(trace_->events.size() - 1);
    }
    index add(stage reached) { return add(event_kind::stage, 0, static_cast<index>(reached)); }
    void add_to_hash(std::uint64_t value) noexcept { trace_->hash = mix(trace_->hash, value); }

    // Of whoever runs. Nothing is recorded where no run is under way.
    void add_escape() noexcept;
    void add_terminate(const std::exception_ptr& under_way);
    void add_report(std::exception_ptr error) noexcept;
    void add_expectation(expectation_record failed);
    void add_note(std::string_view text);
    /// The code under test came to a place that it tells of. Complexity: linear in the places of a run.
    void add_reached(const char* what) noexcept;
    void add_outside(event_kind kind, const char* call) noexcept;

    // How time passes.
    /// Asio waits for a timer until then.
    void note_armed(duration until) noexcept
    {
        if (until > clock_.now)
            trace_->longest_wait = std::max(trace_->longest_wait, until - clock_.now);
    }
    /// The clock was advanced to now.
    void note_instant();

    // What of the plan came up.
    void mark_fired(std::size_t which) noexcept { fired_[which] = true; }
    bool has_fired(std::size_t which) const noexcept { return fired_[which]; }
    void unmark_fired(std::size_t which) noexcept { fired_[which] = false; }
    /// An interruption or a deviation came up, in these words, at that event.
    void add_strike(std::size_t which, const perturbation& what, index at);
    /// What never came up, by index.
    void list_inert(std::vector<std::size_t>& into) const;

    // The manager's counters.
    std::uint64_t watch(statistic_record named, std::function<long()> value);
    /// The counter goes away; it is read a last time, unless its client was abandoned or `unread`.
    void unwatch(std::uint64_t id, bool unread) noexcept;
    void read_counters() noexcept;

    /// Whose handler runs.
    lane& running;
    origins causes;

private:
    /// A counter that is compared with the ledger.
    struct counter
    {
        std::uint64_t id;
        index record;
        lane giver;
        std::function<long()> value;
    };
    void read(const counter&, bool last) noexcept;

    seam& clock_;
    trace* trace_ = nullptr;
    std::vector<bool> fired_;
    std::vector<counter> counters_;
    std::uint64_t next_counter_ = 0;
};

} // namespace mishap::detail
