// SPDX-License-Identifier: MIT
// Connections: how they carry bytes and end.

#include "kernel.hpp"

#include "vocabulary/mix.hpp"

#include <errno.h>

#include <algorithm>
#include <utility>

namespace mishap::network {

namespace {

std::size_t length_of(std::span<const iovec> buffers) noexcept
{
    std::size_t total = 0;
    for (const iovec& one : buffers)
        total += one.iov_len;
    return total;
}

std::size_t scatter(std::string_view from, std::span<const iovec> buffers, std::size_t most) noexcept
{
    std::size_t done = 0;
    for (const iovec& one : buffers) {
        const std::size_t count = std::min({one.iov_len, from.size() - done, most - done});
        if (count != 0)
            std::memcpy(one.iov_base, from.data() + done, count);
        done += count;
    }
    return done;
}

} // namespace

void kernel::note_end(socket& s, bool reset) noexcept
{
    if (s.ended >= duration(0))
        return;
    s.ended = now();
    s.was_reset = reset;
}

void kernel::detach(socket& s)
{
    if (s.other)
        s.other->other = nullptr;
    s.other = nullptr;
}

/// A reset has come in.
void kernel::reset_by_peer(socket& s)
{
    if (s.at == stage::connecting)
        return fail_connect(s, ECONNREFUSED);
    if (s.at != stage::established)
        return;
    note_end(s, true);
    s.error = s.kind == socket_kind::local ? ECONNRESET : s.got_end ? EPIPE : ECONNRESET;
    s.at = stage::closed;
    s.sends_no_more = s.receives_no_more = true;
    detach(s);
    wake(s, 0);
    if (s.script)
        s.script->play();
}

/// Ends the connection from this end with a reset.
void kernel::abort(socket& s)
{
    if (s.other) {
        socket& to = *s.other;
        detach(s);
        transmit(to, s, {.resets = true});
    }
    s.at = stage::closed;
    s.sends_no_more = s.receives_no_more = true;
    s.incoming.clear();
}

void kernel::both_ended(socket& s)
{
    if (s.kind != socket_kind::tcp || !s.sends_no_more || !s.got_end || s.at != stage::established)
        return;
    s.at = stage::closed;
    s.receives_no_more = true;
    wake(s, 0);
}

void kernel::end_sending(socket& s)
{
    if (std::exchange(s.sends_no_more, true))
        return;
    if (s.other)
        transmit(*s.other, s, {.ends = true});
    both_ended(s);
}

/// What close() does to a connection.
void kernel::close_stream(socket& s)
{
    if (s.kind == socket_kind::reader || s.kind == socket_kind::writer) {
        if (socket* far = s.other) {
            detach(s);
            wake(*far, 0);
        }
        return;
    }
    const bool unread = !s.incoming.empty() || s.flying_bytes != 0;
    if (s.kind == socket_kind::local) {
        if (socket* far = s.other) {
            detach(s);
            far->sends_no_more = far->receives_no_more = far->got_end = true;
            note_end(*far, unread);
            if (unread)
                far->error = ECONNRESET;
            wake(*far, 0);
            if (far->script)
                far->script->play();
        }
        return;
    }
    if (unread || s.linger_seconds == 0)
        return abort(s);
    if (!s.got_end)
        time_waits_.push_back({s.local, now() + std::chrono::seconds(60), s.reuse_address});
    end_sending(s);
    detach(s);
}

void kernel::close_far_end(socket& s)
{
    if (s.at == stage::established)
        close_stream(s);
    s.at = stage::closed;
}

answer kernel::shutdown(socket& s, int how)
{
    if (s.kind == socket_kind::reader || s.kind == socket_kind::writer)
        return answer::failed(ENOTSOCK);
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return answer::failed(EINVAL);
    pending telling;
    if (const decision* decided = start(act::shutdown, s, telling); decided && decided->error > 0) {
        const int error = decided->error;
        finish(act::shutdown, s, telling, error, 0);
        return answer::failed(error);
    }
    int error = 0;
    const bool reads = how != SHUT_WR;
    const bool writes = how != SHUT_RD;
    if (s.at == stage::listening) {
        if (reads) {
            for (socket* one : std::exchange(s.waiting_to_be_accepted, {})) {
                abort(*one);
                release(one);
            }
            s.at = stage::closed;
        }
    } else if (s.at == stage::connecting) {
        detach(s);
        s.at = stage::closed;
        s.connect_unseen = false;
        s.error = ECONNRESET;
        finish(act::connect, s, s.connecting, ECONNABORTED, 0);
    } else if (s.at == stage::closed && s.kind != socket_kind::local) {
        error = ENOTCONN;
        s.receives_no_more = s.receives_no_more || reads;
        s.sends_no_more = s.sends_no_more || writes;
    } else {
        s.receives_no_more = s.receives_no_more || reads;
        if (s.kind == socket_kind::local && s.other) {
            // The other end learns of it at once.
            s.sends_no_more = s.sends_no_more || writes;
            s.other->receives_no_more = s.other->receives_no_more || writes;
            s.other->got_end = s.other->got_end || writes;
            s.other->sends_no_more = s.other->sends_no_more || reads;
            if (writes)
                note_end(*s.other, false);
            wake(*s.other, 0);
            if (s.other->script)
                s.other->script->play();
        } else if (writes && s.kind == socket_kind::tcp) {
            end_sending(s);
        } else if (writes) {
            s.sends_no_more = true;
        }
    }
    finish(act::shutdown, s, telling, error, 0);
    wake(s, 0);
    return error == 0 ? answer{0} : answer::failed(error);
}

// Bytes
// ---------------------------------------------------------------------------------------------------

std::size_t kernel::room(const socket& to, const socket& from) const noexcept
{
    const std::size_t capacity = to.receive_buffer + from.send_buffer;
    const std::size_t used = to.incoming.size() + to.flying_bytes;
    return used >= capacity ? 0 : capacity - used;
}

bool kernel::has_space(const socket& s) const noexcept
{
    if (!s.other)
        return true; // what is sent then fails at once
    const std::size_t capacity = s.other->receive_buffer + s.send_buffer;
    return room(*s.other, s) * 3 >= capacity;
}

/// Whoever was refused for want of space is told when there is some.
void kernel::space_made(socket& receiver)
{
    socket* sender = receiver.other;
    if (sender && sender->wants_space && has_space(*sender)) {
        sender->wants_space = false;
        wake(*sender, EPOLLOUT);
    }
}

duration kernel::arrival_at(socket& to, const socket& from, std::size_t size)
{
    const link* way = link_between(from.local, from.peer);
    if (!way)
        return std::max(now(), to.last_arrival);
    duration at = now();
    if (way->bandwidth != 0 && size != 0) {
        const auto takes = std::chrono::nanoseconds(size * 1'000'000'000 / way->bandwidth);
        at = std::max(at, to.link_free) + takes;
        to.link_free = at;
    }
    at += way->latency;
    if (way->jitter > duration(0))
        at += duration(static_cast<duration::rep>(
            detail::mix(++messages_, 0x6a) % static_cast<std::uint64_t>(way->jitter.count() + 1)));
    for (const link::partition& cut : way->partitions)
        if (now() < cut.to && at >= cut.from)
            at = cut.to == never ? never : std::max(at, cut.to + way->latency);
    // Bytes arrive in the order in which they were sent.
    at = std::max(at, to.last_arrival);
    to.last_arrival = at;
    return at;
}

void kernel::transmit(socket& to, const socket& from, segment&& sent)
{
    const std::size_t size = sent.payload.size();
    sent.at = arrival_at(to, from, size);
    if (to.flying.empty() && sent.at <= now())
        return arrive(to, std::move(sent));
    to.flying_bytes += size;
    schedule(sent.at, due::arrival, to);
    to.flying.push_back(std::move(sent));
}

void kernel::arrive(socket& at, segment&& arrived)
{
    if (arrived.resets)
        return reset_by_peer(at);
    if (at.at != stage::established && at.at != stage::connecting)
        return;
    if (!arrived.payload.empty()) {
        if (at.receives_no_more && at.sends_no_more && at.kind == socket_kind::tcp) {
            // Nobody is there to read it any more.
            abort(at);
            return;
        }
        at.incoming.append(arrived.payload.data(), arrived.payload.size());
        wake(at, EPOLLIN);
    }
    if (arrived.ends) {
        at.got_end = at.receives_no_more = true;
        note_end(at, false);
        wake(at, 0);
        both_ended(at);
    }
    if (at.script)
        at.script->play();
}

answer kernel::receive(socket& s, std::span<const iovec> buffers, int flags, sockaddr* from,
    socklen_t* length, int* message_flags)
{
    if (message_flags)
        *message_flags = 0;
    if (s.kind == socket_kind::writer)
        return answer::failed(EBADF);
    if (s.kind == socket_kind::reader)
        return receive_stream(s, buffers, 0, std::string::npos);
    const bool peeks = (flags & MSG_PEEK) != 0;
    const bool connected = s.at == stage::established || s.got_end || s.error != 0;
    const bool counts = !peeks && length_of(buffers) != 0 && (connected || s.kind == socket_kind::udp);
    const decision* decided = counts ? start(act::receive, s, s.receiving) : nullptr;
    if ((decided || s.receiving.under_way) && s.receiving.decided.until > now())
        return answer::failed(EAGAIN);
    if (decided && decided->error != 0) {
        const int error = decided->error;
        finish(act::receive, s, s.receiving, error, 0);
        apply_failure(s, error);
        return error == end_of_file ? answer{0} : answer::failed(error);
    }
    const std::size_t most = decided ? decided->most : std::string::npos;
    const bool breaks = decided && decided->breaks_after;
    const answer given = s.kind == socket_kind::udp
                             ? receive_datagram(s, buffers, flags, from, length, message_flags)
                             : receive_stream(s, buffers, flags, most);
    if (s.kind != socket_kind::udp && given.value >= 0 && length)
        *length = 0;
    if (!counts || given.error == EAGAIN)
        return given;
    const bool ended = given.value == 0 && s.kind != socket_kind::udp;
    finish(act::receive, s, s.receiving, ended ? end_of_file : given.error,
        given.value > 0 ? static_cast<std::size_t>(given.value) : 0);
    if (breaks && given.error == 0) {
        if (s.other)
            reset_by_peer(*s.other);
        reset_by_peer(s);
    }
    return given;
}

answer kernel::receive_stream(socket& s, std::span<const iovec> buffers, int flags, std::size_t most)
{
    const bool local = s.kind == socket_kind::local;
    if (length_of(buffers) == 0)
        return {0};
    if (s.at == stage::listening)
        return answer::failed(local ? EINVAL : ENOTCONN);
    if (local && s.at != stage::established && s.error == 0 && !s.receives_no_more)
        return answer::failed(EINVAL);
    if (!s.incoming.empty()) {
        const std::size_t count = scatter(s.incoming.view(), buffers, most);
        if ((flags & MSG_PEEK) == 0) {
            s.incoming.drop(count);
            space_made(s);
        }
        return {static_cast<ssize_t>(count)};
    }
    if (s.kind == socket_kind::reader)
        return s.other ? answer::failed(EAGAIN) : answer{0};
    if (s.got_end && !local)
        return {0};
    if (s.error != 0)
        return answer::failed(std::exchange(s.error, 0));
    if (s.receives_no_more)
        return {0};
    if (s.at == stage::closed)
        return answer::failed(ENOTCONN);
    return answer::failed(EAGAIN);
}

answer kernel::send(
    socket& s, std::span<const iovec> buffers, int flags, const sockaddr* to, socklen_t length)
{
    if (s.kind == socket_kind::reader)
        return answer::failed(EBADF);
    if (s.kind == socket_kind::writer)
        return send_stream(s, buffers, std::string::npos);
    if ((flags & MSG_OOB) != 0)
        return answer::failed(EOPNOTSUPP);
    const bool counts =
        s.kind == socket_kind::udp || (s.at == stage::established && !s.sends_no_more) || s.error != 0;
    const decision* decided = counts ? start(act::send, s, s.sending) : nullptr;
    if (decided && decided->until > now())
        return answer::failed(EAGAIN);
    if (decided && decided->error != 0) {
        const int error = decided->error == end_of_file ? EPIPE : decided->error;
        finish(act::send, s, s.sending, error, 0);
        apply_failure(s, error);
        return answer::failed(error);
    }
    const std::size_t most = decided ? decided->most : std::string::npos;
    const bool breaks = decided && decided->breaks_after;
    const answer given =
        s.kind == socket_kind::udp ? send_datagram(s, buffers, to, length) : send_stream(s, buffers, most);
    if (!counts || given.error == EAGAIN)
        return given;
    finish(act::send, s, s.sending, given.error, given.value > 0 ? static_cast<std::size_t>(given.value) : 0);
    if (breaks && given.error == 0) {
        if (s.other)
            reset_by_peer(*s.other);
        reset_by_peer(s);
    }
    return given;
}

answer kernel::send_stream(socket& s, std::span<const iovec> buffers, std::size_t most)
{
    if (s.kind == socket_kind::writer && !s.other)
        return answer::failed(EPIPE);
    if (s.kind == socket_kind::local && s.at != stage::established && !s.sends_no_more)
        return answer::failed(ENOTCONN);
    if (s.at == stage::connecting)
        return answer::failed(EAGAIN);
    if (s.at != stage::established || s.sends_no_more) {
        if (s.kind == socket_kind::tcp && s.error != 0)
            return answer::failed(std::exchange(s.error, 0));
        return answer::failed(EPIPE);
    }
    const std::size_t total = std::min(length_of(buffers), most);
    if (!s.other) {
        // Nobody is there any more: the bytes are taken, and what comes back is a reset.
        reset_by_peer(s);
        return {static_cast<ssize_t>(total)};
    }
    const std::size_t space = room(*s.other, s);
    // A pipe takes small writes as a whole or not at all.
    const bool whole = s.kind == socket_kind::writer && total <= 4096;
    if (space == 0 || (whole && space < total)) {
        s.wants_space = true;
        return answer::failed(EAGAIN);
    }
    const std::size_t count = std::min(total, space);
    if (count < length_of(buffers))
        s.wants_space = true;
    socket& to = *s.other;
    if (to.flying.empty() && to.at == stage::established && links_.empty() &&
        !(to.receives_no_more && to.sends_no_more)) {
        // Nothing delays it.
        std::size_t left = count;
        for (const iovec& one : buffers) {
            const std::size_t part = std::min(left, one.iov_len);
            to.incoming.append(static_cast<const char*>(one.iov_base), part);
            left -= part;
        }
        wake(to, EPOLLIN);
        if (to.script)
            to.script->play();
        return {static_cast<ssize_t>(count)};
    }
    segment sent;
    for (const iovec& one : buffers)
        sent.payload.append(
            static_cast<const char*>(one.iov_base), std::min(one.iov_len, count - sent.payload.size()));
    transmit(to, s, std::move(sent));
    return {static_cast<ssize_t>(count)};
}

void kernel::send_all(socket& s, const iovec& all)
{
    if (s.other && !s.sends_no_more && all.iov_len != 0)
        transmit(*s.other, s, {.payload = std::string(static_cast<const char*>(all.iov_base), all.iov_len)});
}

} // namespace mishap::network
