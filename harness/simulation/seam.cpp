// SPDX-License-Identifier: MIT
#include "seam.hpp"

#include "helpers.hpp"
#include "seam_real.hpp"

#include "network/kernel.hpp"

#include <errno.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

namespace mishap::detail {

namespace {

/// Asio never waits longer than this, and arms its timerfd anew when it wakes.
constexpr duration asio_waits_at_most = std::chrono::minutes(5);

bool is_interrupter(const epoll_event& event) noexcept
{
    return event.events == (EPOLLIN | EPOLLERR | EPOLLET);
}

} // namespace

[[gnu::used]] void (*const parts_of_the_seam[])() = {
    &link_blocking, &link_readiness, &link_random, &link_sockets, &link_threads};

constinit thread_local seam* seam_of_thread = nullptr;

timespec to_timespec(duration d) noexcept
{
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(d);
    return {static_cast<time_t>(seconds.count()), static_cast<long>((d - seconds).count())};
}

duration to_duration(const timespec& t) noexcept
{
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

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

} // namespace

void sleep_until(seam& here, duration until, const char* call) noexcept
{
    if (helper_threads::is_helper()) {
        while (here.now < until)
            here.helpers->wait(helper_threads::reason::nothing, nullptr, until);
        return;
    }
    if (here.observer)
        here.observer->blocks(call);
    here.now = std::max(here.now, until);
}

void sleep_for(seam& here, duration how_long, const char* call) noexcept
{
    sleep_until(here, here.now + std::max(how_long, duration(0)), call);
}

duration when(clockid_t clock, const timespec& absolute) noexcept
{
    return to_duration(absolute) - (clock == CLOCK_REALTIME ? system_epoch : steady_epoch);
}

void wait_for_others(const seam& here, const char* call, pthread_mutex_t* leaves) noexcept
{
    if (here.observer)
        here.observer->waits(call, leaves);
}

bool let_time_pass(seam& here, duration until, const char* call) noexcept
{
    if (until <= here.now)
        return false;
    if (helper_threads::is_helper()) {
        const duration next = std::min(until, here.network ? here.network->next_due() : duration::max());
        here.helpers->wait(helper_threads::reason::network, nullptr, next);
        return here.now < until;
    }
    if (here.helpers && here.helpers->run())
        return true;
    duration next = std::min(until, here.network ? here.network->next_due() : duration::max());
    if (here.helpers)
        next = std::min(next, here.helpers->next_deadline());
    if (next == duration::max() || (next > here.horizon && until == duration::max())) {
        wait_for_others(here, call);
        return false;
    }
    if (here.observer)
        here.observer->blocks(call);
    here.now = std::max(here.now, next);
    if (here.network)
        here.network->advance();
    return here.now < until;
}

} // namespace mishap::detail

using mishap::detail::active_seam;
using mishap::detail::real;

extern "C" {

int clock_gettime(clockid_t clock, timespec* out) noexcept
{
    if (const auto* here = active_seam()) {
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
    if (const auto* here = active_seam()) {
        const timespec now = mishap::detail::to_timespec(mishap::detail::system_epoch + here->now);
        *out = {now.tv_sec, static_cast<suseconds_t>(now.tv_nsec / 1000)};
        return 0;
    }
    static const auto next = real<int (*)(timeval*, void*) noexcept>("gettimeofday");
    return next(out, zone);
}

time_t time(time_t* out) noexcept
{
    if (const auto* here = active_seam()) {
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
    if (active_seam())
        mishap::detail::last_timer = descriptor;
    return descriptor;
}

int timerfd_settime(int descriptor, int flags, const itimerspec* value, itimerspec* old) noexcept
{
    if (auto* here = active_seam()) {
        if (auto* reactor = here->of_timer(descriptor)) {
            const auto wait = std::chrono::seconds(value->it_value.tv_sec) +
                              std::chrono::nanoseconds(value->it_value.tv_nsec);
            // Asio arms an absolute time in the distant past to mean "now".
            reactor->expiry = here->now + ((flags & TFD_TIMER_ABSTIME) ? mishap::duration(0) : wait);
            reactor->capped = wait >= mishap::detail::asio_waits_at_most && !(flags & TFD_TIMER_ABSTIME);
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
    if (auto* here = active_seam()) {
        if (here->network)
            if (auto* socket = here->network->find(descriptor)) {
                const auto given = here->network->epoll_control(epoll, operation, *socket, event);
                errno = given.error;
                return given.error == 0 ? 0 : -1;
            }
        if (operation == EPOLL_CTL_MOD) {
            // Waking a reactor: one that another thread waits for, or one that never sleeps.
            if (auto* reactor = here->of_epoll(epoll); reactor && reactor->interrupter == descriptor) {
                reactor->interrupted = true;
                return 0;
            }
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

int nanosleep(const timespec* how_long, timespec* left)
{
    if (auto* here = active_seam()) {
        mishap::detail::sleep_for(*here, mishap::detail::to_duration(*how_long), "nanosleep");
        return 0;
    }
    static const auto next = real<int (*)(const timespec*, timespec*)>("nanosleep");
    return next(how_long, left);
}

int clock_nanosleep(clockid_t clock, int flags, const timespec* how_long, timespec* left)
{
    if (auto* here = active_seam()) {
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
    if (auto* here = active_seam()) {
        mishap::detail::sleep_for(*here, std::chrono::microseconds(microseconds), "usleep");
        return 0;
    }
    static const auto next = real<int (*)(useconds_t)>("usleep");
    return next(microseconds);
}

unsigned sleep(unsigned seconds)
{
    if (auto* here = active_seam()) {
        mishap::detail::sleep_for(*here, std::chrono::seconds(seconds), "sleep");
        return 0;
    }
    static const auto next = real<unsigned (*)(unsigned)>("sleep");
    return next(seconds);
}

} // extern "C"
