// SPDX-License-Identifier: MIT
// The part of the seam that answers calls on sockets and pipes from the network in memory.

#include "seam.hpp"
#include "seam_real.hpp"

#include "network/descriptors.hpp"
#include "network/kernel.hpp"
#include "network/names.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

namespace mishap::detail {

void link_sockets() noexcept {}

namespace {

using network::answer;

/// The network of this thread's simulation for a new socket; null where that is to be a real one.
network::kernel* network_for_new() noexcept
{
    seam* const here = active_seam();
    if (!here)
        return nullptr;
    return here->observer ? here->observer->opens_socket() : here->network;
}

struct found_socket
{
    seam* here = nullptr;
    network::socket* socket = nullptr;
    explicit operator bool() const noexcept { return socket != nullptr; }
    network::kernel& kernel() const noexcept { return *here->network; }
};

found_socket find_socket(int number) noexcept
{
    seam* const here = active_seam();
    if (!here || !here->network)
        return {};
    return {here, here->network->find(number)};
}

/// A number that a socket in memory had, and that nothing has now.
bool is_stale(int number, network::act what) noexcept
{
    if (number < 512 || !network::is_reserved(number))
        return false;
    seam* const here = active_seam();
    if (here && here->network)
        here->network->used_when_closed(number, what);
    errno = EBADF;
    return true;
}

/// The calls for sockets alone refuse an end of a pipe.
bool is_pipe(const found_socket& s) noexcept
{
    const bool pipe =
        s.socket->kind == network::socket_kind::reader || s.socket->kind == network::socket_kind::writer;
    if (pipe)
        errno = ENOTSOCK;
    return pipe;
}

ssize_t give(const answer& from) noexcept
{
    if (from.error == 0)
        return from.value;
    errno = from.error;
    return -1;
}

int give_int(const answer& from) noexcept { return static_cast<int>(give(from)); }

/// Repeats a call until it does not have to wait any more. Serves blocking sockets: what the network does by
/// itself goes on meanwhile, and virtual time passes.
template <class Call>
answer wait_for(const found_socket& s, bool may_wait, duration patience, const char* name, Call call)
{
    answer given = call();
    if (given.error != EAGAIN && given.error != EINPROGRESS)
        return given;
    if (!may_wait)
        return given;
    const duration until = patience == duration(0) ? network::never : s.here->now + patience;
    const int number = s.socket->number;
    const std::uint64_t serial = s.socket->serial;
    while (given.error == EAGAIN) {
        if (!let_time_pass(*s.here, until, name))
            return given;
        if (network::socket* still = s.kernel().find(number); !still || still->serial != serial)
            return answer::failed(EBADF);
        given = call();
    }
    return given;
}

bool waits(const network::socket& s, int flags) noexcept { return s.blocking && (flags & MSG_DONTWAIT) == 0; }

/// A program that neither ignores SIGPIPE nor asks for no signal is ended by it.
void broken_pipe(seam& here) noexcept
{
    struct sigaction known
    {};
    ::sigaction(SIGPIPE, nullptr, &known);
    const bool is_default = (known.sa_flags & SA_SIGINFO) == 0 && known.sa_handler == SIG_DFL;
    if (is_default && here.observer)
        here.observer->breaks_pipe();
    else if (is_default || (known.sa_flags & SA_SIGINFO) != 0 || known.sa_handler != SIG_IGN)
        ::raise(SIGPIPE);
}

answer send_on(const found_socket& s, std::span<const iovec> buffers, int flags, const sockaddr* to,
    socklen_t length, const char* name)
{
    std::size_t total = 0;
    for (const iovec& one : buffers)
        total += one.iov_len;
    answer given = wait_for(s, waits(*s.socket, flags), s.socket->send_timeout, name,
        [&] { return s.kernel().send(*s.socket, buffers, flags, to, length); });
    // A blocking stream takes all of it.
    const bool stream = s.socket->kind != network::socket_kind::udp;
    while (stream && given.value > 0 && static_cast<std::size_t>(given.value) < total &&
           waits(*s.socket, flags)) {
        std::vector<iovec> rest;
        auto skip = static_cast<std::size_t>(given.value);
        for (const iovec& one : buffers) {
            const std::size_t part = std::min(skip, one.iov_len);
            skip -= part;
            if (part < one.iov_len)
                rest.push_back({static_cast<char*>(one.iov_base) + part, one.iov_len - part});
        }
        const answer more = wait_for(s, true, s.socket->send_timeout, name,
            [&] { return s.kernel().send(*s.socket, rest, flags, to, length); });
        if (more.error != 0)
            return given;
        given.value += more.value;
    }
    if (given.error == EPIPE && (flags & MSG_NOSIGNAL) == 0 && stream)
        broken_pipe(*s.here);
    return given;
}

answer receive_on(const found_socket& s, std::span<const iovec> buffers, int flags, sockaddr* from,
    socklen_t* length, int* message_flags, const char* name)
{
    return wait_for(s, waits(*s.socket, flags), s.socket->receive_timeout, name,
        [&] { return s.kernel().receive(*s.socket, buffers, flags, from, length, message_flags); });
}

void name_it(const char* call) noexcept
{
    if (seam* const here = active_seam(); here && here->observer)
        here->observer->leaves(call);
}

} // namespace
} // namespace mishap::detail

using namespace mishap::detail;
namespace network = mishap::network;

extern "C" {

int socket(int domain, int type, int protocol) noexcept
{
    static const auto next = real<int (*)(int, int, int) noexcept>("socket");
    if (!active_seam())
        return next(domain, type, protocol);
    const int base = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    const bool known =
        ((domain == AF_INET || domain == AF_INET6) && (base == SOCK_STREAM || base == SOCK_DGRAM)) ||
        (domain == AF_UNIX && base == SOCK_STREAM);
    if (!known) {
        name_it("socket() of a family or type that is not simulated");
        return next(domain, type, protocol);
    }
    if (network::kernel* in = network_for_new())
        return give_int(in->open_socket(domain, type, protocol));
    return next(domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int numbers[2]) noexcept
{
    static const auto next = real<int (*)(int, int, int, int*) noexcept>("socketpair");
    if (!active_seam())
        return next(domain, type, protocol, numbers);
    if (domain == AF_UNIX && (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) {
        name_it("socketpair() of a type that is not simulated");
        return next(domain, type, protocol, numbers);
    }
    if (network::kernel* in = network_for_new())
        return give_int(in->pair(domain, type, protocol, numbers));
    return next(domain, type, protocol, numbers);
}

int pipe2(int numbers[2], int flags) noexcept
{
    static const auto next = real<int (*)(int*, int) noexcept>("pipe2");
    if (active_seam())
        if (network::kernel* in = network_for_new())
            return give_int(in->open_pipe(numbers, flags));
    return next(numbers, flags);
}

int close(int number)
{
    static const auto next = real<int (*)(int)>("close");
    if (seam* const here = active_seam()) {
        if (const auto s = find_socket(number))
            return give_int(s.kernel().close(number));
        if (here->network)
            here->network->epoll_closed(number);
    }
    if (is_stale(number, network::act::close))
        return -1;
    return next(number);
}

int bind(int number, const sockaddr* to, socklen_t length) noexcept
{
    static const auto next = real<int (*)(int, const sockaddr*, socklen_t) noexcept>("bind");
    if (const auto s = find_socket(number))
        return give_int(s.kernel().bind(*s.socket, to, length));
    return next(number, to, length);
}

int listen(int number, int backlog) noexcept
{
    static const auto next = real<int (*)(int, int) noexcept>("listen");
    if (const auto s = find_socket(number))
        return give_int(s.kernel().listen(*s.socket, backlog));
    return next(number, backlog);
}

int connect(int number, const sockaddr* to, socklen_t length)
{
    static const auto next = real<int (*)(int, const sockaddr*, socklen_t)>("connect");
    if (const auto s = find_socket(number)) {
        network::socket& one = *s.socket;
        network::answer given = s.kernel().connect(one, to, length);
        if (!one.blocking || (given.error != EINPROGRESS && given.error != EAGAIN && given.error != EALREADY))
            return give_int(given);
        const answer ended = wait_for(s, true, one.send_timeout, "connect",
            [&] { return one.at == network::stage::connecting ? answer::failed(EAGAIN) : answer{}; });
        if (ended.error != 0)
            return give_int(ended.error == EAGAIN ? given : ended);
        one.connect_unseen = false;
        if (one.error != 0)
            return give_int(network::answer::failed(std::exchange(one.error, 0)));
        return 0;
    }
    if (is_stale(number, network::act::connect))
        return -1;
    return next(number, to, length);
}

int accept4(int number, sockaddr* from, socklen_t* length, int flags)
{
    static const auto next = real<int (*)(int, sockaddr*, socklen_t*, int)>("accept4");
    if (const auto s = find_socket(number))
        return give_int(wait_for(s, s.socket->blocking, s.socket->receive_timeout, "accept",
            [&] { return s.kernel().accept(*s.socket, from, length, flags); }));
    if (is_stale(number, network::act::accept))
        return -1;
    name_real_wait(number, "accept (while nobody connects)");
    return next(number, from, length, flags);
}

int accept(int number, sockaddr* from, socklen_t* length) { return accept4(number, from, length, 0); }

int shutdown(int number, int how) noexcept
{
    static const auto next = real<int (*)(int, int) noexcept>("shutdown");
    if (const auto s = find_socket(number))
        return give_int(s.kernel().shutdown(*s.socket, how));
    if (is_stale(number, network::act::shutdown))
        return -1;
    return next(number, how);
}

int getsockname(int number, sockaddr* to, socklen_t* length) noexcept
{
    static const auto next = real<int (*)(int, sockaddr*, socklen_t*) noexcept>("getsockname");
    if (const auto s = find_socket(number))
        return give_int(s.kernel().local_name(*s.socket, to, length));
    return next(number, to, length);
}

int getpeername(int number, sockaddr* to, socklen_t* length) noexcept
{
    static const auto next = real<int (*)(int, sockaddr*, socklen_t*) noexcept>("getpeername");
    if (const auto s = find_socket(number))
        return give_int(s.kernel().peer_name(*s.socket, to, length));
    return next(number, to, length);
}

int getsockopt(int number, int level, int name, void* value, socklen_t* length) noexcept
{
    static const auto next = real<int (*)(int, int, int, void*, socklen_t*) noexcept>("getsockopt");
    if (const auto s = find_socket(number))
        return give_int(s.kernel().get_option(*s.socket, level, name, value, length));
    return next(number, level, name, value, length);
}

int setsockopt(int number, int level, int name, const void* value, socklen_t length) noexcept
{
    static const auto next = real<int (*)(int, int, int, const void*, socklen_t) noexcept>("setsockopt");
    if (const auto s = find_socket(number))
        return give_int(s.kernel().set_option(*s.socket, level, name, value, length));
    return next(number, level, name, value, length);
}

ssize_t sendto(int number, const void* from, size_t count, int flags, const sockaddr* to, socklen_t length)
{
    static const auto next =
        real<ssize_t (*)(int, const void*, size_t, int, const sockaddr*, socklen_t)>("sendto");
    if (const auto s = find_socket(number)) {
        if (is_pipe(s))
            return -1;
        const iovec one{const_cast<void*>(from), count};
        return give(send_on(s, {&one, 1}, flags, to, length, "send"));
    }
    if (is_stale(number, network::act::send))
        return -1;
    return next(number, from, count, flags, to, length);
}

ssize_t send(int number, const void* from, size_t count, int flags)
{
    return sendto(number, from, count, flags, nullptr, 0);
}

ssize_t sendmsg(int number, const msghdr* message, int flags)
{
    static const auto next = real<ssize_t (*)(int, const msghdr*, int)>("sendmsg");
    if (const auto s = find_socket(number)) {
        if (is_pipe(s))
            return -1;
        if (message->msg_controllen != 0 && s.socket->kind == network::socket_kind::local) {
            name_it("sendmsg() with descriptors or credentials");
            errno = EOPNOTSUPP;
            return -1;
        }
        return give(send_on(s, {message->msg_iov, message->msg_iovlen}, flags,
            static_cast<const sockaddr*>(message->msg_name), message->msg_namelen, "sendmsg"));
    }
    if (is_stale(number, network::act::send))
        return -1;
    return next(number, message, flags);
}

ssize_t recvfrom(int number, void* to, size_t count, int flags, sockaddr* from, socklen_t* length)
{
    static const auto next = real<ssize_t (*)(int, void*, size_t, int, sockaddr*, socklen_t*)>("recvfrom");
    if (const auto s = find_socket(number)) {
        if (is_pipe(s))
            return -1;
        const iovec one{to, count};
        return give(receive_on(s, {&one, 1}, flags, from, length, nullptr, "recv"));
    }
    if (is_stale(number, network::act::receive))
        return -1;
    if ((flags & MSG_DONTWAIT) == 0)
        name_real_wait(number, "recv (of what nobody has sent)");
    return next(number, to, count, flags, from, length);
}

ssize_t recv(int number, void* to, size_t count, int flags)
{
    return recvfrom(number, to, count, flags, nullptr, nullptr);
}

ssize_t __recv_chk(int number, void* to, size_t count, size_t room, int flags)
{
    static const auto next = real<ssize_t (*)(int, void*, size_t, size_t, int)>("__recv_chk");
    if (find_socket(number) && count <= room)
        return recv(number, to, count, flags);
    return next(number, to, count, room, flags);
}

ssize_t __recvfrom_chk(
    int number, void* to, size_t count, size_t room, int flags, sockaddr* from, socklen_t* length)
{
    static const auto next =
        real<ssize_t (*)(int, void*, size_t, size_t, int, sockaddr*, socklen_t*)>("__recvfrom_chk");
    if (find_socket(number) && count <= room)
        return recvfrom(number, to, count, flags, from, length);
    return next(number, to, count, room, flags, from, length);
}

ssize_t recvmsg(int number, msghdr* message, int flags)
{
    static const auto next = real<ssize_t (*)(int, msghdr*, int)>("recvmsg");
    if (const auto s = find_socket(number)) {
        if (is_pipe(s))
            return -1;
        socklen_t length = message->msg_namelen;
        int message_flags = 0;
        const auto given = receive_on(s, {message->msg_iov, message->msg_iovlen}, flags,
            static_cast<sockaddr*>(message->msg_name), message->msg_name ? &length : nullptr, &message_flags,
            "recvmsg");
        if (given.error == 0) {
            message->msg_namelen = message->msg_name ? length : 0;
            message->msg_controllen = 0;
            message->msg_flags = message_flags;
        }
        return give(given);
    }
    if (is_stale(number, network::act::receive))
        return -1;
    if ((flags & MSG_DONTWAIT) == 0)
        name_real_wait(number, "recvmsg (of what nobody has sent)");
    return next(number, message, flags);
}

ssize_t readv(int number, const iovec* buffers, int count)
{
    static const auto next = real<ssize_t (*)(int, const iovec*, int)>("readv");
    if (const auto s = find_socket(number))
        return give(
            receive_on(s, {buffers, static_cast<std::size_t>(count)}, 0, nullptr, nullptr, nullptr, "readv"));
    name_real_wait(number, "readv (of what nobody has written)");
    return next(number, buffers, count);
}

ssize_t read(int number, void* to, size_t count)
{
    static const auto next = real<ssize_t (*)(int, void*, size_t)>("read");
    if (const auto s = find_socket(number)) {
        const iovec one{to, count};
        return give(receive_on(s, {&one, 1}, 0, nullptr, nullptr, nullptr, "read"));
    }
    if (active_seam() && is_stale(number, network::act::receive))
        return -1;
    name_real_wait(number, "read (of what nobody has written)");
    return next(number, to, count);
}

ssize_t __read_chk(int number, void* to, size_t count, size_t room)
{
    static const auto next = real<ssize_t (*)(int, void*, size_t, size_t)>("__read_chk");
    if (find_socket(number) && count <= room)
        return read(number, to, count);
    return next(number, to, count, room);
}

ssize_t writev(int number, const iovec* buffers, int count)
{
    static const auto next = real<ssize_t (*)(int, const iovec*, int)>("writev");
    if (const auto s = find_socket(number))
        return give(send_on(s, {buffers, static_cast<std::size_t>(count)}, 0, nullptr, 0, "writev"));
    return next(number, buffers, count);
}

ssize_t write(int number, const void* from, size_t count)
{
    static const auto next = real<ssize_t (*)(int, const void*, size_t)>("write");
    if (const auto s = find_socket(number)) {
        const iovec one{const_cast<void*>(from), count};
        return give(send_on(s, {&one, 1}, 0, nullptr, 0, "write"));
    }
    if (active_seam() && is_stale(number, network::act::send))
        return -1;
    return next(number, from, count);
}

int ioctl(int number, unsigned long request, ...) noexcept
{
    va_list list;
    va_start(list, request);
    void* const argument = va_arg(list, void*);
    va_end(list);
    static const auto next = real<int (*)(int, unsigned long, ...) noexcept>("ioctl");
    if (const auto s = find_socket(number))
        return give_int(s.kernel().control(*s.socket, request, argument));
    return next(number, request, argument);
}

int fcntl(int number, int command, ...)
{
    va_list list;
    va_start(list, command);
    void* const argument = va_arg(list, void*);
    va_end(list);
    static const auto next = real<int (*)(int, int, ...)>("fcntl");
    if (const auto s = find_socket(number)) {
        if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
            name_it("fcntl(F_DUPFD) of a socket");
            errno = EMFILE;
            return -1;
        }
        return give_int(s.kernel().file_control(*s.socket, command, reinterpret_cast<long>(argument)));
    }
    if (command == F_SETLKW || command == F_OFD_SETLKW)
        return lock_record(number, command, argument);
    return next(number, command, argument);
}

int fcntl64(int number, int command, ...)
{
    va_list list;
    va_start(list, command);
    void* const argument = va_arg(list, void*);
    va_end(list);
    return fcntl(number, command, argument);
}

int dup(int number) noexcept
{
    static const auto next = real<int (*)(int) noexcept>("dup");
    if (find_socket(number)) {
        name_it("dup() of a socket");
        errno = EMFILE;
        return -1;
    }
    return next(number);
}

int dup2(int number, int to) noexcept
{
    static const auto next = real<int (*)(int, int) noexcept>("dup2");
    if (find_socket(number) || find_socket(to)) {
        name_it("dup2() of a socket");
        errno = EBUSY;
        return -1;
    }
    return next(number, to);
}

int dup3(int number, int to, int flags) noexcept
{
    static const auto next = real<int (*)(int, int, int) noexcept>("dup3");
    if (find_socket(number) || find_socket(to)) {
        name_it("dup3() of a socket");
        errno = EBUSY;
        return -1;
    }
    return next(number, to, flags);
}

int unlink(const char* path) noexcept
{
    static const auto next = real<int (*)(const char*) noexcept>("unlink");
    if (seam* const here = active_seam(); here && here->network && here->network->unlink(path))
        return 0;
    return next(path);
}

ssize_t sendfile(int to, int from, off_t* offset, size_t count) noexcept
{
    static const auto next = real<ssize_t (*)(int, int, off_t*, size_t) noexcept>("sendfile");
    if (find_socket(to) || find_socket(from)) {
        name_it("sendfile() on a socket");
        errno = EINVAL;
        return -1;
    }
    return next(to, from, offset, count);
}

int sendmmsg(int number, mmsghdr* messages, unsigned count, int flags)
{
    static const auto next = real<int (*)(int, mmsghdr*, unsigned, int)>("sendmmsg");
    if (!find_socket(number))
        return next(number, messages, count, flags);
    unsigned done = 0;
    for (; done < count; ++done) {
        const ssize_t sent = sendmsg(number, &messages[done].msg_hdr, flags);
        if (sent < 0)
            break;
        messages[done].msg_len = static_cast<unsigned>(sent);
    }
    return done == 0 && count != 0 ? -1 : static_cast<int>(done);
}

int recvmmsg(int number, mmsghdr* messages, unsigned count, int flags, timespec* timeout)
{
    static const auto next = real<int (*)(int, mmsghdr*, unsigned, int, timespec*)>("recvmmsg");
    if (!find_socket(number))
        return next(number, messages, count, flags, timeout);
    unsigned done = 0;
    for (; done < count; ++done) {
        // Only the first one is waited for.
        const ssize_t got =
            recvmsg(number, &messages[done].msg_hdr, done == 0 ? flags : flags | MSG_DONTWAIT);
        if (got < 0)
            break;
        messages[done].msg_len = static_cast<unsigned>(got);
    }
    return done == 0 && count != 0 ? -1 : static_cast<int>(done);
}

int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found)
{
    static const auto next =
        real<int (*)(const char*, const char*, const addrinfo*, addrinfo**)>("getaddrinfo");
    if (!active_seam())
        return next(host, service, hints, found);
    network::kernel* const in = network_for_new();
    if (!in)
        return next(host, service, hints, found);
    network::watcher* const watching = in->watched_by();
    if (!watching || !network::needs_lookup(host))
        return network::resolve(*in, host, service, hints, found);
    std::uint32_t tag = 0;
    const network::decision* decided = watching->begin_resolve(host, tag);
    while (decided->until > active_seam()->now)
        if (!let_time_pass(*active_seam(), decided->until, "getaddrinfo"))
            break;
    const int error =
        decided->error != 0 ? decided->error : network::resolve(*in, host, service, hints, found);
    watching->end_resolve(tag, error);
    return error;
}

int getnameinfo(const sockaddr* of, socklen_t length, char* host, socklen_t host_size, char* service,
    socklen_t service_size, int flags)
{
    static const auto next =
        real<int (*)(const sockaddr*, socklen_t, char*, socklen_t, char*, socklen_t, int)>("getnameinfo");
    if (active_seam())
        if (network::kernel* const in = network_for_new())
            return network::name_info(*in, of, length, host, host_size, service, service_size, flags);
    return next(of, length, host, host_size, service, service_size, flags);
}

hostent* gethostbyname(const char* name)
{
    static const auto next = real<hostent* (*)(const char*)>("gethostbyname");
    name_it("gethostbyname()");
    return next(name);
}

} // extern "C"
