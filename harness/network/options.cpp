// SPDX-License-Identifier: MIT
// Options of sockets, and what ioctl() and fcntl() say of them.

#include "kernel.hpp"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace mishap::network {

namespace {

std::uint64_t option_key(int level, int name) noexcept
{
    return (std::uint64_t(static_cast<std::uint32_t>(level)) << 32) | static_cast<std::uint32_t>(name);
}

answer give(const void* from, std::size_t size, void* to, socklen_t* length) noexcept
{
    const auto count = static_cast<socklen_t>(std::min<std::size_t>(*length, size));
    std::memcpy(to, from, count);
    *length = count;
    return {0};
}

answer give(int value, void* to, socklen_t* length) noexcept
{
    return give(&value, sizeof value, to, length);
}

timeval to_timeval(duration d) noexcept
{
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(d);
    return {seconds.count(), std::chrono::duration_cast<std::chrono::microseconds>(d - seconds).count()};
}

/// Options that have no effect here, but that are remembered as they were set.
bool is_remembered(int level, int name) noexcept
{
    switch (level) {
    case SOL_SOCKET:
        return name == SO_PRIORITY || name == SO_DONTROUTE || name == SO_OOBINLINE || name == SO_TIMESTAMP ||
               name == SO_RCVLOWAT || name == SO_MARK || name == SO_INCOMING_CPU;
    case IPPROTO_TCP:
        return name == TCP_KEEPIDLE || name == TCP_KEEPINTVL || name == TCP_KEEPCNT ||
               name == TCP_USER_TIMEOUT || name == TCP_CORK || name == TCP_QUICKACK ||
               name == TCP_DEFER_ACCEPT || name == TCP_SYNCNT || name == TCP_FASTOPEN || name == TCP_MAXSEG ||
               name == TCP_LINGER2 || name == TCP_NOTSENT_LOWAT;
    case IPPROTO_IP:
        return name == IP_TOS || name == IP_TTL || name == IP_MULTICAST_TTL || name == IP_MULTICAST_LOOP ||
               name == IP_RECVERR || name == IP_MTU_DISCOVER || name == IP_PKTINFO;
    case IPPROTO_IPV6:
        return name == IPV6_UNICAST_HOPS || name == IPV6_MULTICAST_HOPS || name == IPV6_MULTICAST_LOOP ||
               name == IPV6_TCLASS || name == IPV6_RECVPKTINFO || name == IPV6_RECVERR;
    default:
        return false;
    }
}

int initial_value(int level, int name) noexcept
{
    if (level == IPPROTO_TCP) {
        switch (name) {
        case TCP_KEEPIDLE:
            return 7200;
        case TCP_KEEPINTVL:
            return 75;
        case TCP_KEEPCNT:
            return 9;
        case TCP_SYNCNT:
            return 6;
        case TCP_MAXSEG:
            return 536;
        case TCP_LINGER2:
            return 60;
        case TCP_QUICKACK:
            return 1;
        case TCP_NOTSENT_LOWAT:
            return -1;
        default:
            return 0;
        }
    }
    if (level == SOL_SOCKET)
        return name == SO_RCVLOWAT ? 1 : name == SO_INCOMING_CPU ? -1 : 0;
    if (level == IPPROTO_IP)
        return name == IP_TTL              ? 64
               : name == IP_MULTICAST_TTL  ? 1
               : name == IP_MULTICAST_LOOP ? 1
               : name == IP_MTU_DISCOVER   ? 1
                                           : 0;
    return name == IPV6_UNICAST_HOPS                                    ? 64
           : name == IPV6_MULTICAST_LOOP || name == IPV6_MULTICAST_HOPS ? 1
                                                                        : 0;
}

} // namespace

answer kernel::get_option(socket& s, int level, int name, void* value, socklen_t* length)
{
    if (s.kind == socket_kind::reader || s.kind == socket_kind::writer)
        return answer::failed(ENOTSOCK);
    if (level == SOL_SOCKET) {
        switch (name) {
        case SO_ERROR:
            return give(std::exchange(s.error, 0), value, length);
        case SO_TYPE:
            return give(s.kind == socket_kind::udp ? SOCK_DGRAM : SOCK_STREAM, value, length);
        case SO_DOMAIN:
            return give(s.family, value, length);
        case SO_PROTOCOL:
            return give(s.protocol, value, length);
        case SO_ACCEPTCONN:
            return give(s.at == stage::listening ? 1 : 0, value, length);
        case SO_REUSEADDR:
            return give(s.reuse_address, value, length);
        case SO_REUSEPORT:
            return give(s.reuse_port, value, length);
        case SO_KEEPALIVE:
            return give(s.keep_alive, value, length);
        case SO_BROADCAST:
            return give(s.broadcast, value, length);
        case SO_RCVBUF:
            return give(static_cast<int>(s.receive_buffer), value, length);
        case SO_SNDBUF:
            return give(static_cast<int>(s.send_buffer), value, length);
        case SO_LINGER: {
            const linger set{s.linger_seconds >= 0, std::max(s.linger_seconds, 0)};
            return give(&set, sizeof set, value, length);
        }
        case SO_RCVTIMEO: {
            const timeval set = to_timeval(s.receive_timeout);
            return give(&set, sizeof set, value, length);
        }
        case SO_SNDTIMEO: {
            const timeval set = to_timeval(s.send_timeout);
            return give(&set, sizeof set, value, length);
        }
        case SO_PEERCRED:
            if (s.kind == socket_kind::local) {
                const ucred self{::getpid(), ::getuid(), ::getgid()};
                return give(&self, sizeof self, value, length);
            }
            break;
        default:
            break;
        }
    }
    if (level == IPPROTO_TCP && s.kind != socket_kind::tcp)
        return answer::failed(EOPNOTSUPP);
    if (level == IPPROTO_TCP && name == TCP_NODELAY)
        return give(s.no_delay, value, length);
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY && s.family == AF_INET6)
        return give(s.only_v6, value, length);
    if (level == IPPROTO_IPV6 && s.family != AF_INET6)
        return answer::failed(EOPNOTSUPP);
    if (!is_remembered(level, name))
        return answer::failed(ENOPROTOOPT);
    for (const auto& [key, set] : s.other_options)
        if (key == option_key(level, name))
            return give(set, value, length);
    return give(initial_value(level, name), value, length);
}

answer kernel::set_option(socket& s, int level, int name, const void* value, socklen_t length)
{
    if (s.kind == socket_kind::reader || s.kind == socket_kind::writer)
        return answer::failed(ENOTSOCK);
    if (!value)
        return answer::failed(EFAULT);
    int number = 0;
    if (length >= sizeof number)
        std::memcpy(&number, value, sizeof number);
    else if (length == 1 && level != SOL_SOCKET)
        number = *static_cast<const unsigned char*>(value);
    else
        return answer::failed(EINVAL);
    const auto buffer_size = [&](std::size_t least) {
        constexpr std::size_t most = 212'992;
        const std::size_t wanted = std::min(most, static_cast<std::size_t>(std::max(number, 0)));
        return std::max(least, wanted * 2); // the kernel doubles it, for its own needs
    };
    if (level == SOL_SOCKET) {
        switch (name) {
        case SO_REUSEADDR:
            s.reuse_address = number != 0;
            return {0};
        case SO_REUSEPORT:
            s.reuse_port = number != 0;
            return {0};
        case SO_KEEPALIVE:
            s.keep_alive = number != 0;
            return {0};
        case SO_BROADCAST:
            s.broadcast = number != 0;
            return {0};
        case SO_RCVBUF:
            s.receive_buffer = buffer_size(2304);
            return {0};
        case SO_SNDBUF:
            s.send_buffer = buffer_size(4608);
            return {0};
        case SO_LINGER: {
            linger set{};
            if (length < sizeof set)
                return answer::failed(EINVAL);
            std::memcpy(&set, value, sizeof set);
            s.linger_seconds = set.l_onoff != 0 ? set.l_linger : -1;
            return {0};
        }
        case SO_RCVTIMEO:
        case SO_SNDTIMEO: {
            timeval set{};
            if (length < sizeof set)
                return answer::failed(EINVAL);
            std::memcpy(&set, value, sizeof set);
            const duration wait = std::chrono::seconds(set.tv_sec) + std::chrono::microseconds(set.tv_usec);
            (name == SO_RCVTIMEO ? s.receive_timeout : s.send_timeout) = wait;
            return {0};
        }
        case SO_ERROR:
        case SO_TYPE:
        case SO_DOMAIN:
        case SO_PROTOCOL:
        case SO_ACCEPTCONN:
            return answer::failed(ENOPROTOOPT);
        default:
            break;
        }
    }
    if (level == IPPROTO_TCP && s.kind != socket_kind::tcp)
        return answer::failed(s.kind == socket_kind::local ? EOPNOTSUPP : ENOPROTOOPT);
    if (level == IPPROTO_TCP && name == TCP_NODELAY) {
        s.no_delay = number != 0;
        return {0};
    }
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY && s.family == AF_INET6) {
        if (s.bound)
            return answer::failed(EINVAL);
        s.only_v6 = number != 0;
        return {0};
    }
    if (!is_remembered(level, name))
        return answer::failed(ENOPROTOOPT);
    for (auto& [key, set] : s.other_options)
        if (key == option_key(level, name)) {
            set = number;
            return {0};
        }
    s.other_options.emplace_back(option_key(level, name), number);
    return {0};
}

answer kernel::control(socket& s, unsigned long request, void* argument)
{
    switch (request) {
    case FIONBIO:
        s.blocking = *static_cast<const int*>(argument) == 0;
        return {0};
    case FIONREAD: {
        if (s.at == stage::listening)
            return answer::failed(EINVAL);
        const bool first = s.kind == socket_kind::udp && !s.datagrams.empty();
        *static_cast<int*>(argument) =
            static_cast<int>(first ? s.datagrams.front().payload.size() : s.incoming.size());
        return {0};
    }
    case SIOCATMARK:
        *static_cast<int*>(argument) = 0;
        return {0};
    case TIOCOUTQ:
        *static_cast<int*>(argument) = static_cast<int>(s.other ? s.other->flying_bytes : 0);
        return {0};
    case FIOCLEX:
    case FIONCLEX:
        s.close_on_exec = request == FIOCLEX;
        return {0};
    default:
        return answer::failed(ENOTTY);
    }
}

answer kernel::file_control(socket& s, int command, long argument)
{
    switch (command) {
    case F_GETFL: {
        const int mode = s.kind == socket_kind::reader   ? O_RDONLY
                         : s.kind == socket_kind::writer ? O_WRONLY
                                                         : O_RDWR;
        return {mode | (s.blocking ? 0 : O_NONBLOCK)};
    }
    case F_SETFL:
        s.blocking = (argument & O_NONBLOCK) == 0;
        return {0};
    case F_GETFD:
        return {s.close_on_exec ? FD_CLOEXEC : 0};
    case F_SETFD:
        s.close_on_exec = (argument & FD_CLOEXEC) != 0;
        return {0};
    default:
        return answer::failed(EINVAL);
    }
}

} // namespace mishap::network
