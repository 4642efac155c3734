// SPDX-License-Identifier: MIT
#pragma once
/// The link-time seam: libc functions that are answered from memory while a thread simulates (Linux only).
///
/// Asio asks libc for the time and waits in epoll on a timerfd. Replacing those few functions at link time
/// puts stock timers on virtual time without a change to the code under test.

#include <mishap/fwd.hpp>
#include <mishap/operation.hpp>

#include <pthread.h>
#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mishap::network {
class kernel;
}

namespace mishap::detail {

class helper_threads;

/// What the seam knows of one epoll descriptor, which is one Asio reactor.
struct reactor
{
    int epoll = -1;
    int timer = -1;
    int interrupter = -1;
    epoll_event timer_event{};
    /// When its timerfd is armed to expire, from the epoch of virtual time; negative when it is not.
    duration expiry{-1};
    /// It was armed with Asio's longest wait, so it may only be a step towards a timer farther off.
    bool capped = false;
    /// Its next epoll_wait reports the timerfd.
    bool due = false;
    /// Another thread asked it to look at its queue.
    bool interrupted = false;
    /// Descriptors of the code under test, which only the kernel knows about.
    int kernel_descriptors = 0;
};

/// A step of a run, which is counted among those of one seam.
struct place_in_run
{
    std::uint64_t run = 0;
    std::uint64_t step = 0;
    lane in = background_lane;
};

/// What a simulation learns of calls that would leave it.
class seam_observer
{
public:
    /// A call started something that runs in real time.
    virtual void leaves(const char* call) noexcept = 0;
    /// A call would have blocked the thread, and returned at once instead.
    virtual void blocks(const char* call) noexcept = 0;
    /// A call blocks the thread until somebody else wakes it, and leaves that mutex, if any, while it waits.
    /// Returns where somebody could.
    virtual void waits(const char* call, pthread_mutex_t* leaves) noexcept = 0;
    /// Whether what waits for the world outside may be answered: the test allows it, or the run started
    /// something there.
    virtual bool may_be_answered() const noexcept { return false; }
    /// Somebody runs the simulation's own io_context.
    virtual void runs_own_context() noexcept = 0;
    /// The simulation's own io_context lets its reactor take a turn, which brings nothing but timers that
    /// expired; or nothing of the kind, or other things too.
    virtual void polls(bool timers_are_due) noexcept = 0;
    /// A socket, pipe or name is asked for: the network that it is to be of, or null where that is to be
    /// real.
    virtual network::kernel* opens_socket() noexcept { return nullptr; }
    /// A thread is started: who is to hold it, or null where it is to run in real time.
    virtual helper_threads* starts_thread() noexcept { return nullptr; }
    /// SIGPIPE would have ended the program.
    virtual void breaks_pipe() noexcept {}
    /// The code under test comes to a place that it tells of (`MISHAP_REACHED`).
    virtual void reaches(const char*) noexcept {}

protected:
    ~seam_observer() = default;
};

/// Virtual time and the reactors of one simulating thread.
struct seam
{
    duration now{0};
    /// No timer later than this is waited for.
    duration horizon = duration::max();
    seam_observer* observer = nullptr;
    // Where the run under way is: looked at for each mutex that is taken, so these are plain values.
    std::uint64_t run = 0;                ///< its number among those of this seam
    const std::uint64_t* steps = nullptr; ///< how many it has taken; null while none is under way
    lane running = 0;                     ///< whose handler runs
    std::string left_run;                 ///< the line that repeats it, where a run was left as it stood
    bool in_child = false;                ///< a process that code under test forked: it ends with its run
    /// Random numbers that were drawn, of the one sequence that there is.
    std::uint64_t numbers_drawn = 0;
    std::vector<reactor> reactors;
    /// Null until the first socket is made.
    network::kernel* network = nullptr;
    /// Null until the first thread is started.
    helper_threads* helpers = nullptr;

    /// The simulation's own reactor is the first.
    bool owns(const reactor& which) const noexcept { return &which == reactors.data(); }
    place_in_run here() const noexcept { return {run, steps ? *steps : 0, running}; }
    reactor* of_epoll(int epoll) noexcept;
    reactor* of_timer(int timer) noexcept;
};

extern constinit thread_local seam* seam_of_thread;

/// The seam of this thread, or null while it is not simulating. Also what pulls the seam out of the archive.
inline seam*& active_seam() noexcept { return seam_of_thread; }

/// steady_clock's reading at virtual time 0. Not 0, since no machine's uptime is: code that compares with a
/// default-constructed time_point would behave as it never does in production.
inline constexpr duration steady_epoch = std::chrono::hours(24 * 30);
/// system_clock's reading at virtual time 0: 2026-01-01T00:00:00Z.
inline constexpr duration system_epoch = std::chrono::seconds(1'767'225'600);

} // namespace mishap::detail
