// SPDX-License-Identifier: MIT
// The part of the seam that holds threads and what they wait for.

#include "helpers.hpp"
#include "seam_real.hpp"

#include "network/kernel.hpp"

#include <mishap/operation.hpp>

#include <fmt/format.h>

#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mishap::detail {

void link_threads() noexcept {}

namespace {

enum class woken
{
    yes,
    time_came,
    by_nobody, ///< nothing can happen that would
};

/// Waits on this thread of the simulation until it is woken or that time has come, while the others run and
/// what the network does by itself goes on.
woken wait_on(
    seam& here, helper_threads::reason why, const void* key, duration until, const char* call) noexcept
{
    for (;;) {
        if (here.helpers && here.helpers->wait(why, key, until))
            return woken::yes;
        if (here.now >= until)
            return woken::time_came;
        if (helper_threads::is_helper())
            continue;
        duration next = std::min(until, here.network ? here.network->next_due() : duration::max());
        if (here.helpers)
            next = std::min(next, here.helpers->next_deadline());
        if (next == duration::max() || (next > here.horizon && until == duration::max()))
            return woken::by_nobody;
        sleep_until(here, next, call);
        if (here.network)
            here.network->advance();
    }
}

/// Where this thread took a mutex last. Two mutexes may share a place in the table: then only the later one's
/// is known.
struct taking
{
    const pthread_mutex_t* mutex = nullptr;
    const seam* by = nullptr; ///< one whose run was left is never destroyed
    place_in_run where;
};

taking& last_taking(const pthread_mutex_t* mutex) noexcept
{
    constexpr std::size_t size = 256;
    static constinit thread_local std::array<taking, size> table{};
    return table[reinterpret_cast<std::uintptr_t>(mutex) / sizeof(std::max_align_t) % size];
}

[[gnu::always_inline]] inline int try_to_lock(pthread_mutex_t* mutex) noexcept
{
    static const auto next = real<int (*)(pthread_mutex_t*) noexcept>("pthread_mutex_trylock");
    const int taken = next(mutex);
    if (const seam* here = active_seam(); here && here->observer && taken == 0)
        last_taking(mutex) = {mutex, here, here->here()};
    return taken;
}

bool is_held_by_this_thread(const pthread_mutex_t* mutex) noexcept
{
    return mutex->__data.__owner == gettid() && mutex->__data.__kind == PTHREAD_MUTEX_TIMED_NP;
}

/// Says where this thread took the mutex that it waits for; the text lives until the next one is made.
const char* lock_held_already(const seam& here, const pthread_mutex_t* mutex, const char* call) noexcept
{
    static thread_local std::string text;
    text = fmt::format("{} (a mutex that this thread holds already", call);
    const taking& last = last_taking(mutex);
    const bool in_this_run = last.by == &here && last.where.run == here.run;
    if (last.mutex != mutex)
        text += ", perhaps since an earlier run";
    else if (in_this_run || !last.by->left_run.empty())
        text +=
            fmt::format(": it was taken in step {} of lane {}{}{}", last.where.step, lane_name(last.where.in),
                in_this_run ? "" : " of the run that this repeats: ", in_this_run ? "" : last.by->left_run);
    else
        text += fmt::format(": an earlier run took it, in step {} of lane {}, and kept it", last.where.step,
            lane_name(last.where.in));
    text += ')';
    return text.c_str();
}

/// Whether the C++ runtime calls, which waits for another thread that initialises the same static variable:
/// that thread wakes this one, so the wait is none of the simulation's.
bool is_guard(const void* caller) noexcept
{
    Dl_info where{};
    if (dladdr(caller, &where) != 0 && where.dli_sname)
        return std::strcmp(where.dli_sname, "__cxa_guard_acquire") == 0;
    // Linked in statically it has no name that could be looked up.
    constexpr std::uintptr_t longest = 256;
    return reinterpret_cast<std::uintptr_t>(caller) -
               reinterpret_cast<std::uintptr_t>(&abi::__cxa_guard_acquire) <
           longest;
}

} // namespace
} // namespace mishap::detail

using mishap::duration;
using mishap::detail::active_seam;
using mishap::detail::helper_threads;
using mishap::detail::real;
using mishap::detail::wait_on;
using mishap::detail::woken;

extern "C" {

int pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) noexcept
{
    static const auto next =
        real<int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) noexcept>("pthread_create");
    if (const auto* here = active_seam(); here && here->observer) {
        if (helper_threads* const holding = here->observer->starts_thread())
            return holding->start(thread, attributes, start, argument);
        here->observer->leaves("a thread was started (pthread_create)");
    }
    return next(thread, attributes, start, argument);
}

int pthread_join(pthread_t thread, void** result)
{
    static const auto next = real<int (*)(pthread_t, void**)>("pthread_join");
    if (auto* here = active_seam()) {
        const bool held = here->helpers && here->helpers->knows(thread);
        if (!held)
            mishap::detail::wait_for_others(*here, "pthread_join");
        else if (!here->helpers->has_ended(thread) &&
                 wait_on(*here, helper_threads::reason::thread, &thread, duration::max(), "pthread_join") ==
                     woken::by_nobody)
            mishap::detail::wait_for_others(*here, "pthread_join");
    }
    return next(thread, result);
}

int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept { return mishap::detail::try_to_lock(mutex); }

/// A mutex that this thread holds already, here or in a run that was left where it stood, is never unlocked.
int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept
{
    static const auto next = real<int (*)(pthread_mutex_t*) noexcept>("pthread_mutex_lock");
    auto* here = active_seam();
    if (!here)
        return next(mutex);
    if (const int taken = mishap::detail::try_to_lock(mutex); taken != EBUSY)
        return taken;
    if (mishap::detail::is_held_by_this_thread(mutex))
        mishap::detail::wait_for_others(
            *here, mishap::detail::lock_held_already(*here, mutex, "pthread_mutex_lock"));
    // Another thread of the simulation has it, and goes on only when this one lets it.
    constexpr int turns_max = 1'000;
    for (int turn = 0; here->helpers && turn < turns_max; ++turn) {
        if (helper_threads::is_helper())
            here->helpers->wait(helper_threads::reason::nothing, nullptr, here->now);
        else if (!here->helpers->run())
            break;
        if (const int taken = mishap::detail::try_to_lock(mutex); taken != EBUSY)
            return taken;
    }
    return next(mutex);
}

int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) noexcept
{
    static const auto next =
        real<int (*)(pthread_mutex_t*, clockid_t, const timespec*) noexcept>("pthread_mutex_clocklock");
    auto* here = active_seam();
    if (!here)
        return next(mutex, clock, until);
    const duration limit = std::max(mishap::detail::when(clock, *until), duration(0));
    for (;;) {
        if (const int taken = mishap::detail::try_to_lock(mutex); taken != EBUSY)
            return taken;
        if (!mishap::detail::let_time_pass(*here, limit, "a timed wait for a mutex"))
            return ETIMEDOUT;
    }
}

int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) noexcept
{
    static const auto next =
        real<int (*)(pthread_mutex_t*, const timespec*) noexcept>("pthread_mutex_timedlock");
    if (active_seam())
        return pthread_mutex_clocklock(mutex, CLOCK_REALTIME, until);
    return next(mutex, until);
}

/// Waits for a signal, which nobody sends in a simulation.
int pause()
{
    static const auto next = real<int (*)()>("pause");
    if (const auto* here = active_seam())
        mishap::detail::wait_for_others(*here, "pause");
    return next();
}

/// The child goes on to the end of the run, and no further: it must not run the other tests once more.
pid_t fork() noexcept
{
    static const auto next = real<pid_t (*)() noexcept>("fork");
    auto* here = active_seam();
    if (here && here->observer)
        here->observer->leaves("a process was forked (fork)");
    if (here)
        std::fflush(stdout); // or else what the child exits with says it once more
    const pid_t child = next();
    if (here && child == 0)
        here->in_child = true;
    return child;
}

int pthread_cond_signal(pthread_cond_t* condition) noexcept
{
    static const auto next = real<int (*)(pthread_cond_t*) noexcept>("pthread_cond_signal");
    if (auto* here = active_seam(); here && here->helpers)
        here->helpers->signal(helper_threads::reason::condition, condition, false);
    return next(condition);
}

int pthread_cond_broadcast(pthread_cond_t* condition) noexcept
{
    static const auto next = real<int (*)(pthread_cond_t*) noexcept>("pthread_cond_broadcast");
    if (auto* here = active_seam(); here && here->helpers)
        here->helpers->signal(helper_threads::reason::condition, condition, true);
    return next(condition);
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex)
{
    static const auto next = real<int (*)(pthread_cond_t*, pthread_mutex_t*)>("pthread_cond_wait");
    if (auto* here = active_seam()) {
        constexpr const char* call = "pthread_cond_wait (a condition variable)";
        if (here->helpers) {
            // The mutex is left while others run, as in the real wait.
            pthread_mutex_unlock(mutex);
            const woken how =
                wait_on(*here, helper_threads::reason::condition, condition, duration::max(), call);
            pthread_mutex_lock(mutex);
            if (how == woken::yes)
                return 0;
        }
        mishap::detail::wait_for_others(*here, call, mutex);
    }
    return next(condition, mutex);
}

int pthread_cond_clockwait(
    pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until)
{
    static const auto next = real<int (*)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*)>(
        "pthread_cond_clockwait");
    if (auto* here = active_seam()) {
        pthread_mutex_unlock(mutex);
        const woken how = wait_on(*here, helper_threads::reason::condition, condition,
            std::max(mishap::detail::when(clock, *until), duration(0)),
            "a timed wait on a condition variable");
        pthread_mutex_lock(mutex);
        return how == woken::yes ? 0 : ETIMEDOUT;
    }
    return next(condition, mutex, clock, until);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until)
{
    static const auto next =
        real<int (*)(pthread_cond_t*, pthread_mutex_t*, const timespec*)>("pthread_cond_timedwait");
    if (active_seam())
        return pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, until);
    return next(condition, mutex, until);
}

/// std::future, std::atomic::wait, semaphores and latches wait in a futex, which libstdc++ asks for this way.
long syscall(long number, ...) noexcept
{
    va_list list;
    va_start(list, number);
    long a[6];
    for (long& value : a)
        value = va_arg(list, long);
    va_end(list);
    static const auto next = real<long (*)(long, ...) noexcept>("syscall");
    if (auto* here = active_seam(); here && number == SYS_getrandom)
        return draw_random_bytes(*here, reinterpret_cast<void*>(a[0]), static_cast<std::size_t>(a[1]));
    if (auto* here = active_seam(); here && number == SYS_futex) {
        const int operation = static_cast<int>(a[1]) & FUTEX_CMD_MASK;
        auto* const address = reinterpret_cast<int*>(a[0]);
        if ((operation == FUTEX_WAKE || operation == FUTEX_WAKE_BITSET) && here->helpers)
            here->helpers->signal(helper_threads::reason::word, address, a[2] > 1);
        if ((operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET) &&
            !mishap::detail::is_guard(__builtin_return_address(0)) &&
            __atomic_load_n(address, __ATOMIC_SEQ_CST) == static_cast<int>(a[2])) {
            const auto* const limit = reinterpret_cast<const timespec*>(a[3]);
            const bool realtime = (static_cast<int>(a[1]) & FUTEX_CLOCK_REALTIME) != 0;
            duration until = duration::max();
            if (limit)
                until = operation == FUTEX_WAIT
                            ? here->now + mishap::detail::to_duration(*limit)
                            : mishap::detail::when(realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, *limit);
            const woken how = here->helpers || limit ? wait_on(*here, helper_threads::reason::word, address,
                                                           until, "a futex wait")
                                                     : woken::by_nobody;
            if (how == woken::yes)
                return 0;
            if (limit) {
                errno = ETIMEDOUT;
                return -1;
            }
            mishap::detail::wait_for_others(
                *here, "a futex wait (std::future, std::atomic::wait, a semaphore or a latch)");
        }
    }
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

} // extern "C"
