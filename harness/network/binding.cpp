// SPDX-License-Identifier: MIT
// Addresses of sockets: bind, listen, accept, and what they are called.

#include "kernel.hpp"

#include <errno.h>
#include <sys/un.h>

#include <algorithm>

namespace mishap::network {

namespace {

constexpr std::uint16_t first_ephemeral = 32'768;
constexpr std::uint16_t last_ephemeral = 60'999;

/// Whether a socket bound to one of them would get what is meant for the other.
bool overlap(const socket& a, const address& b, bool b_only_v6)
{
    const address mine = unmapped(a.local);
    const address other = unmapped(b);
    if (mine.port != other.port)
        return false;
    if (mine.family == other.family)
        return mine.is_any() || other.is_any() || mine.ip == other.ip;
    // An IPv6 socket on any address takes IPv4, too, unless it was told not to.
    if (mine.family == AF_INET6)
        return !a.only_v6 && mine.is_any();
    return !b_only_v6 && other.is_any();
}

} // namespace

bool kernel::is_local(const address& where) const
{
    const address plain = unmapped(where);
    if (plain.family == AF_UNIX || plain.is_any() || plain.is_loopback())
        return true;
    return std::any_of(hosts_.begin(), hosts_.end(), [&](const host_entry& known) {
        return std::any_of(known.addresses.begin(), known.addresses.end(),
            [&](const address& one) { return one.same_host(plain); });
    });
}

bool kernel::is_taken(const socket& by, const address& where) const
{
    for (const auto& held : all_) {
        if (held.get() == &by || !held->bound || held->kind != by.kind)
            continue;
        if (by.kind == socket_kind::local) {
            if (held->local == where && !held->local.path.empty())
                return true;
            continue;
        }
        const bool shared = (by.reuse_address && held->reuse_address && held->at != stage::listening) ||
                            (by.reuse_port && held->reuse_port);
        if (!shared && overlap(*held, where, by.only_v6))
            return true;
    }
    return std::any_of(time_waits_.begin(), time_waits_.end(), [&](const time_wait& gone) {
        return by.kind == socket_kind::tcp && gone.until > now() && gone.local.port == where.port &&
               !(by.reuse_address && gone.reuse_address);
    });
}

std::uint16_t kernel::ephemeral_port(const socket& by, const address& host)
{
    for (int tried = 0; tried <= last_ephemeral - first_ephemeral; ++tried) {
        if (next_port_ < first_ephemeral || next_port_ > last_ephemeral)
            next_port_ = first_ephemeral;
        const std::uint16_t port = next_port_++;
        if (!is_taken(by, host.with_port(port)))
            return port;
    }
    return 0;
}

/// Gives a socket that sends without having been bound an address that suits the other end.
bool kernel::bind_any(socket& s, const address& towards)
{
    const address plain = unmapped(towards);
    if (s.local.is_any()) {
        const address mine = plain.is_loopback() || plain.is_any() ? loopback_address(plain.family)
                                                                   : client_address(plain.family);
        const std::uint16_t port = s.local.port;
        s.local = as_seen_by(s.family, mine.with_port(port));
    }
    if (s.local.port == 0)
        s.local.port = ephemeral_port(s, s.local);
    s.bound = true;
    return s.local.port != 0;
}

address kernel::client_address(sa_family_t family)
{
    if (family == AF_INET)
        return ipv4(10, 0, 0, 1);
    address made = any_address(AF_INET6);
    made.ip[0] = 0xfd;
    made.ip[15] = 1;
    return made;
}

answer kernel::bind(socket& s, const sockaddr* to, socklen_t length)
{
    if (s.kind == socket_kind::reader || s.kind == socket_kind::writer)
        return answer::failed(ENOTSOCK);
    const auto where = read_address(to, length);
    if (!where)
        return answer::failed(EINVAL);
    if (where->family != s.family)
        return answer::failed(s.kind == socket_kind::local ? EINVAL : EAFNOSUPPORT);
    if (s.bound || s.at != stage::closed)
        return answer::failed(EINVAL);
    address wanted = *where;
    if (s.kind == socket_kind::local) {
        if (wanted.path.empty())
            wanted.path = std::string(1, '\0') + "mishap" + std::to_string(++messages_);
    } else {
        if (!is_local(wanted) && !wanted.same_host(client_address(wanted.family)))
            return answer::failed(EADDRNOTAVAIL);
        if (wanted.port == 0)
            wanted.port = ephemeral_port(s, wanted);
        if (wanted.port == 0)
            return answer::failed(EADDRINUSE);
    }
    const bool is_left = std::find(unlinked_.begin(), unlinked_.end(), wanted.path) != unlinked_.end();
    if (is_taken(s, wanted) || (s.kind == socket_kind::local && is_left))
        return answer::failed(EADDRINUSE);
    s.local = std::move(wanted);
    s.bound = true;
    return {0};
}

bool kernel::unlink(std::string_view path)
{
    if (std::erase_if(unlinked_, [&](const std::string& left) { return left == path; }) != 0)
        return true;
    for (const auto& held : all_)
        if (held->kind == socket_kind::local && held->bound && held->local.path == path) {
            // It keeps what it has; nobody finds it any more.
            held->local.path.clear();
            return true;
        }
    return false;
}

answer kernel::listen(socket& s, int backlog)
{
    if (s.kind == socket_kind::reader || s.kind == socket_kind::writer)
        return answer::failed(ENOTSOCK);
    if (s.kind == socket_kind::udp)
        return answer::failed(EOPNOTSUPP);
    if (s.at == stage::established || s.at == stage::connecting)
        return answer::failed(EINVAL);
    if (s.kind == socket_kind::local && !s.bound)
        return answer::failed(EINVAL);
    if (s.at == stage::closed) {
        if (!s.bound) {
            s.local.port = ephemeral_port(s, s.local);
            s.bound = true;
        } else if (s.kind == socket_kind::tcp) {
            // Two may be bound to one address, but only one of them listens.
            for (const auto& held : all_)
                if (held.get() != &s && held->at == stage::listening && held->kind == s.kind &&
                    !(held->reuse_port && s.reuse_port) && overlap(*held, s.local, s.only_v6))
                    return answer::failed(EADDRINUSE);
        }
    }
    s.at = stage::listening;
    constexpr int most = 4096;
    s.backlog = backlog < 0 ? most : std::min(backlog, most);
    wake(s, 0);
    return {0};
}

answer kernel::accept(socket& s, sockaddr* from, socklen_t* length, int flags)
{
    if (s.kind == socket_kind::reader || s.kind == socket_kind::writer)
        return answer::failed(ENOTSOCK);
    if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0)
        return answer::failed(EINVAL);
    if (s.kind == socket_kind::udp)
        return answer::failed(EOPNOTSUPP);
    if (s.at != stage::listening)
        return answer::failed(EINVAL);
    if (s.waiting_to_be_accepted.empty())
        return answer::failed(EAGAIN);
    socket* next = s.waiting_to_be_accepted.front();
    next->watched = s.watched;
    if (is_watched(*next)) {
        const decision decided = watcher_->begin(act::accept, *next, next->connecting);
        const int error = decided.error == end_of_file ? ECONNABORTED : decided.error;
        watcher_->end(act::accept, *next, next->connecting, error, 0);
        next->connecting = {};
        if (error != 0) {
            // For want of descriptors it stays in the line; any other error is its own.
            if (error != EMFILE && error != ENFILE && error != ENOMEM && error != ENOBUFS) {
                s.waiting_to_be_accepted.pop_front();
                abort(*next);
                release(next);
            }
            return answer::failed(error);
        }
    }
    if (give_number(*next) < 0)
        return answer::failed(EMFILE);
    s.waiting_to_be_accepted.pop_front();
    next->orphan = false;
    next->blocking = (flags & SOCK_NONBLOCK) == 0;
    next->close_on_exec = (flags & SOCK_CLOEXEC) != 0;
    if (from)
        write_address(next->peer, from, length);
    return {next->number};
}

answer kernel::local_name(socket& s, sockaddr* to, socklen_t* length)
{
    if (s.kind == socket_kind::reader || s.kind == socket_kind::writer)
        return answer::failed(ENOTSOCK);
    write_address(s.local, to, length);
    return {0};
}

answer kernel::peer_name(socket& s, sockaddr* to, socklen_t* length)
{
    if (s.kind == socket_kind::reader || s.kind == socket_kind::writer)
        return answer::failed(ENOTSOCK);
    if (s.at != stage::established)
        return answer::failed(ENOTCONN);
    write_address(s.peer, to, length);
    return {0};
}

} // namespace mishap::network
