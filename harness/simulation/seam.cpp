#include "seam.hpp"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

namespace mishap::detail {

namespace {

constinit thread_local seam* active = nullptr;

/// Asio never waits longer than this, and arms its timerfd anew when it wakes.
constexpr duration longest_wait = std::chrono::minutes(5);

// The real functions are looked up on first use, not by a static initialiser: a user's global io_context may
// call them before ours would have run.
template <class Function>
Function real(const char* name) noexcept
{
    return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

timespec to_timespec(duration d) noexcept
{
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(d);
    return {static_cast<time_t>(seconds.count()), static_cast<long>((d - seconds).count())};
}

bool is_interrupter(const epoll_event& event) noexcept
{
    return event.events == (EPOLLIN | EPOLLERR | EPOLLET);
}

} // namespace

seam*& active_seam() noexcept { return active; }

reactor* seam::of_epoll(int epoll) noexcept
{
    for (reactor& r : reactors)
        if (r.epoll == epoll)
            return &r;
    return nullptr;
}

reactor* seam::of_timer(int timer) noexcept
{
    for (reactor& r : reactors)
        if (r.timer == timer)
            return &r;
    return nullptr;
}

namespace {

/// Timerfds that this thread created but has not yet added to an epoll.
thread_local int last_timer = -1;

void remember(seam& here, int epoll, int descriptor, const epoll_event& event)
{
    reactor* r = here.of_epoll(epoll);
    if (is_interrupter(event) && descriptor != last_timer) {
        // A reactor's first descriptor is its interrupter; the number may be one that a closed epoll had.
        if (!r)
            r = &here.reactors.emplace_back();
        if (r->interrupter == -1 || r->timer == -1 || r->kernel_descriptors == 0) {
            *r = reactor{.epoll = epoll, .interrupter = descriptor};
            return;
        }
    }
    if (!r)
        return;
    if (descriptor == last_timer) {
        r->timer = descriptor;
        r->timer_event = event;
        last_timer = -1;
    } else {
        ++r->kernel_descriptors;
        if (here.observer)
            here.observer->leaves("a real descriptor was registered with the reactor");
    }
}

duration to_duration(const timespec& t) noexcept
{
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

/// A blocked thread lets time pass: the code that asked goes on when it meant to, and timers are late, as
/// they would be.
void sleep_until(seam& here, duration until, const char* call) noexcept
{
    if (here.observer)
        here.observer->blocks(call);
    here.now = std::max(here.now, until);
}

void sleep_for(seam& here, duration how_long, const char* call) noexcept
{
    sleep_until(here, here.now + std::max(how_long, duration(0)), call);
}

/// Virtual time at which a clock reads that value.
duration when(clockid_t clock, const timespec& absolute) noexcept
{
    return to_duration(absolute) - (clock == CLOCK_REALTIME ? system_epoch : steady_epoch);
}

void wait_for_others(const seam& here, const char* call, pthread_mutex_t* leaves = nullptr) noexcept
{
    if (here.observer)
        here.observer->waits(call, leaves);
}

/// A second io_context that code under test runs on its own: virtual time is served right there.
bool serve_private_reactor(seam& here, reactor& which) noexcept
{
    if (which.expiry < duration(0) || which.expiry > here.horizon)
        return false;
    here.now = std::max(here.now, which.expiry);
    which.expiry = duration(-1);
    which.due = true;
    return true;
}

} // namespace
} // namespace mishap::detail

using mishap::detail::active;
using mishap::detail::real;

extern "C" {

int clock_gettime(clockid_t clock, timespec* out) noexcept
{
    if (const auto* here = active) {
        switch (clock) {
        case CLOCK_MONOTONIC:
        case CLOCK_MONOTONIC_RAW:
        case CLOCK_MONOTONIC_COARSE:
        case CLOCK_BOOTTIME:
            *out = mishap::detail::to_timespec(mishap::detail::steady_epoch + here->now);
            return 0;
        case CLOCK_REALTIME:
        case CLOCK_REALTIME_COARSE:
        case CLOCK_TAI:
            *out = mishap::detail::to_timespec(mishap::detail::system_epoch + here->now);
            return 0;
        default:
            break; // the processor's clocks stay real
        }
    }
    static const auto next = real<int (*)(clockid_t, timespec*) noexcept>("clock_gettime");
    return next(clock, out);
}

int gettimeofday(timeval* out, void* zone) noexcept
{
    if (const auto* here = active) {
        const timespec now = mishap::detail::to_timespec(mishap::detail::system_epoch + here->now);
        *out = {now.tv_sec, static_cast<suseconds_t>(now.tv_nsec / 1000)};
        return 0;
    }
    static const auto next = real<int (*)(timeval*, void*) noexcept>("gettimeofday");
    return next(out, zone);
}

time_t time(time_t* out) noexcept
{
    if (const auto* here = active) {
        const time_t now = mishap::detail::to_timespec(mishap::detail::system_epoch + here->now).tv_sec;
        if (out)
            *out = now;
        return now;
    }
    static const auto next = real<time_t (*)(time_t*) noexcept>("time");
    return next(out);
}

int timerfd_create(int clock, int flags) noexcept
{
    static const auto next = real<int (*)(int, int) noexcept>("timerfd_create");
    const int descriptor = next(clock, flags);
    if (active)
        mishap::detail::last_timer = descriptor;
    return descriptor;
}

int timerfd_settime(int descriptor, int flags, const itimerspec* value, itimerspec* old) noexcept
{
    if (auto* here = active) {
        if (auto* reactor = here->of_timer(descriptor)) {
            const auto wait = std::chrono::seconds(value->it_value.tv_sec) +
                              std::chrono::nanoseconds(value->it_value.tv_nsec);
            // Asio arms an absolute time in the distant past to mean "now".
            reactor->expiry = here->now + ((flags & TFD_TIMER_ABSTIME) ? mishap::duration(0) : wait);
            reactor->capped = wait >= mishap::detail::longest_wait && !(flags & TFD_TIMER_ABSTIME);
            if (old)
                *old = {};
            return 0;
        }
    }
    static const auto next =
        real<int (*)(int, int, const itimerspec*, itimerspec*) noexcept>("timerfd_settime");
    return next(descriptor, flags, value, old);
}

int epoll_ctl(int epoll, int operation, int descriptor, epoll_event* event) noexcept
{
    if (auto* here = active) {
        if (operation == EPOLL_CTL_MOD) {
            // Waking a reactor that never sleeps.
            if (const auto* reactor = here->of_epoll(epoll); reactor && reactor->interrupter == descriptor)
                return 0;
        } else if (operation == EPOLL_CTL_ADD && event) {
            mishap::detail::remember(*here, epoll, descriptor, *event);
        } else if (operation == EPOLL_CTL_DEL) {
            if (auto* reactor = here->of_epoll(epoll); reactor && reactor->kernel_descriptors > 0)
                --reactor->kernel_descriptors;
        }
    }
    static const auto next = real<int (*)(int, int, int, epoll_event*) noexcept>("epoll_ctl");
    return next(epoll, operation, descriptor, event);
}

int epoll_wait(int epoll, epoll_event* events, int events_max, int timeout)
{
    static const auto next = real<int (*)(int, epoll_event*, int, int)>("epoll_wait");
    if (auto* here = active) {
        if (auto* reactor = here->of_epoll(epoll)) {
            int count = 0;
            if (here->owns(*reactor) && here->observer)
                here->observer->polls(reactor->due && reactor->kernel_descriptors == 0);
            if (timeout != 0 && !reactor->due) {
                if (here->owns(*reactor)) {
                    if (here->observer)
                        here->observer->runs_own_context();
                } else if (reactor->kernel_descriptors > 0 &&
                           next(epoll, events, 0 < events_max ? 1 : 0, 0) > 0) {
                    return next(epoll, events, events_max, 0);
                } else if (!mishap::detail::serve_private_reactor(*here, *reactor)) {
                    mishap::detail::wait_for_others(*here, "io_context::run");
                    return next(epoll, events, events_max, timeout);
                }
            }
            // The world says when its own timers are due; those of a private io_context go by the clock.
            const bool passed = reactor->expiry >= mishap::duration(0) && reactor->expiry <= here->now;
            if (reactor->due || (passed && reactor != &here->reactors.front())) {
                reactor->due = false;
                reactor->expiry = mishap::duration(-1);
                events[count++] = reactor->timer_event;
            }
            // The kernel is asked only about descriptors that it alone knows.
            if (reactor->kernel_descriptors > 0 && count < events_max) {
                const int more = next(epoll, events + count, events_max - count, 0);
                count += std::max(more, 0);
            }
            return count;
        }
    }
    return next(epoll, events, events_max, timeout);
}

int pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) noexcept
{
    static const auto next =
        real<int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) noexcept>("pthread_create");
    if (const auto* here = active; here && here->observer)
        here->observer->leaves("a thread was started (pthread_create)");
    return next(thread, attributes, start, argument);
}

int pthread_join(pthread_t thread, void** result)
{
    static const auto next = real<int (*)(pthread_t, void**)>("pthread_join");
    if (const auto* here = active)
        mishap::detail::wait_for_others(*here, "pthread_join");
    return next(thread, result);
}

int nanosleep(const timespec* how_long, timespec* left)
{
    if (auto* here = active) {
        mishap::detail::sleep_for(*here, mishap::detail::to_duration(*how_long), "nanosleep");
        return 0;
    }
    static const auto next = real<int (*)(const timespec*, timespec*)>("nanosleep");
    return next(how_long, left);
}

int clock_nanosleep(clockid_t clock, int flags, const timespec* how_long, timespec* left)
{
    if (auto* here = active) {
        if (flags & TIMER_ABSTIME)
            mishap::detail::sleep_until(*here, mishap::detail::when(clock, *how_long), "clock_nanosleep");
        else
            mishap::detail::sleep_for(*here, mishap::detail::to_duration(*how_long), "clock_nanosleep");
        return 0;
    }
    static const auto next = real<int (*)(clockid_t, int, const timespec*, timespec*)>("clock_nanosleep");
    return next(clock, flags, how_long, left);
}

int usleep(useconds_t microseconds)
{
    if (auto* here = active) {
        mishap::detail::sleep_for(*here, std::chrono::microseconds(microseconds), "usleep");
        return 0;
    }
    static const auto next = real<int (*)(useconds_t)>("usleep");
    return next(microseconds);
}

unsigned sleep(unsigned seconds)
{
    if (auto* here = active) {
        mishap::detail::sleep_for(*here, std::chrono::seconds(seconds), "sleep");
        return 0;
    }
    static const auto next = real<unsigned (*)(unsigned)>("sleep");
    return next(seconds);
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex)
{
    static const auto next = real<int (*)(pthread_cond_t*, pthread_mutex_t*)>("pthread_cond_wait");
    if (const auto* here = active)
        mishap::detail::wait_for_others(*here, "pthread_cond_wait (a condition variable)", mutex);
    return next(condition, mutex);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until)
{
    if (auto* here = active) {
        mishap::detail::sleep_until(
            *here, mishap::detail::when(CLOCK_REALTIME, *until), "pthread_cond_timedwait");
        return ETIMEDOUT;
    }
    static const auto next =
        real<int (*)(pthread_cond_t*, pthread_mutex_t*, const timespec*)>("pthread_cond_timedwait");
    return next(condition, mutex, until);
}

int pthread_cond_clockwait(
    pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until)
{
    if (auto* here = active) {
        mishap::detail::sleep_until(*here, mishap::detail::when(clock, *until), "pthread_cond_clockwait");
        return ETIMEDOUT;
    }
    static const auto next = real<int (*)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*)>(
        "pthread_cond_clockwait");
    return next(condition, mutex, clock, until);
}

int poll(pollfd* descriptors, nfds_t count, int timeout)
{
    static const auto next = real<int (*)(pollfd*, nfds_t, int)>("poll");
    auto* here = active;
    if (!here || timeout == 0)
        return next(descriptors, count, timeout);
    if (const int ready = next(descriptors, count, 0); ready != 0)
        return ready;
    if (timeout > 0) {
        mishap::detail::sleep_for(*here, std::chrono::milliseconds(timeout), "poll");
        return 0;
    }
    mishap::detail::wait_for_others(*here, "poll");
    return next(descriptors, count, timeout);
}

/// A mutex that this thread holds already, here or in a run that was left where it stood, is never unlocked.
int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept
{
    static const auto next = real<int (*)(pthread_mutex_t*) noexcept>("pthread_mutex_lock");
    const auto* here = active;
    if (!here)
        return next(mutex);
    if (const int taken = pthread_mutex_trylock(mutex); taken != EBUSY)
        return taken;
    if (mutex->__data.__owner == gettid() && mutex->__data.__kind == PTHREAD_MUTEX_TIMED_NP)
        mishap::detail::wait_for_others(*here,
            "pthread_mutex_lock (a mutex that this thread holds already, perhaps since an earlier run)");
    return next(mutex);
}

ssize_t read(int descriptor, void* into, size_t size)
{
    static const auto next = real<ssize_t (*)(int, void*, size_t)>("read");
    if (const auto* here = active) {
        static const auto look = real<int (*)(pollfd*, nfds_t, int)>("poll");
        pollfd one{.fd = descriptor, .events = POLLIN, .revents = 0};
        if (look(&one, 1, 0) == 0 && (fcntl(descriptor, F_GETFL) & O_NONBLOCK) == 0)
            mishap::detail::wait_for_others(*here, "read (of what nobody has written)");
    }
    return next(descriptor, into, size);
}

/// The child goes on to the end of the run, and no further: it must not run the other tests once more.
pid_t fork() noexcept
{
    static const auto next = real<pid_t (*)() noexcept>("fork");
    auto* here = active;
    if (here && here->observer)
        here->observer->leaves("a process was forked (fork)");
    const pid_t child = next();
    if (here && child == 0)
        here->in_child = true;
    return child;
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
    if (auto* here = active; here && number == SYS_futex) {
        const int operation = static_cast<int>(a[1]) & FUTEX_CMD_MASK;
        // Another thread that initialises the same static variable wakes this one, so that wait is none of
        // ours: the C++ ABI's guard words have these values.
        const bool guard = a[2] == 0x100 || a[2] == 0x10100;
        if ((operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET) && !guard) {
            const int word = __atomic_load_n(reinterpret_cast<int*>(a[0]), __ATOMIC_SEQ_CST);
            if (word == static_cast<int>(a[2])) {
                if (const auto* limit = reinterpret_cast<const timespec*>(a[3])) {
                    const bool realtime = (static_cast<int>(a[1]) & FUTEX_CLOCK_REALTIME) != 0;
                    if (operation == FUTEX_WAIT)
                        mishap::detail::sleep_for(*here, mishap::detail::to_duration(*limit), "a futex wait");
                    else
                        mishap::detail::sleep_until(*here,
                            mishap::detail::when(realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, *limit),
                            "a futex wait");
                    errno = ETIMEDOUT;
                    return -1;
                }
                mishap::detail::wait_for_others(
                    *here, "a futex wait (std::future, std::atomic::wait, a semaphore or a latch)");
            }
        }
    }
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

} // extern "C"
