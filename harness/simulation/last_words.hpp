// SPDX-License-Identifier: MIT
#pragma once
/// What a program says that dies in the middle of its work: which run it was, and what was found by then.

#include "handler_limits.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace mishap::detail {

/// How a program that dies in a run is told of.
struct death_notes
{
    /// The name of the manager whose run it is; empty where none is under way. Takes no memory.
    const char* (*manager)();
    /// The line that repeats the run, or an empty one.
    const char* (*describe)();
    /// A number that is another one after each handler; 0 where this thread has no run.
    std::uint64_t (*progress)();
};

/// From now on a program that dies in a run first says which run that was. It may die by std::terminate
/// outside of any refuge, by a signal, by a sanitizer's report, by `exit`, `quick_exit` or `_exit`. One that
/// exits in a run never exits with 0.
///
/// A handler that uses more processor time or memory than `handler_limits` says is named, too, and ends the
/// program; not so under a debugger. So is one that blocks the thread for six times that time, once
/// `watch_waits` was called.
///
/// Errors: as `read_handler_limits`.
void name_what_dies(const death_notes&);

/// A run begins on this thread. Costs a system call where the last one was long ago, or outside a campaign.
void watch_waits() noexcept;

/// How a process dies, in memory that its parent reads.
struct death_row
{
    enum class cause : int
    {
        none,
        died,
        took_time,
        took_memory
    };
    std::atomic<cause> why;
    char how[240];
};

/// From now on this process is a worker: it says how it dies in that row, too.
void note_death_in(death_row&) noexcept;

/// While it lives, a program that dies on this thread says this, too.
class so_far
{
public:
    explicit so_far(std::function<std::string()> tell);
    ~so_far();
    so_far(const so_far&) = delete;
    so_far& operator=(const so_far&) = delete;

    /// What all that live on this thread tell, the innermost first.
    static void say_all();

private:
    std::function<std::string()> tell_;
    const so_far* outer_;
};

/// Says how the program dies, once: later calls say nothing.
void say_what_dies(const char* how) noexcept;

/// Whether SIGTERM or SIGINT came. Whoever sees it calls `end_as_told`, since a signal's handler may say
/// little; where nobody does within a second, the handler ends the program itself.
bool is_told_to_end() noexcept;

/// Says what was found so far, and ends the program by the signal that came. `run` is the line that repeats
/// the run under way, or an empty one.
[[noreturn]] void end_as_told(const std::string& run);

} // namespace mishap::detail
