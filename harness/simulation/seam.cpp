#include "seam.hpp"

#include <dlfcn.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

#include <algorithm>

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
    }
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

} // extern "C"
