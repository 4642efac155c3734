// SPDX-License-Identifier: MIT
// The part of the seam that waits for descriptors: poll, select and epoll.

#include "helpers.hpp"
#include "seam_real.hpp"

#include "network/kernel.hpp"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace mishap::detail {

void link_readiness() noexcept {}

namespace {

using poll_function = int (*)(pollfd*, nfds_t, int);

poll_function real_poll() noexcept
{
    static const auto next = real<poll_function>("poll");
    return next;
}

/// What is ready now, of both worlds; sets `real_ones` where some are not of the network in memory.
int look(seam& here, pollfd* descriptors, nfds_t count, bool& real_ones)
{
    int ready = 0;
    real_ones = false;
    for (nfds_t i = 0; i < count; ++i) {
        pollfd& one = descriptors[i];
        one.revents = 0;
        if (one.fd < 0)
            continue;
        if (network::socket* s = here.network ? here.network->find(one.fd) : nullptr) {
            one.revents = here.network->poll_events(*s, one.events);
        } else {
            real_ones = true;
            real_poll()(&one, 1, 0);
        }
        ready += one.revents != 0;
    }
    return ready;
}

int poll_in(seam& here, pollfd* descriptors, nfds_t count, duration until, const char* call)
{
    for (;;) {
        if (here.network)
            here.network->advance();
        bool real_ones = false;
        const int ready = look(here, descriptors, count, real_ones);
        if (ready != 0 || here.now >= until)
            return ready;
        if (!here.network && !here.helpers && until == duration::max()) {
            wait_for_others(here, call);
            return real_poll()(descriptors, count, -1);
        }
        if (!here.network && !here.helpers) {
            sleep_until(here, until, call);
            continue;
        }
        if (!let_time_pass(here, until, call) && until == duration::max()) {
            // Only what is real could still come.
            if (real_ones)
                return real_poll()(descriptors, count, -1);
            errno = EINTR;
            return -1;
        }
    }
}

duration until_of(const seam& here, const timespec* timeout) noexcept
{
    return timeout ? here.now + to_duration(*timeout) : duration::max();
}

int select_in(seam& here, int count, fd_set* reads, fd_set* writes, fd_set* errors, duration until)
{
    std::vector<pollfd> all;
    for (int number = 0; number < count; ++number) {
        short wanted = 0;
        if (reads && FD_ISSET(number, reads))
            wanted = static_cast<short>(wanted | POLLIN | POLLRDNORM);
        if (writes && FD_ISSET(number, writes))
            wanted = static_cast<short>(wanted | POLLOUT);
        if (errors && FD_ISSET(number, errors))
            wanted = static_cast<short>(wanted | POLLPRI);
        if (wanted != 0)
            all.push_back({number, wanted, 0});
    }
    const int ready = poll_in(here, all.data(), all.size(), until, "select");
    if (ready < 0)
        return ready;
    int bits = 0;
    for (const pollfd& one : all) {
        if ((one.revents & POLLNVAL) != 0) {
            errno = EBADF;
            return -1;
        }
        const auto keep = [&](fd_set* in, int events) {
            if (!in || !FD_ISSET(one.fd, in))
                return;
            if ((one.revents & events) != 0)
                ++bits;
            else
                FD_CLR(one.fd, in);
        };
        keep(reads, POLLIN | POLLRDNORM | POLLHUP | POLLERR);
        keep(writes, POLLOUT | POLLERR);
        keep(errors, POLLPRI);
    }
    return bits;
}

/// What an epoll descriptor has without waiting.
int take(seam& here, int epoll, reactor* known, epoll_event* events, int most)
{
    int count = 0;
    if (known) {
        known->interrupted = false;
        // The world says when its own timers are due; those of a private io_context go by the clock.
        const bool passed = known->expiry >= duration(0) && known->expiry <= here.now;
        if (known->due || (passed && !here.owns(*known))) {
            known->due = false;
            known->expiry = duration(-1);
            events[count++] = known->timer_event;
        }
    }
    if (here.network && count < most)
        count += here.network->take_events(epoll, events + count, most - count);
    // The kernel is asked only about descriptors that it alone knows.
    if ((!known || known->kernel_descriptors > 0) && count < most) {
        static const auto next = real<int (*)(int, epoll_event*, int, int)>("epoll_wait");
        count += std::max(next(epoll, events + count, most - count, 0), 0);
    }
    return count;
}

/// Waits on an epoll that is not the simulation's own reactor. Returns what is ready, or -1 where nothing in
/// memory can come any more.
int wait_for_events(seam& here, int epoll, epoll_event* events, int most, duration until)
{
    for (;;) {
        if (here.network)
            here.network->advance();
        reactor* const known = here.of_epoll(epoll);
        const bool interrupted = known && known->interrupted;
        if (const int count = take(here, epoll, known, events, most);
            count != 0 || interrupted || here.now >= until)
            return count;
        if (helper_threads::is_helper()) {
            here.helpers->wait(helper_threads::reason::reactor, &epoll, until);
            continue;
        }
        if (here.helpers && here.helpers->run())
            continue;
        duration next = until;
        if (known && known->expiry >= duration(0))
            next = std::min(next, known->expiry);
        if (here.network)
            next = std::min(next, here.network->next_due());
        if (here.helpers)
            next = std::min(next, here.helpers->next_deadline());
        if (next == duration::max() || (next > here.horizon && until == duration::max()))
            return -1;
        here.now = std::max(here.now, next);
    }
}

} // namespace
} // namespace mishap::detail

using mishap::duration;
using mishap::detail::active_seam;
using mishap::detail::poll_in;
using mishap::detail::real;
using mishap::detail::to_duration;

extern "C" {

// Before anything of ours is asked: that would be checked by the sanitizer, too, and so for ever.
int pipe(int numbers[2]) noexcept
{
    static const auto next = real<int (*)(int*) noexcept>("pipe");
    return active_seam() && mishap::detail::is_sanitizer(__builtin_return_address(0)) ? next(numbers)
                                                                                      : pipe2(numbers, 0);
}

int epoll_wait(int epoll, epoll_event* events, int events_max, int timeout)
{
    static const auto next = real<int (*)(int, epoll_event*, int, int)>("epoll_wait");
    auto* const here = active_seam();
    if (!here)
        return next(epoll, events, events_max, timeout);
    auto* const reactor = here->of_epoll(epoll);
    if (!reactor && !(here->network && here->network->watches(epoll)))
        return next(epoll, events, events_max, timeout);
    const bool own =
        reactor && here->owns(*reactor) && !(here->helpers && mishap::detail::helper_threads::is_helper());
    if (own || timeout == 0) {
        if (here->network)
            here->network->advance();
        if (own && here->observer)
            here->observer->polls(reactor->due && reactor->kernel_descriptors == 0 &&
                                  !(here->network && here->network->has_events(epoll)));
        if (own && timeout != 0 && !reactor->due && here->observer)
            here->observer->runs_own_context();
        return mishap::detail::take(*here, epoll, reactor, events, events_max);
    }
    const duration until = timeout < 0 ? duration::max() : here->now + std::chrono::milliseconds(timeout);
    const int count = mishap::detail::wait_for_events(*here, epoll, events, events_max, until);
    if (count >= 0)
        return count;
    mishap::detail::wait_for_others(*here, "io_context::run");
    return next(epoll, events, events_max, timeout);
}

int epoll_pwait(int epoll, epoll_event* events, int events_max, int timeout, const sigset_t* mask)
{
    static const auto next = real<int (*)(int, epoll_event*, int, int, const sigset_t*)>("epoll_pwait");
    if (active_seam())
        return epoll_wait(epoll, events, events_max, timeout);
    return next(epoll, events, events_max, timeout, mask);
}

int epoll_pwait2(
    int epoll, epoll_event* events, int events_max, const timespec* timeout, const sigset_t* mask)
{
    static const auto next =
        real<int (*)(int, epoll_event*, int, const timespec*, const sigset_t*)>("epoll_pwait2");
    if (active_seam()) {
        using std::chrono::milliseconds;
        const auto rounded =
            timeout ? std::chrono::ceil<milliseconds>(to_duration(*timeout)).count() : milliseconds::rep(-1);
        return epoll_wait(epoll, events, events_max, static_cast<int>(rounded));
    }
    return next(epoll, events, events_max, timeout, mask);
}

int poll(pollfd* descriptors, nfds_t count, int timeout)
{
    auto* const here = active_seam();
    if (!here)
        return mishap::detail::real_poll()(descriptors, count, timeout);
    const duration until = timeout < 0 ? duration::max() : here->now + std::chrono::milliseconds(timeout);
    return poll_in(*here, descriptors, count, until, "poll");
}

int ppoll(pollfd* descriptors, nfds_t count, const timespec* timeout, const sigset_t* mask)
{
    static const auto next = real<int (*)(pollfd*, nfds_t, const timespec*, const sigset_t*)>("ppoll");
    if (auto* const here = active_seam())
        return poll_in(*here, descriptors, count, mishap::detail::until_of(*here, timeout), "ppoll");
    return next(descriptors, count, timeout, mask);
}

int __poll_chk(pollfd* descriptors, nfds_t count, int timeout, size_t room)
{
    static const auto next = real<int (*)(pollfd*, nfds_t, int, size_t)>("__poll_chk");
    if (active_seam() && count * sizeof(pollfd) <= room)
        return poll(descriptors, count, timeout);
    return next(descriptors, count, timeout, room);
}

int __ppoll_chk(pollfd* descriptors, nfds_t count, const timespec* timeout, const sigset_t* mask, size_t room)
{
    static const auto next =
        real<int (*)(pollfd*, nfds_t, const timespec*, const sigset_t*, size_t)>("__ppoll_chk");
    if (active_seam() && count * sizeof(pollfd) <= room)
        return ppoll(descriptors, count, timeout, mask);
    return next(descriptors, count, timeout, mask, room);
}

int select(int count, fd_set* reads, fd_set* writes, fd_set* errors, timeval* timeout)
{
    static const auto next = real<int (*)(int, fd_set*, fd_set*, fd_set*, timeval*)>("select");
    if (auto* const here = active_seam()) {
        const duration until = timeout ? here->now + std::chrono::seconds(timeout->tv_sec) +
                                             std::chrono::microseconds(timeout->tv_usec)
                                       : duration::max();
        return mishap::detail::select_in(*here, count, reads, writes, errors, until);
    }
    return next(count, reads, writes, errors, timeout);
}

int pselect(
    int count, fd_set* reads, fd_set* writes, fd_set* errors, const timespec* timeout, const sigset_t* mask)
{
    static const auto next =
        real<int (*)(int, fd_set*, fd_set*, fd_set*, const timespec*, const sigset_t*)>("pselect");
    if (auto* const here = active_seam())
        return mishap::detail::select_in(
            *here, count, reads, writes, errors, mishap::detail::until_of(*here, timeout));
    return next(count, reads, writes, errors, timeout, mask);
}

} // extern "C"
