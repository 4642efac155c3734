// SPDX-License-Identifier: MIT
#pragma once
/// Threads that code under test and its libraries start: they run one at a time, and only while the
/// simulation is at rest, so that every run is the same.

#include "seam.hpp"

#include <pthread.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace mishap::detail {

class helper_threads
{
public:
    /// What a thread waits for, besides a time.
    enum class reason : std::uint8_t
    {
        nothing,
        condition, ///< to be signalled
        word,      ///< a futex, to be woken
        reactor,   ///< its epoll descriptor, to have events
        thread,    ///< the end of one
        network,   ///< something to happen there
    };

    explicit helper_threads(seam& where) noexcept;
    ~helper_threads();
    helper_threads(const helper_threads&) = delete;
    helper_threads& operator=(const helper_threads&) = delete;

    /// As pthread_create(). The thread runs when the simulation is at rest next.
    int start(
        pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) noexcept;

    /// Lets every thread that can go on do so until none can. Returns whether any did.
    bool run() noexcept;

    /// When a thread goes on because its time has come, at the earliest; `duration::max()` for none.
    duration next_deadline() const noexcept;

    /// Waits on this thread, whichever of the simulation's it is. Returns true where it was woken, or may
    /// have been; false where the time came, or where nothing can ever wake it.
    bool wait(reason why, const void* key, duration until) noexcept;

    /// Wakes who waits for that: one, or all.
    void signal(reason why, const void* key, bool all) noexcept;

    /// Whether it is one of these threads, and has ended.
    bool has_ended(pthread_t) const noexcept;
    bool knows(pthread_t) const noexcept;
    /// Those that ended are known no longer.
    void forget_ended() noexcept;
    /// Any that waits for a time to come, or for another thread: it has not done its work.
    bool any_busy() const noexcept;

    /// Whether the calling thread is one of these.
    static bool is_helper() noexcept;

private:
    struct helper;

    bool can_run(const helper&) const noexcept;
    void grant(helper&) noexcept;
    static void* main_of(void* helper) noexcept;

    seam* here_;
    std::vector<std::unique_ptr<helper>> all_;
    /// The simulating thread itself, where a call of its blocks.
    reason main_waits_ = reason::nothing;
    const void* main_key_ = nullptr;
    bool main_woken_ = false;
    std::uint64_t next_turn_ = 0;
};

} // namespace mishap::detail
