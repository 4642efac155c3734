// SPDX-License-Identifier: MIT
// UDP: messages that keep their bounds, and that nobody answers for.

#include "kernel.hpp"

#include <errno.h>

#include <algorithm>
#include <utility>

namespace mishap::network {

namespace {

constexpr std::size_t longest_datagram = 65'507;

} // namespace

answer kernel::send_datagram(socket& s, std::span<const iovec> buffers, const sockaddr* to, socklen_t length)
{
    if (s.error != 0)
        return answer::failed(std::exchange(s.error, 0));
    address where = s.peer;
    if (to) {
        const auto read = read_address(to, length);
        if (!read)
            return answer::failed(EINVAL);
        if (read->family != s.family && !(s.family == AF_INET6 && read->family == AF_INET))
            return answer::failed(EAFNOSUPPORT);
        where = *read;
    } else if (s.at != stage::established) {
        return answer::failed(EDESTADDRREQ);
    }
    if (s.sends_no_more)
        return answer::failed(EPIPE);
    if (where.port == 0)
        return answer::failed(EINVAL);
    segment sent;
    for (const iovec& one : buffers)
        sent.payload.append(static_cast<const char*>(one.iov_base), one.iov_len);
    const std::size_t size = sent.payload.size();
    if (size > longest_datagram)
        return answer::failed(EMSGSIZE);
    if (where.is_any())
        where = loopback_address(where.family, where.port);
    if (!bind_any(s, where))
        return answer::failed(EAGAIN);
    const address plain = unmapped(where);
    socket* receiver = nullptr;
    for (const auto& held : all_) {
        if (held->kind != socket_kind::udp || !held->bound || held->local.port != plain.port)
            continue;
        const address at = unmapped(held->local);
        const bool here =
            at == plain || (at.is_any() && is_local(plain) && (at.family == plain.family || !held->only_v6));
        // One that is connected takes what comes from its peer, and nothing else.
        const bool from_peer = held->at != stage::established || unmapped(held->peer) == unmapped(s.local);
        if (here && from_peer && (!receiver || at == plain))
            receiver = held.get();
    }
    if (!receiver) {
        // Who is connected learns that nobody is there, as far as a host is.
        if (s.at == stage::established && is_local(plain)) {
            s.error = ECONNREFUSED;
            wake(s, 0);
        }
        return {static_cast<ssize_t>(size)};
    }
    const address from = s.local;
    const std::size_t charge = size + 64;
    if (receiver->datagram_bytes + charge > receiver->receive_buffer)
        return {static_cast<ssize_t>(size)}; // lost, as it would be
    const link* way = link_between(s.local, where);
    if (way)
        for (const link::partition& cut : way->partitions)
            if (now() >= cut.from && now() < cut.to)
                return {static_cast<ssize_t>(size)};
    receiver->datagram_bytes += charge;
    receiver->datagrams.push_back({std::move(sent.payload), as_seen_by(receiver->family, unmapped(from))});
    if (way && way->latency > duration(0)) {
        receiver->datagrams.back().at = arrival_at(*receiver, s, size);
        schedule(receiver->datagrams.back().at, due::gate, *receiver);
    } else {
        wake(*receiver, EPOLLIN);
    }
    return {static_cast<ssize_t>(size)};
}

answer kernel::receive_datagram(socket& s, std::span<const iovec> buffers, int flags, sockaddr* from,
    socklen_t* length, int* message_flags)
{
    if (s.error != 0)
        return answer::failed(std::exchange(s.error, 0));
    if (s.datagrams.empty() || s.datagrams.front().at > now())
        return s.receives_no_more ? answer{0} : answer::failed(EAGAIN);
    const datagram& first = s.datagrams.front();
    std::size_t done = 0;
    for (const iovec& one : buffers) {
        const std::size_t count = std::min(one.iov_len, first.payload.size() - done);
        if (count != 0)
            std::memcpy(one.iov_base, first.payload.data() + done, count);
        done += count;
    }
    const bool cut = done < first.payload.size();
    if (cut && message_flags)
        *message_flags |= MSG_TRUNC;
    if (from)
        write_address(first.from, from, length);
    const auto value = static_cast<ssize_t>((flags & MSG_TRUNC) != 0 ? first.payload.size() : done);
    if ((flags & MSG_PEEK) == 0) {
        s.datagram_bytes -= first.payload.size() + 64;
        s.datagrams.pop_front();
    }
    return {value};
}

} // namespace mishap::network
