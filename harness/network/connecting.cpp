// SPDX-License-Identifier: MIT
// How connections come to be.

#include "kernel.hpp"

#include <errno.h>

#include <algorithm>
#include <utility>

namespace mishap::network {

namespace {

/// A connect to a host that does not answer is tried again after 1, 2, 4, ... seconds, six times.
constexpr int retries = 6;

} // namespace

answer kernel::connect(socket& s, const sockaddr* to, socklen_t length)
{
    if (s.kind == socket_kind::reader || s.kind == socket_kind::writer)
        return answer::failed(ENOTSOCK);
    const auto where = read_address(to, length);
    if (!where)
        return answer::failed(
            length < sizeof(sa_family_t) || (to && to->sa_family == s.family) ? EINVAL : EAFNOSUPPORT);
    if (s.kind == socket_kind::udp) {
        if (where->family == AF_UNSPEC) {
            s.peer = any_address(s.family);
            s.at = stage::closed;
            return {0};
        }
        if (where->family != s.family && !(s.family == AF_INET6 && where->family == AF_INET))
            return answer::failed(EAFNOSUPPORT);
        if (!bind_any(s, *where))
            return answer::failed(EAGAIN);
        s.peer = *where;
        s.at = stage::established;
        s.dialled = name_of(unmapped(*where));
        return {0};
    }
    if (where->family == AF_UNSPEC) {
        if (s.at == stage::established)
            abort(s);
        s.error = s.at == stage::closed ? ECONNRESET : 0;
        s.at = stage::closed;
        s.peer = any_address(s.family);
        s.sends_no_more = s.receives_no_more = s.got_end = false;
        return {0};
    }
    switch (s.at) {
    case stage::connecting:
        return answer::failed(EALREADY);
    case stage::established:
        if (std::exchange(s.connect_unseen, false))
            return {0};
        return answer::failed(EISCONN);
    case stage::listening:
        return answer::failed(s.kind == socket_kind::local ? EINVAL : EISCONN);
    case stage::closed:
        break;
    }
    if (std::exchange(s.connect_unseen, false)) {
        const int error = std::exchange(s.error, 0);
        return answer::failed(error != 0 ? error : ECONNABORTED);
    }
    if (where->family != s.family)
        return answer::failed(s.kind == socket_kind::local ? EINVAL : EAFNOSUPPORT);
    s.peer = *where;
    // Any host means this one.
    if (s.kind == socket_kind::tcp && s.peer.is_any())
        s.peer = loopback_address(s.family, s.peer.port);
    s.dialled = name_of(unmapped(s.peer));
    if (s.kind == socket_kind::tcp && !bind_any(s, s.peer))
        return answer::failed(EADDRNOTAVAIL);
    s.sends_no_more = s.receives_no_more = s.got_end = false;
    const decision* decided = start(act::connect, s, s.connecting);
    if (s.kind == socket_kind::local)
        return connect_local(s, decided);
    s.at = stage::connecting;
    s.connect_unseen = true;
    s.attempts = 0;
    wake(s, 0);
    if (decided && decided->until > now()) {
        s.held = true;
    } else if (decided && decided->error != 0) {
        fail_connect(s, decided->error == end_of_file ? ECONNRESET : decided->error);
    } else if (const link* way = link_between(s.local, s.peer); way && way->latency > duration(0)) {
        schedule(now() + way->latency, due::attempt, s);
    } else {
        try_to_connect(s);
    }
    return answer::failed(EINPROGRESS);
}

answer kernel::connect_local(socket& s, const decision* decided)
{
    const auto give = [&](int error) {
        finish(act::connect, s, s.connecting, error, 0);
        return error == 0 ? answer{0} : answer::failed(error);
    };
    if (decided && decided->until > now())
        return answer::failed(EAGAIN);
    if (decided && decided->error > 0)
        return give(decided->error);
    const address unmatched = s.peer;
    if (const service* serving = service_at(unmatched)) {
        if (serving->how == service::manner::refuses || serving->how == service::manner::black_hole)
            return give(ECONNREFUSED);
        socket* far = make(socket_kind::local, AF_UNIX);
        far->local = s.peer;
        establish(s, *far);
        s.at = stage::established;
        give(0);
        hand_over(*serving, *far);
        return {0};
    }
    socket* listener = listener_at(s.peer);
    if (!listener) {
        const bool exists = std::any_of(unlinked_.begin(), unlinked_.end(), [&](const std::string& path) {
            return path == s.peer.path;
        }) || std::any_of(all_.begin(), all_.end(), [&](const auto& held) {
            return held.get() != &s && held->kind == socket_kind::local && held->bound &&
                   held->local == s.peer;
        });
        return give(exists ? ECONNREFUSED : ENOENT);
    }
    if (listener->waiting_to_be_accepted.size() > static_cast<std::size_t>(std::max(listener->backlog, 0)))
        return answer::failed(EAGAIN);
    socket* far = make(socket_kind::local, AF_UNIX);
    far->local = s.peer;
    far->orphan = true;
    establish(s, *far);
    s.at = stage::established;
    listener->waiting_to_be_accepted.push_back(far);
    wake(*listener, EPOLLIN);
    return give(0);
}

socket* kernel::listener_at(const address& where) const
{
    socket* fallback = nullptr;
    const address plain = unmapped(where);
    for (const auto& held : all_) {
        if (held->at != stage::listening)
            continue;
        const address at = unmapped(held->local);
        if (at == plain)
            return held.get();
        const bool any = at.family != AF_UNIX && at.is_any() && at.port == plain.port && is_local(plain) &&
                         (at.family == plain.family || (at.family == AF_INET6 && !held->only_v6));
        if (any && (!fallback || at.family == plain.family))
            fallback = held.get();
    }
    return fallback;
}

void kernel::try_to_connect(socket& s)
{
    const link* way = link_between(s.local, s.peer);
    const auto answers = [&](int error) {
        if (way && way->latency > duration(0))
            return schedule(now() + way->latency, due::answered, s, error);
        return error != 0 ? fail_connect(s, error) : connected(s);
    };
    const auto again = [&] {
        const duration pause = std::chrono::seconds(1) * (1 << s.attempts);
        if (s.attempts++ == retries)
            schedule(now() + pause, due::answered, s, ETIMEDOUT);
        else
            schedule(now() + pause, due::attempt, s);
    };
    if (way)
        for (const link::partition& cut : way->partitions)
            if (now() >= cut.from && now() < cut.to)
                return again();
    if (socket* listener = listener_at(s.peer)) {
        if (listener->waiting_to_be_accepted.size() >
            static_cast<std::size_t>(std::max(listener->backlog, 0)))
            return again();
        socket* far = make(socket_kind::tcp, listener->family);
        far->local = as_seen_by(listener->family, unmapped(s.peer));
        far->orphan = true;
        far->receive_buffer = listener->receive_buffer;
        far->send_buffer = listener->send_buffer;
        far->no_delay = listener->no_delay;
        far->keep_alive = listener->keep_alive;
        far->reuse_address = listener->reuse_address;
        establish(s, *far);
        listener->waiting_to_be_accepted.push_back(far);
        answers(0);
        wake(*listener, EPOLLIN);
        return;
    }
    if (const service* serving = service_at(unmapped(s.peer))) {
        if (is_down(unmapped(s.peer)) || serving->how == service::manner::refuses)
            return answers(ECONNREFUSED);
        if (serving->how == service::manner::black_hole)
            return again();
        socket* far = make(socket_kind::tcp, s.peer.family);
        far->local = s.peer;
        establish(s, *far);
        const service copy = *serving; // what it does may change the table
        answers(0);
        hand_over(copy, *far);
        return;
    }
    const address plain = unmapped(s.peer);
    const bool known = is_local(plain) || host_name(plain) != "client";
    answers(known ? ECONNREFUSED : EHOSTUNREACH);
}

void kernel::hand_over(const service& what, socket& far)
{
    for (const outage& down : outages_)
        if (down.where == unmapped(far.local) && now() < down.from)
            schedule(down.from, due::outage, far);
    if (what.how == service::manner::hands_over) {
        if (give_number(far) >= 0)
            what.accepted(far.number);
        else
            abort(far);
        return;
    }
    players_.push_back(std::make_unique<script_player>(*this, far, what.text, what.name));
    far.script = players_.back().get();
    far.script->play();
}

void kernel::establish(socket& client, socket& server)
{
    server.peer = as_seen_by(server.family, unmapped(client.local));
    server.at = stage::established;
    server.bound = server.kind != socket_kind::local;
    server.other = &client;
    client.other = &server;
}

void kernel::connected(socket& s)
{
    s.at = stage::established;
    finish(act::connect, s, s.connecting, 0, 0);
    wake(s, 0);
}

void kernel::fail_connect(socket& s, int error)
{
    detach(s);
    s.at = stage::closed;
    s.error = error;
    s.sends_no_more = s.receives_no_more = true;
    s.held = false;
    finish(act::connect, s, s.connecting, error, 0);
    wake(s, 0);
}

} // namespace mishap::network
