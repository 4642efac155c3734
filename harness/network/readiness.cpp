// SPDX-License-Identifier: MIT
// What is ready: poll and epoll.

#include "kernel.hpp"

#include <errno.h>

#include <algorithm>

namespace mishap::network {

std::uint32_t kernel::readiness(socket& s) const
{
    std::uint32_t mask = 0;
    const bool reads_wait = s.receiving.under_way && s.receiving.decided.until > now();
    const bool writes_wait = s.sending.under_way && s.sending.decided.until > now();
    const bool reads_fail = s.receiving.under_way && !reads_wait && s.receiving.decided.error != 0;
    constexpr std::uint32_t in = EPOLLIN | EPOLLRDNORM;
    constexpr std::uint32_t out = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
    switch (s.kind) {
    case socket_kind::reader:
        if (!s.incoming.empty())
            mask |= in;
        if (!s.other)
            mask |= EPOLLHUP;
        return mask;
    case socket_kind::writer:
        if (!s.other)
            return EPOLLERR | out;
        return room(*s.other, s) >= 4096 ? out & ~EPOLLWRBAND : 0;
    case socket_kind::udp:
        if (s.error != 0)
            mask |= EPOLLERR;
        if (!s.datagrams.empty() && s.datagrams.front().at <= now())
            mask |= in;
        if (s.receives_no_more)
            mask |= in | EPOLLRDHUP;
        if (s.receives_no_more && s.sends_no_more)
            mask |= EPOLLHUP;
        mask |= out;
        break;
    case socket_kind::local:
        if (s.at == stage::listening)
            return s.waiting_to_be_accepted.empty() ? 0 : in;
        if (s.error != 0)
            mask |= EPOLLERR;
        if (s.receives_no_more && s.sends_no_more)
            mask |= EPOLLHUP;
        if (s.receives_no_more)
            mask |= in | EPOLLRDHUP;
        if (!s.incoming.empty())
            mask |= in;
        if (s.at == stage::closed)
            mask |= EPOLLHUP;
        if (!s.other || has_space(s))
            mask |= out;
        break;
    case socket_kind::tcp:
        if (s.at == stage::listening)
            return s.waiting_to_be_accepted.empty() ? 0 : in;
        if (s.error != 0)
            mask |= EPOLLERR;
        if ((s.receives_no_more && s.sends_no_more) || s.at == stage::closed)
            mask |= EPOLLHUP;
        if (s.receives_no_more)
            mask |= in | EPOLLRDHUP;
        if (s.at == stage::connecting)
            return mask;
        if (!s.incoming.empty())
            mask |= in;
        if (s.at == stage::closed || s.sends_no_more || has_space(s))
            mask |= out;
        else
            s.wants_space = true;
        break;
    }
    if (reads_wait)
        mask &= ~(in | EPOLLRDHUP | EPOLLHUP);
    if (reads_fail)
        mask |= in;
    if (writes_wait)
        mask &= ~out;
    return mask;
}

short kernel::poll_events(socket& s, short wanted)
{
    // The constants are the same, and so are the rules.
    const auto mask = static_cast<std::uint32_t>(wanted) | EPOLLERR | EPOLLHUP;
    return static_cast<short>(readiness(s) & mask);
}

answer kernel::epoll_control(int epoll, int operation, socket& s, epoll_event* event)
{
    const auto found = std::find_if(
        s.interests.begin(), s.interests.end(), [&](const interest& known) { return known.epoll == epoll; });
    switch (operation) {
    case EPOLL_CTL_ADD:
        if (found != s.interests.end())
            return answer::failed(EEXIST);
        s.interests.push_back({.epoll = epoll, .wanted = *event});
        queue(s, s.interests.back());
        return {0};
    case EPOLL_CTL_MOD:
        if (found == s.interests.end())
            return answer::failed(ENOENT);
        found->wanted = *event;
        found->disabled = false;
        queue(s, *found);
        return {0};
    case EPOLL_CTL_DEL:
        if (found == s.interests.end())
            return answer::failed(ENOENT);
        s.interests.erase(found);
        return {0};
    default:
        return answer::failed(EINVAL);
    }
}

bool kernel::watches(int epoll) const noexcept
{
    return std::any_of(
        ready_.begin(), ready_.end(), [&](const ready_list& list) { return list.epoll == epoll; });
}

void kernel::queue(socket& s, interest& by)
{
    if (by.queued)
        return;
    auto list = std::find_if(
        ready_.begin(), ready_.end(), [&](const ready_list& known) { return known.epoll == by.epoll; });
    if (list == ready_.end())
        list = ready_.insert(ready_.end(), {by.epoll, {}});
    by.queued = true;
    list->sockets.emplace_back(&s, s.serial);
}

/// Something happened on a socket: who waits for one of these events, or for anything where none is named,
/// is to look.
void kernel::wake(socket& s, std::uint32_t events)
{
    for (interest& by : s.interests)
        if (!by.disabled && (events == 0 || (events & by.wanted.events) != 0))
            queue(s, by);
}

bool kernel::has_events(int epoll) const noexcept
{
    for (const ready_list& list : ready_)
        if (list.epoll == epoll)
            return !list.sockets.empty();
    return false;
}

int kernel::take_events(int epoll, epoll_event* into, int most)
{
    const auto list = std::find_if(
        ready_.begin(), ready_.end(), [&](const ready_list& known) { return known.epoll == epoll; });
    if (list == ready_.end())
        return 0;
    int count = 0;
    for (std::size_t left = list->sockets.size(); left != 0 && count < most; --left) {
        const auto [s, serial] = list->sockets.front();
        list->sockets.pop_front();
        if (s->serial != serial)
            continue;
        const auto by = std::find_if(s->interests.begin(), s->interests.end(),
            [&](const interest& known) { return known.epoll == epoll; });
        if (by == s->interests.end())
            continue;
        by->queued = false;
        if (by->disabled)
            continue;
        const std::uint32_t mask = readiness(*s) & (by->wanted.events | EPOLLERR | EPOLLHUP);
        if (mask == 0)
            continue;
        into[count].events = mask;
        into[count++].data = by->wanted.data;
        if ((by->wanted.events & EPOLLONESHOT) != 0)
            by->disabled = true;
        else if ((by->wanted.events & EPOLLET) == 0)
            queue(*s, *by);
    }
    return count;
}

void kernel::epoll_closed(int epoll) noexcept
{
    std::erase_if(ready_, [&](const ready_list& list) { return list.epoll == epoll; });
    for (const auto& held : all_)
        std::erase_if(held->interests, [&](const interest& by) { return by.epoll == epoll; });
}

} // namespace mishap::network
