// SPDX-License-Identifier: MIT
// TCP: how connections begin, carry bytes and end.

#include "parity.hpp"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <string>

namespace parity {

namespace {

long send_text(int to, const char* text) { return ::send(to, text, ::strlen(text), MSG_NOSIGNAL); }

long receive_text(int from, std::string& into, int flags = 0)
{
    std::array<char, 256> buffer{};
    const long got = ::recv(from, buffer.data(), buffer.size(), flags);
    into.assign(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    return got;
}

long so_error(int of)
{
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(of, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
}

long connect_to(int socket, const place& where) { return ::connect(socket, where.address(), where.length); }

void a_fresh_socket(notes& note)
{
    descriptor s = tcp_socket();
    std::string text;
    note.say("poll", events(ready(s)));
    note("recv", receive_text(s, text));
    note("send", send_text(s, "x"));
    note("shutdown", ::shutdown(s, SHUT_WR));
    place where;
    note("getpeername", ::getpeername(s, where.address(), &where.length));
    note("accept", ::accept(s, nullptr, nullptr));
    note("close", s.close());
}

void connects(notes& note)
{
    descriptor listener = listening();
    descriptor s = tcp_socket();
    const place where = place_of(listener);
    note("connect", connect_to(s, where));
    note.say("poll", events(await(s, POLLOUT)));
    note("SO_ERROR", so_error(s));
    note("connect again", connect_to(s, where));
    note("connect once more", connect_to(s, where));
    note.say("poll the listener", events(await(listener, POLLIN)));
    descriptor far(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK));
    note("accept", far >= 0 ? 0 : -1);
    note("accept again", ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK));
    const place mine = place_of(s);
    place theirs;
    note("getpeername", ::getpeername(far, theirs.address(), &theirs.length));
    note.say("it is the client's address",
        ::memcmp(&mine.storage, &theirs.storage, mine.length) == 0 ? "yes" : "no");
    note.say("poll the client", events(ready(s)));
    note.say("poll the server", events(ready(far)));
}

void connects_in_blocking_mode(notes& note)
{
    descriptor listener = listening();
    descriptor s(::socket(AF_INET, SOCK_STREAM, 0));
    note("connect", connect_to(s, place_of(listener)));
    note("connect again", connect_to(s, place_of(listener)));
}

void is_refused(notes& note)
{
    place where;
    {
        descriptor gone = listening();
        where = place_of(gone);
    }
    descriptor s = tcp_socket();
    note("connect", connect_to(s, where));
    note.say("poll", events(await(s, POLLOUT) | ready(s)));
    note("SO_ERROR", so_error(s));
    note("SO_ERROR again", so_error(s));
    note.say("poll", events(ready(s)));
    std::string text;
    note("recv", receive_text(s, text));
    note("send", send_text(s, "x"));
}

void is_refused_and_asks_connect(notes& note)
{
    place where;
    {
        descriptor gone = listening();
        where = place_of(gone);
    }
    descriptor s = tcp_socket();
    note("connect", connect_to(s, where));
    await(s, POLLOUT);
    note("connect again", connect_to(s, where));
    note("and again", connect_to(s, where));
}

void is_refused_in_blocking_mode(notes& note)
{
    place where;
    {
        descriptor gone = listening();
        where = place_of(gone);
    }
    descriptor s(::socket(AF_INET, SOCK_STREAM, 0));
    note("connect", connect_to(s, where));
    note("SO_ERROR", so_error(s));
}

void exchanges_bytes(notes& note)
{
    connection c = connected();
    std::string text;
    note("recv", receive_text(c.server, text));
    note("send", send_text(c.client, "hello"));
    note.say("poll", events(await(c.server, POLLIN)));
    int waiting = 0;
    note("FIONREAD", ::ioctl(c.server, FIONREAD, &waiting));
    note("bytes", waiting);
    note("peek", receive_text(c.server, text, MSG_PEEK));
    note("recv", receive_text(c.server, text));
    note.say("text", text);
    note("recv again", receive_text(c.server, text));
    iovec parts[2] = {{const_cast<char*>("ab"), 2}, {const_cast<char*>("cde"), 3}};
    note("writev", ::writev(c.server, parts, 2));
    await(c.client, POLLIN);
    char first[2];
    char second[2];
    iovec into[2] = {{first, 2}, {second, 2}};
    note("readv", ::readv(c.client, into, 2));
    note("read", ::read(c.client, first, 2));
    note("read nothing", ::read(c.client, first, 0));
    note("read again", ::read(c.client, first, 2));
}

void ends_after_its_last_bytes(notes& note)
{
    connection c = connected();
    std::string text;
    note("send", send_text(c.client, "bye"));
    note("shutdown", ::shutdown(c.client, SHUT_WR));
    note("shutdown again", ::shutdown(c.client, SHUT_WR));
    note("send after it", send_text(c.client, "x"));
    note.say("poll the server", events(await(c.server, POLLIN | POLLRDHUP) | ready(c.server)));
    note("recv", receive_text(c.server, text));
    note("recv", receive_text(c.server, text));
    note("recv", receive_text(c.server, text));
    note("send the other way", send_text(c.server, "still here"));
    await(c.client, POLLIN);
    note("recv", receive_text(c.client, text));
    note.say("poll the client", events(ready(c.client)));
    note("shutdown of the server", ::shutdown(c.server, SHUT_WR));
    note.say("poll the client", events(await(c.client, POLLRDHUP) | ready(c.client)));
    note("recv", receive_text(c.client, text));
    note.say("poll the server", events(ready(c.server)));
    place where;
    note("getpeername", ::getpeername(c.server, where.address(), &where.length));
    note("shutdown once more", ::shutdown(c.server, SHUT_RDWR));
}

void peer_closes(notes& note)
{
    connection c = connected();
    std::string text;
    note("close", c.server.close());
    note.say("poll", events(await(c.client, POLLIN | POLLRDHUP) | ready(c.client)));
    note("recv", receive_text(c.client, text));
    note("send", send_text(c.client, "into the void"));
    note.say("poll", events(await(c.client, POLLERR) | ready(c.client)));
    note("SO_ERROR", so_error(c.client));
    note("send again", send_text(c.client, "x"));
    note("recv", receive_text(c.client, text));
}

void peer_closes_and_we_write_twice(notes& note)
{
    connection c = connected();
    std::string text;
    c.server.close();
    await(c.client, POLLIN);
    note("send", send_text(c.client, "one"));
    await(c.client, POLLERR);
    note("send", send_text(c.client, "two"));
    note("send", send_text(c.client, "three"));
    note("recv", receive_text(c.client, text));
}

void peer_closes_with_unread_bytes(notes& note)
{
    connection c = connected();
    std::string text;
    note("send", send_text(c.client, "unread"));
    await(c.server, POLLIN);
    note("close", c.server.close());
    note.say("poll", events(await(c.client, POLLIN) | ready(c.client)));
    note("recv", receive_text(c.client, text));
    note("recv", receive_text(c.client, text));
    note("send", send_text(c.client, "x"));
    place where;
    note("getpeername", ::getpeername(c.client, where.address(), &where.length));
    note("shutdown", ::shutdown(c.client, SHUT_RDWR));
}

void peer_resets(notes& note)
{
    connection c = connected();
    std::string text;
    const linger at_once{1, 0};
    note("SO_LINGER", ::setsockopt(c.server, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
    note("close", c.server.close());
    note.say("poll", events(await(c.client, POLLIN) | ready(c.client)));
    note("SO_ERROR", so_error(c.client));
    note("SO_ERROR again", so_error(c.client));
    note("recv", receive_text(c.client, text));
    note("send", send_text(c.client, "x"));
}

void peer_sends_and_resets(notes& note)
{
    connection c = connected();
    std::string text;
    note("send", send_text(c.server, "last words"));
    await(c.client, POLLIN);
    const linger at_once{1, 0};
    ::setsockopt(c.server, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    note("close", c.server.close());
    await(c.client, POLLERR);
    note("recv", receive_text(c.client, text));
    note("recv", receive_text(c.client, text));
    note("recv", receive_text(c.client, text));
}

void shuts_down_reading(notes& note)
{
    connection c = connected();
    std::string text;
    note("shutdown", ::shutdown(c.client, SHUT_RD));
    note.say("poll", events(ready(c.client)));
    note("recv", receive_text(c.client, text));
    note("send of the peer", send_text(c.server, "late"));
    await(c.client, POLLIN);
    note("recv", receive_text(c.client, text));
    note("recv", receive_text(c.client, text));
    note("send", send_text(c.client, "x"));
}

void shuts_down_both_ways(notes& note)
{
    connection c = connected();
    std::string text;
    note("shutdown", ::shutdown(c.client, SHUT_RDWR));
    note.say("poll", events(ready(c.client)));
    note("recv", receive_text(c.client, text));
    note("send", send_text(c.client, "x"));
    await(c.server, POLLIN);
    note("recv of the peer", receive_text(c.server, text));
    note("send of the peer", send_text(c.server, "late"));
    note.say("poll the peer", events(await(c.server, POLLERR) | ready(c.server)));
    note("send of the peer", send_text(c.server, "late"));
    note("shutdown with nonsense", ::shutdown(c.client, 7));
}

void fills_the_buffers(notes& note)
{
    connection c = connected();
    std::string text;
    const std::string big(1 << 16, 'x');
    long total = 0;
    long sent = 0;
    while ((sent = ::send(c.client, big.data(), big.size(), MSG_NOSIGNAL)) > 0)
        total += sent;
    note("send", sent);
    note.say("some were taken", total > 4096 ? "yes" : "no");
    note.say("poll", events(ready(c.client, POLLOUT)));
    std::string all(1 << 16, '\0');
    long got = 0;
    while (got < total) {
        await(c.server, POLLIN);
        const long part = ::recv(c.server, all.data(), all.size(), 0);
        if (part <= 0)
            break;
        got += part;
    }
    note.say("all of them came", got == total ? "yes" : "no");
    note.say("poll", events(await(c.client, POLLOUT)));
    note("send", send_text(c.client, "more"));
}

void accepts_in_order(notes& note)
{
    descriptor listener = listening();
    const place where = place_of(listener);
    descriptor first = tcp_socket();
    descriptor second = tcp_socket();
    connect_to(first, where);
    await(first, POLLOUT);
    connect_to(second, where);
    await(second, POLLOUT);
    send_text(first, "1");
    send_text(second, "2");
    descriptor a(::accept(listener, nullptr, nullptr));
    descriptor b(::accept(listener, nullptr, nullptr));
    std::string text;
    note("recv", receive_text(a, text));
    note.say("from", text);
    note("recv", receive_text(b, text));
    note.say("from", text);
}

void accepts_what_was_closed(notes& note)
{
    descriptor listener = listening();
    descriptor s = tcp_socket();
    connect_to(s, place_of(listener));
    await(s, POLLOUT);
    send_text(s, "gone");
    note("close", s.close());
    note.say("poll", events(await(listener, POLLIN)));
    descriptor far(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK));
    note("accept", far >= 0 ? 0 : -1);
    std::string text;
    note("recv", receive_text(far, text));
    note("recv", receive_text(far, text));
}

void listener_closes_with_one_waiting(notes& note)
{
    descriptor listener = listening();
    descriptor s = tcp_socket();
    connect_to(s, place_of(listener));
    await(s, POLLOUT);
    note("close", listener.close());
    note.say("poll", events(await(s, POLLIN) | ready(s)));
    std::string text;
    note("recv", receive_text(s, text));
}

void waits_beyond_the_backlog(notes& note)
{
    descriptor listener = listening(1);
    const place where = place_of(listener);
    std::array<descriptor, 3> clients{tcp_socket(), tcp_socket(), tcp_socket()};
    for (descriptor& s : clients) {
        note("connect", connect_to(s, where));
        note.say("poll", events(ready(s)));
    }
}

void asks_while_connecting(notes& note)
{
    descriptor listener = listening(0);
    const place where = place_of(listener);
    std::array<descriptor, 2> clients{tcp_socket(), tcp_socket()};
    for (descriptor& s : clients)
        connect_to(s, where);
    std::string text;
    descriptor& s = clients[1];
    note("connect again", connect_to(s, where));
    note("recv", receive_text(s, text));
    note("send", send_text(s, "x"));
    place peer;
    note("getpeername", ::getpeername(s, peer.address(), &peer.length));
    note("shutdown", ::shutdown(s, SHUT_WR));
    note.say("poll", events(ready(s)));
}

void takes_ports(notes& note)
{
    descriptor first = tcp_socket();
    place where = loopback(0);
    note("bind", ::bind(first, where.address(), where.length));
    where = place_of(first);
    descriptor second = tcp_socket();
    note("bind to the same", ::bind(second, where.address(), where.length));
    note("listen", ::listen(first, 1));
    const int on = 1;
    ::setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    note("bind to the same, shared", ::bind(second, where.address(), where.length));
    note("bind again", ::bind(first, where.address(), where.length));
    place strange = loopback(0);
    reinterpret_cast<sockaddr_in*>(&strange.storage)->sin_addr.s_addr = htonl(0x08080808);
    descriptor third = tcp_socket();
    note("bind elsewhere", ::bind(third, strange.address(), strange.length));
    note("listen unbound", ::listen(third, 1));
    const place six = loopback(0, AF_INET6);
    note("bind with another family", ::bind(tcp_socket(), six.address(), six.length));
    note("connect with another family", connect_to(tcp_socket(), six));
}

void shares_ports(notes& note)
{
    const int on = 1;
    descriptor first = tcp_socket();
    ::setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    place where = loopback(0);
    ::bind(first, where.address(), where.length);
    where = place_of(first);
    descriptor second = tcp_socket();
    ::setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    note("bind to the same, both shared", ::bind(second, where.address(), where.length));
    note("listen", ::listen(first, 1));
    note("listen on the second", ::listen(second, 1));
}

void lingers_in_time_wait(notes& note)
{
    place where;
    descriptor client;
    {
        descriptor listener = listening();
        where = place_of(listener);
        client = tcp_socket();
        connect_to(client, where);
        await(listener, POLLIN);
        descriptor server(::accept(listener, nullptr, nullptr));
        note("close the server's end first", server.close());
        await(client, POLLIN);
        note("close the client's", client.close());
    }
    descriptor again = tcp_socket();
    note("bind again", ::bind(again, where.address(), where.length));
}

void a_client_that_closes_first(notes& note)
{
    place where;
    {
        connection c = connected();
        where = place_of(c.listener);
        c.client.close();
        await(c.server, POLLIN);
        c.server.close();
    }
    descriptor again = tcp_socket();
    note("bind again", ::bind(again, where.address(), where.length));
}

void answers_over_ipv6(notes& note)
{
    connection c = connected(AF_INET6);
    std::string text;
    note("send", send_text(c.client, "six"));
    await(c.server, POLLIN);
    note("recv", receive_text(c.server, text));
    place where;
    note("getpeername", ::getpeername(c.server, where.address(), &where.length));
    note("its length", where.length);
    note("its family", where.storage.ss_family == AF_INET6);
}

void serves_both_families(notes& note)
{
    descriptor listener = tcp_socket(AF_INET6);
    const int off = 0;
    ::setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    note("bind", ::bind(listener, reinterpret_cast<sockaddr*>(&any), sizeof any));
    note("listen", ::listen(listener, 4));
    const place where = place_of(listener);
    const unsigned short port = ntohs(reinterpret_cast<const sockaddr_in6*>(&where.storage)->sin6_port);
    descriptor s = tcp_socket(AF_INET);
    connect_to(s, loopback(port, AF_INET));
    note.say("poll", events(await(s, POLLOUT)));
    sockaddr_in6 from{};
    socklen_t length = sizeof from;
    descriptor far(::accept(listener, reinterpret_cast<sockaddr*>(&from), &length));
    note("accept", far >= 0 ? 0 : -1);
    note("a mapped address", IN6_IS_ADDR_V4MAPPED(&from.sin6_addr) != 0);
    descriptor four = tcp_socket(AF_INET);
    const place taken = loopback(port, AF_INET);
    note("bind the port for IPv4", ::bind(four, taken.address(), taken.length));
}

void disconnects(notes& note)
{
    connection c = connected();
    sockaddr unspecific{};
    unspecific.sa_family = AF_UNSPEC;
    note("connect to nothing", ::connect(c.client, &unspecific, sizeof unspecific));
    std::string text;
    await(c.server, POLLIN);
    note("recv of the peer", receive_text(c.server, text));
    note("recv", receive_text(c.client, text));
}

void knows_its_options(notes& note)
{
    descriptor s = tcp_socket();
    const auto get = [&](const char* name, int level, int option) {
        int value = 0;
        socklen_t length = sizeof value;
        const int done = ::getsockopt(s, level, option, &value, &length);
        note(name, done == 0 ? value : -1);
    };
    const auto set = [&](const char* name, int level, int option, int value) {
        note(name, ::setsockopt(s, level, option, &value, sizeof value));
    };
    get("SO_TYPE", SOL_SOCKET, SO_TYPE);
    get("SO_DOMAIN", SOL_SOCKET, SO_DOMAIN);
    get("SO_PROTOCOL", SOL_SOCKET, SO_PROTOCOL);
    get("SO_ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN);
    get("TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY);
    set("set TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1);
    get("TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY);
    set("set SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1);
    get("SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE);
    get("SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR);
    set("set SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 8192);
    get("SO_RCVBUF", SOL_SOCKET, SO_RCVBUF);
    set("set SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 1);
    get("SO_SNDBUF", SOL_SOCKET, SO_SNDBUF);
    set("set TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 30);
    get("TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE);
    set("set SO_TYPE", SOL_SOCKET, SO_TYPE, 1);
    get("an option there is not", SOL_SOCKET, 9999);
    get("IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY);
}

} // namespace

const std::vector<program>& connections()
{
    static const std::vector<program> all{{"a fresh socket", a_fresh_socket}, {"connects", connects},
        {"connects in blocking mode", connects_in_blocking_mode}, {"is refused", is_refused},
        {"is refused, and asks connect()", is_refused_and_asks_connect},
        {"is refused in blocking mode", is_refused_in_blocking_mode}, {"exchanges bytes", exchanges_bytes},
        {"ends after its last bytes", ends_after_its_last_bytes}, {"the peer closes", peer_closes},
        {"the peer closes, and we write twice", peer_closes_and_we_write_twice},
        {"the peer closes with unread bytes", peer_closes_with_unread_bytes},
        {"the peer resets", peer_resets}, {"the peer sends and resets", peer_sends_and_resets},
        {"shuts down reading", shuts_down_reading}, {"shuts down both ways", shuts_down_both_ways},
        {"fills the buffers", fills_the_buffers}, {"accepts in order", accepts_in_order},
        {"accepts what was closed", accepts_what_was_closed},
        {"the listener closes with one waiting", listener_closes_with_one_waiting},
        {"waits beyond the backlog", waits_beyond_the_backlog},
        {"asks while connecting", asks_while_connecting}, {"takes ports", takes_ports},
        {"shares ports", shares_ports}, {"lingers in TIME_WAIT", lingers_in_time_wait},
        {"a client that closes first", a_client_that_closes_first}, {"answers over IPv6", answers_over_ipv6},
        {"serves both families", serves_both_families}, {"disconnects", disconnects},
        {"knows its options", knows_its_options}};
    return all;
}

} // namespace parity
