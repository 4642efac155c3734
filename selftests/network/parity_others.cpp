// SPDX-License-Identifier: MIT
// UDP, Unix sockets, pipes, poll, select and epoll.

#include "parity.hpp"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <string>

namespace parity {

namespace {

descriptor udp_socket()
{
    descriptor made(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const place where = loopback(0);
    ::bind(made, where.address(), where.length);
    return made;
}

sockaddr_un path_of(const std::string& path)
{
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    ::memcpy(where.sun_path, path.c_str(), path.size() + 1);
    return where;
}

const std::string& socket_path()
{
    static const std::string path = "/tmp/mishap_parity_" + std::to_string(::getpid());
    return path;
}

long connect_to(int s, const sockaddr_un& where)
{
    return ::connect(s, reinterpret_cast<const sockaddr*>(&where), sizeof where);
}

long bind_to(int s, const sockaddr_un& where)
{
    return ::bind(s, reinterpret_cast<const sockaddr*>(&where), sizeof where);
}

void datagrams(notes& note)
{
    descriptor a = udp_socket();
    descriptor b = udp_socket();
    const place to = place_of(b);
    std::array<char, 16> buffer{};
    note("recv", ::recv(b, buffer.data(), buffer.size(), 0));
    note("send without an address", ::send(a, "x", 1, 0));
    note("sendto", ::sendto(a, "one", 3, 0, to.address(), to.length));
    note("sendto", ::sendto(a, "", 0, 0, to.address(), to.length));
    note("sendto", ::sendto(a, "three", 5, 0, to.address(), to.length));
    note.say("poll", events(await(b, POLLIN) | ready(b)));
    place from;
    note("recvfrom", ::recvfrom(b, buffer.data(), buffer.size(), 0, from.address(), &from.length));
    note("the sender's family", from.storage.ss_family == AF_INET);
    note("recv an empty one", ::recv(b, buffer.data(), buffer.size(), 0));
    iovec small{buffer.data(), 2};
    msghdr message{};
    message.msg_iov = &small;
    message.msg_iovlen = 1;
    note("recvmsg into two bytes", ::recvmsg(b, &message, 0));
    note("it was cut", (message.msg_flags & MSG_TRUNC) != 0);
    note("recv again", ::recv(b, buffer.data(), buffer.size(), 0));
    const std::string huge(70'000, 'x');
    note("sendto of too much", ::sendto(a, huge.data(), huge.size(), 0, to.address(), to.length));
    note("connect", ::connect(a, to.address(), to.length));
    note("send", ::send(a, "four", 4, 0));
    await(b, POLLIN);
    note("recv", ::recv(b, buffer.data(), buffer.size(), 0));
    note("listen", ::listen(a, 1));
    note("accept", ::accept(a, nullptr, nullptr));
}

void datagrams_to_nobody(notes& note)
{
    descriptor a = udp_socket();
    place to;
    {
        descriptor gone = udp_socket();
        to = place_of(gone);
    }
    std::array<char, 16> buffer{};
    note("sendto", ::sendto(a, "x", 1, 0, to.address(), to.length));
    note("recv", ::recv(a, buffer.data(), buffer.size(), 0));
    note("connect", ::connect(a, to.address(), to.length));
    note("send", ::send(a, "x", 1, 0));
    note.say("poll", events(await(a, POLLIN) | ready(a)));
    note("recv", ::recv(a, buffer.data(), buffer.size(), 0));
    note("recv again", ::recv(a, buffer.data(), buffer.size(), 0));
    note("send", ::send(a, "x", 1, 0));
    await(a, POLLIN);
    note("send again", ::send(a, "x", 1, 0));
}

void datagrams_from_strangers(notes& note)
{
    descriptor a = udp_socket();
    descriptor b = udp_socket();
    descriptor stranger = udp_socket();
    const place to = place_of(b);
    ::connect(a, to.address(), to.length);
    const place mine = place_of(a);
    std::array<char, 16> buffer{};
    note("sendto by a stranger", ::sendto(stranger, "x", 1, 0, mine.address(), mine.length));
    note("recv", ::recv(a, buffer.data(), buffer.size(), 0));
    note("sendto by the peer", ::sendto(b, "ok", 2, 0, mine.address(), mine.length));
    await(a, POLLIN);
    note("recv", ::recv(a, buffer.data(), buffer.size(), 0));
}

void a_pair(notes& note)
{
    int ends[2];
    note("socketpair", ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
    descriptor a(ends[0]);
    descriptor b(ends[1]);
    std::array<char, 16> buffer{};
    note.say("poll", events(ready(a)));
    note("read", ::read(b, buffer.data(), buffer.size()));
    note("write", ::write(a, "hello", 5));
    note("read", ::read(b, buffer.data(), 2));
    note("shutdown", ::shutdown(a, SHUT_WR));
    note.say("poll the other", events(ready(b)));
    note("read", ::read(b, buffer.data(), buffer.size()));
    note("read", ::read(b, buffer.data(), buffer.size()));
    note("send the other way", ::send(b, "yes", 3, MSG_NOSIGNAL));
    note("send after the shutdown", ::send(a, "x", 1, MSG_NOSIGNAL));
    note("close", b.close());
    note.say("poll", events(ready(a)));
    note("read", ::read(a, buffer.data(), buffer.size()));
    note("read", ::read(a, buffer.data(), buffer.size()));
    note("send", ::send(a, "x", 1, MSG_NOSIGNAL));
}

void a_pair_with_unread_bytes(notes& note)
{
    int ends[2];
    ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
    descriptor a(ends[0]);
    descriptor b(ends[1]);
    std::array<char, 16> buffer{};
    note("write", ::write(a, "unread", 6));
    note("close", b.close());
    note.say("poll", events(ready(a)));
    note("read", ::read(a, buffer.data(), buffer.size()));
    note("read", ::read(a, buffer.data(), buffer.size()));
}

void unix_sockets(notes& note)
{
    const sockaddr_un where = path_of(socket_path());
    ::unlink(socket_path().c_str());
    descriptor s(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    std::array<char, 16> buffer{};
    note.say("poll a fresh one", events(ready(s)));
    note("recv", ::recv(s, buffer.data(), buffer.size(), 0));
    note("send", ::send(s, "x", 1, MSG_NOSIGNAL));
    note("connect to no path", connect_to(s, where));
    descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    note("listen unbound", ::listen(listener, 1));
    note("bind", bind_to(listener, where));
    note("connect before it listens", connect_to(s, where));
    note("listen", ::listen(listener, 1));
    note("connect", connect_to(s, where));
    note("connect again", connect_to(s, where));
    note.say("poll the listener", events(ready(listener)));
    descriptor far(::accept(listener, nullptr, nullptr));
    note("accept", far >= 0 ? 0 : -1);
    note("send", ::send(s, "local", 5, 0));
    note("recv", ::recv(far, buffer.data(), buffer.size(), MSG_DONTWAIT));
    descriptor other(::socket(AF_UNIX, SOCK_STREAM, 0));
    note("bind to the same path", bind_to(other, where));
    note("close the listener", listener.close());
    note("connect to what was closed", connect_to(other, where));
    note("bind to what was closed", bind_to(other, where));
    note("unlink", ::unlink(socket_path().c_str()));
    note("bind", bind_to(other, where));
    ::unlink(socket_path().c_str());
}

void unix_backlog(notes& note)
{
    const sockaddr_un where = path_of(socket_path());
    ::unlink(socket_path().c_str());
    descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    bind_to(listener, where);
    ::listen(listener, 1);
    std::array<descriptor, 3> clients;
    for (descriptor& s : clients) {
        s = descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
        note("connect", connect_to(s, where));
    }
    ::unlink(socket_path().c_str());
}

void pipes(notes& note)
{
    int ends[2];
    note("pipe2", ::pipe2(ends, O_NONBLOCK | O_CLOEXEC));
    descriptor out(ends[0]);
    descriptor in(ends[1]);
    std::array<char, 16> buffer{};
    note.say("poll the reader", events(ready(out)));
    note.say("poll the writer", events(ready(in)));
    note("read", ::read(out, buffer.data(), buffer.size()));
    note("write", ::write(in, "hello", 5));
    note("write to the reader", ::write(out, "x", 1));
    note("read", ::read(out, buffer.data(), buffer.size()));
    note("recv", ::recv(out, buffer.data(), buffer.size(), 0));
    const std::string block(4096, 'x');
    long total = 0;
    long sent = 0;
    while ((sent = ::write(in, block.data(), block.size())) > 0)
        total += sent;
    note("write", sent);
    note("written", total);
    note.say("poll the writer", events(ready(in)));
    std::string all(65'536, '\0');
    note("read", ::read(out, all.data(), all.size()));
    note.say("poll the writer", events(ready(in)));
    ::write(in, "last", 4);
    note("close the writer", in.close());
    note.say("poll the reader", events(ready(out)));
    note("read", ::read(out, buffer.data(), buffer.size()));
    note("read", ::read(out, buffer.data(), buffer.size()));
    note("flags", ::fcntl(out, F_GETFL) & (O_NONBLOCK | O_ACCMODE));
}

void a_pipe_that_nobody_reads(notes& note)
{
    int ends[2];
    ::pipe2(ends, O_NONBLOCK);
    descriptor in(ends[1]);
    note("close the reader", ::close(ends[0]));
    note.say("poll the writer", events(ready(in)));
}

void selects(notes& note)
{
    connection c = connected();
    fd_set reads;
    fd_set writes;
    const auto look = [&](const char* what) {
        FD_ZERO(&reads);
        FD_ZERO(&writes);
        FD_SET(c.client, &reads);
        FD_SET(c.client, &writes);
        timeval at_once{};
        note(what, ::select(c.client + 1, &reads, &writes, nullptr, &at_once));
        note("it can be read", FD_ISSET(c.client, &reads) != 0);
        note("it can be written", FD_ISSET(c.client, &writes) != 0);
    };
    look("select");
    ::send(c.server, "x", 1, 0);
    await(c.client, POLLIN);
    look("select with bytes");
    c.server.close();
    await(c.client, POLLRDHUP);
    look("select at the end");
}

std::string taken(int epoll)
{
    std::array<epoll_event, 8> found{};
    const int count = ::epoll_wait(epoll, found.data(), found.size(), 0);
    std::string text = std::to_string(count);
    for (int i = 0; i < count; ++i)
        text += " " + std::to_string(found[static_cast<std::size_t>(i)].data.u32) + ":" +
                events(found[static_cast<std::size_t>(i)].events);
    return text;
}

long control(int epoll, int operation, int socket, unsigned events, unsigned mark = 1)
{
    epoll_event event{};
    event.events = events;
    event.data.u32 = mark;
    return ::epoll_ctl(epoll, operation, socket, &event);
}

void epoll_by_level(notes& note)
{
    connection c = connected();
    descriptor e(::epoll_create1(EPOLL_CLOEXEC));
    note("add", control(e, EPOLL_CTL_ADD, c.client, EPOLLIN));
    note("add again", control(e, EPOLL_CTL_ADD, c.client, EPOLLIN));
    note("modify another", control(e, EPOLL_CTL_MOD, c.server, EPOLLIN));
    note("remove another", control(e, EPOLL_CTL_DEL, c.server, 0));
    note.say("wait", taken(e));
    ::send(c.server, "xy", 2, 0);
    await(c.client, POLLIN);
    note.say("wait", taken(e));
    note.say("wait again", taken(e));
    char byte = 0;
    ::recv(c.client, &byte, 1, 0);
    note.say("with one byte left", taken(e));
    ::recv(c.client, &byte, 1, 0);
    note.say("with none", taken(e));
    note("modify", control(e, EPOLL_CTL_MOD, c.client, EPOLLIN | EPOLLOUT, 7));
    note.say("wait", taken(e));
    note("remove", control(e, EPOLL_CTL_DEL, c.client, 0));
    note.say("wait", taken(e));
}

void epoll_by_edge(notes& note)
{
    connection c = connected();
    descriptor e(::epoll_create1(0));
    note("add", control(e, EPOLL_CTL_ADD, c.client, EPOLLIN | EPOLLOUT | EPOLLET));
    note.say("wait", taken(e));
    note.say("wait again", taken(e));
    ::send(c.server, "ab", 2, 0);
    await(c.client, POLLIN);
    note.say("with bytes", taken(e));
    note.say("wait again", taken(e));
    ::send(c.server, "c", 1, 0);
    note.say("with one more", taken(e));
    char bytes[8];
    ::recv(c.client, bytes, 1, 0);
    note.say("after one was read", taken(e));
    ::recv(c.client, bytes, 8, 0);
    note.say("after all were read", taken(e));
    note("modify", control(e, EPOLL_CTL_MOD, c.client, EPOLLIN | EPOLLOUT | EPOLLET));
    note.say("wait", taken(e));
    ::shutdown(c.server, SHUT_WR);
    await(c.client, POLLRDHUP);
    note.say("at the end", taken(e));
    note.say("wait again", taken(e));
    ::shutdown(c.client, SHUT_WR);
    note.say("both have ended", taken(e));
}

void epoll_once(notes& note)
{
    connection c = connected();
    descriptor e(::epoll_create1(0));
    note("add", control(e, EPOLL_CTL_ADD, c.client, EPOLLOUT | EPOLLONESHOT));
    note.say("wait", taken(e));
    note.say("wait again", taken(e));
    note("modify", control(e, EPOLL_CTL_MOD, c.client, EPOLLOUT | EPOLLONESHOT));
    note.say("wait", taken(e));
}

void epoll_and_space(notes& note)
{
    connection c = connected();
    descriptor e(::epoll_create1(0));
    control(e, EPOLL_CTL_ADD, c.client, EPOLLOUT | EPOLLET);
    taken(e);
    const std::string big(1 << 16, 'x');
    long total = 0;
    long sent = 0;
    while ((sent = ::send(c.client, big.data(), big.size(), MSG_NOSIGNAL)) > 0)
        total += sent;
    note.say("full", taken(e));
    std::string all(1 << 16, '\0');
    for (long got = 0; got < total;) {
        await(c.server, POLLIN);
        got += ::recv(c.server, all.data(), all.size(), 0);
    }
    await(c.client, POLLOUT);
    note.say("read", taken(e));
    note.say("wait again", taken(e));
}

void epoll_of_a_connect(notes& note)
{
    place where;
    {
        descriptor gone = listening();
        where = place_of(gone);
    }
    descriptor s = tcp_socket();
    descriptor e(::epoll_create1(0));
    note("add", control(e, EPOLL_CTL_ADD, s, EPOLLIN | EPOLLOUT | EPOLLET));
    note.say("before", taken(e));
    ::connect(s, where.address(), where.length);
    await(s, POLLOUT);
    note.say("refused", taken(e));
    note("close", s.close());
    note.say("closed", taken(e));
}

void uses_what_is_closed(notes& note)
{
    descriptor s = tcp_socket();
    const int number = s;
    s.close();
    char byte = 0;
    note("close", ::close(number));
    note("recv", ::recv(number, &byte, 1, 0));
    note("send", ::send(number, &byte, 1, MSG_NOSIGNAL));
    note("shutdown", ::shutdown(number, SHUT_RD));
    note.say("poll", events(ready(number)));
}

void sets_flags(notes& note)
{
    descriptor s(::socket(AF_INET, SOCK_STREAM, 0));
    note("flags", ::fcntl(s, F_GETFL) & (O_NONBLOCK | O_ACCMODE));
    note("set", ::fcntl(s, F_SETFL, O_NONBLOCK));
    note("flags", ::fcntl(s, F_GETFL) & (O_NONBLOCK | O_ACCMODE));
    note("descriptor flags", ::fcntl(s, F_GETFD));
    note("set", ::fcntl(s, F_SETFD, FD_CLOEXEC));
    note("descriptor flags", ::fcntl(s, F_GETFD));
    descriptor both(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    note("descriptor flags", ::fcntl(both, F_GETFD));
    note("flags", ::fcntl(both, F_GETFL) & O_NONBLOCK);
    note("another protocol", ::socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
}

void resolves(notes& note)
{
    const auto look = [&](const char* host, const char* service, int flags, int type) {
        addrinfo hints{};
        hints.ai_flags = flags;
        hints.ai_socktype = type;
        addrinfo* found = nullptr;
        const int error = ::getaddrinfo(host, service, &hints, &found);
        std::string text = error == 0 ? "" : ::gai_strerror(error);
        for (const addrinfo* one = found; one; one = one->ai_next) {
            std::array<char, 64> name{};
            std::array<char, 16> port{};
            ::getnameinfo(one->ai_addr, one->ai_addrlen, name.data(), name.size(), port.data(), port.size(),
                NI_NUMERICHOST | NI_NUMERICSERV);
            text += std::string(text.empty() ? "" : " ") + name.data() + "/" + port.data() + "/" +
                    std::to_string(one->ai_socktype) + "/" + std::to_string(one->ai_protocol);
        }
        if (found)
            ::freeaddrinfo(found);
        note.say(std::string(host ? host : "no host") + ", " + (service ? service : "no service"), text);
    };
    look("127.0.0.1", "80", 0, SOCK_STREAM);
    look("127.0.0.1", "80", 0, 0);
    look("::1", "80", AI_NUMERICHOST, SOCK_STREAM);
    look(nullptr, "80", AI_PASSIVE | AI_NUMERICSERV, SOCK_STREAM);
    look(nullptr, "80", AI_NUMERICSERV, SOCK_STREAM);
    look("10.0.0.1", nullptr, AI_NUMERICHOST, SOCK_DGRAM);
    look("no.number", "80", AI_NUMERICHOST, SOCK_STREAM);
    look("127.0.0.1", "no_service", AI_NUMERICSERV, SOCK_STREAM);
    look(nullptr, nullptr, 0, SOCK_STREAM);
}

} // namespace

const std::vector<program>& others()
{
    static const std::vector<program> all{{"datagrams", datagrams},
        {"datagrams to nobody", datagrams_to_nobody}, {"datagrams from strangers", datagrams_from_strangers},
        {"a pair", a_pair}, {"a pair with unread bytes", a_pair_with_unread_bytes},
        {"Unix sockets", unix_sockets}, {"the backlog of a Unix socket", unix_backlog}, {"pipes", pipes},
        {"a pipe that nobody reads", a_pipe_that_nobody_reads}, {"select", selects},
        {"epoll by level", epoll_by_level}, {"epoll by edge", epoll_by_edge}, {"epoll once", epoll_once},
        {"epoll and space", epoll_and_space}, {"epoll of a connect", epoll_of_a_connect},
        {"uses what is closed", uses_what_is_closed}, {"sets flags", sets_flags},
        {"resolves numbers", resolves}};
    return all;
}

} // namespace parity
