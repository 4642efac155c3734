// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/trace.hpp>

#include <boost/asio/detail/call_stack.hpp>
#include <boost/asio/detail/strand_executor_service.hpp>

namespace mishap::detail {

/// What set a handler off, as an event records it.
struct root
{
    origin why = origin::environment;
    index event = none;

    friend bool operator==(const root&, const root&) noexcept = default;
};

/// Knows the root of whatever runs now.
///
/// The io_context's own queue holds what handlers left in it, such as the end of a wait that one of them
/// cancelled, and does not say which. But it is served in rounds: each begins with a turn of the reactor and
/// runs what was put into it during the round before. Where a single root ran during that round, what is in
/// the queue inherits it; otherwise its root is unknown.
///
/// A strand runs handlers of several roots in one go, so inside one the root is unknown until an operation is
/// delivered.
class origins
{
public:
    /// A run begins. Preconditions: called in the frame, or in an outer one, in which the run's handlers run.
    void begin() noexcept
    {
        under_ = strand();
        running_ = {};
        round_ = posted_ = unknown;
        posted_any_ = false;
    }

    root now() noexcept
    {
        if (strand() == under_) [[likely]]
            return running_;
        posted_ = unknown;
        posted_any_ = true;
        return unknown;
    }

    /// From here on, whatever runs has that root.
    void become(root what) noexcept
    {
        running_ = what;
        under_ = strand();
        note_poster(what);
    }

    /// What `enter` found, for `go_back`.
    struct place
    {
        root running;
        const void* under;
    };
    place enter(root what, bool runs_handlers) noexcept
    {
        const place before{running_, under_};
        running_ = what;
        under_ = strand();
        if (runs_handlers)
            note_poster(what);
        return before;
    }
    void go_back(place before) noexcept
    {
        running_ = before.running;
        under_ = before.under;
    }

    /// Nothing runs but the simulation itself.
    void leave() noexcept { running_ = {}; }

    /// The reactor takes its turn; `timers_are_due` says that what it brings are timers that expired.
    void begin_round(bool timers_are_due) noexcept
    {
        round_ = timers_are_due ? root{origin::timer} : posted_any_ ? posted_ : unknown;
        posted_any_ = false;
        running_ = round_;
    }

    /// The io_context is about to run something of its own queue.
    void enter_queue() noexcept { running_ = round_; }
    /// It did, and that was not the simulation's own.
    void ran_from_queue() noexcept { note_poster(round_); }

private:
    static constexpr root unknown{origin::unknown, none};

    using strands =
        boost::asio::detail::call_stack<boost::asio::detail::strand_executor_service::strand_impl>;
    static const void* strand() noexcept { return strands::top(); }

    void note_poster(root what) noexcept
    {
        posted_ = !posted_any_ || posted_ == what ? what : unknown;
        posted_any_ = true;
    }

    root running_;
    const void* under_ = nullptr; ///< the innermost strand for which `running_` holds
    root round_ = unknown;        ///< of what the io_context's queue brings in this round
    root posted_ = unknown;       ///< of what may have put something into it during this round
    bool posted_any_ = false;
};

/// While it lives, what runs has that root; with `runs_handlers` false, what is queued.
class acting_as
{
public:
    acting_as(origins& where, root what, bool runs_handlers = true) noexcept
        : where_(where), before_(where.enter(what, runs_handlers))
    {}
    ~acting_as() { where_.go_back(before_); }
    acting_as(const acting_as&) = delete;
    acting_as& operator=(const acting_as&) = delete;

private:
    origins& where_;
    origins::place before_;
};

} // namespace mishap::detail
