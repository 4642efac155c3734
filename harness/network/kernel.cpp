// SPDX-License-Identifier: MIT
#include "kernel.hpp"

#include "descriptors.hpp"

#include <errno.h>
#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace mishap::network {

namespace {

bool later(const auto& a, const auto& b) noexcept { return a.at != b.at ? a.at > b.at : a.order > b.order; }

} // namespace

void socket::reset()
{
    socket fresh;
    // These have memory that the next connection can use.
    incoming.clear();
    other_options.clear();
    interests.clear();
    waiting_to_be_accepted.clear();
    flying.clear();
    datagrams.clear();
    std::swap(fresh.incoming, incoming);
    std::swap(fresh.other_options, other_options);
    std::swap(fresh.interests, interests);
    std::swap(fresh.waiting_to_be_accepted, waiting_to_be_accepted);
    std::swap(fresh.flying, flying);
    std::swap(fresh.datagrams, datagrams);
    *this = std::move(fresh);
}

kernel::~kernel()
{
    reset();
    for (const int number : spare_numbers_)
        return_descriptor(number);
}

void kernel::reset()
{
    watcher_ = nullptr;
    while (!all_.empty())
        release(all_.back().get());
    closed_.clear();
    agenda_.clear();
    next_order_ = 0;
    ready_.clear();
    services_.clear();
    outages_.clear();
    hosts_.clear();
    resolved_.clear();
    links_.clear();
    time_waits_.clear();
    players_.clear();
    unlinked_.clear();
    next_port_ = 0;
    next_host_ = 0;
    messages_ = 0;
    peer_ = false;
}

void kernel::used_when_closed(int number, act what) noexcept
{
    for (const auto& [closed, entry] : closed_)
        if (closed == number && watcher_)
            watcher_->stale(what, entry);
}

socket* kernel::make(socket_kind kind, sa_family_t family)
{
    if (spare_.empty()) {
        all_.push_back(std::make_unique<socket>());
    } else {
        all_.push_back(std::move(spare_.back()));
        spare_.pop_back();
    }
    socket& made = *all_.back();
    made.reset();
    made.serial = next_serial_++;
    made.kind = kind;
    made.family = family;
    made.local = any_address(family);
    made.peer = any_address(family);
    if (kind == socket_kind::udp)
        made.receive_buffer = made.send_buffer = 212'992;
    else if (kind == socket_kind::local)
        made.receive_buffer = 0, made.send_buffer = 212'992;
    else if (kind != socket_kind::tcp)
        made.receive_buffer = 0, made.send_buffer = 65'536;
    return &made;
}

int kernel::give_number(socket& s)
{
    int number = -1;
    if (spare_numbers_.empty()) {
        number = take_descriptor();
    } else {
        // The lowest, as the kernel does.
        const auto lowest = std::min_element(spare_numbers_.begin(), spare_numbers_.end());
        number = *lowest;
        *lowest = spare_numbers_.back();
        spare_numbers_.pop_back();
    }
    if (number < 0)
        return number;
    s.number = number;
    if (table_.size() <= static_cast<std::size_t>(number))
        table_.resize(static_cast<std::size_t>(number) + 1);
    table_[static_cast<std::size_t>(number)] = &s;
    std::erase_if(closed_, [&](const auto& entry) { return entry.first == number; });
    return number;
}

void kernel::release(socket* s)
{
    if (s->number >= 0) {
        table_[static_cast<std::size_t>(s->number)] = nullptr;
        spare_numbers_.push_back(s->number);
    }
    const auto found =
        std::find_if(all_.rbegin(), all_.rend(), [&](const auto& held) { return held.get() == s; });
    std::swap(*found, all_.back());
    s->serial = 0;
    spare_.push_back(std::move(all_.back()));
    all_.pop_back();
}

answer kernel::open_socket(int domain, int type, int protocol)
{
    const int base = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    socket_kind kind = socket_kind::tcp;
    if (domain == AF_UNIX && base == SOCK_STREAM)
        kind = socket_kind::local;
    else if (base == SOCK_DGRAM)
        kind = socket_kind::udp;
    const int expected = kind == socket_kind::tcp ? IPPROTO_TCP : kind == socket_kind::udp ? IPPROTO_UDP : 0;
    if (protocol != 0 && protocol != expected)
        return answer::failed(EPROTONOSUPPORT);
    socket* made = make(kind, static_cast<sa_family_t>(domain));
    made->protocol = expected;
    made->blocking = (type & SOCK_NONBLOCK) == 0;
    made->close_on_exec = (type & SOCK_CLOEXEC) != 0;
    made->watched = !peer_;
    if (is_watched(*made)) {
        const decision decided = watcher_->begin(act::open, *made, made->connecting);
        watcher_->end(act::open, *made, made->connecting, decided.error, 0);
        made->connecting = {};
        if (decided.error > 0) {
            release(made);
            return answer::failed(decided.error);
        }
    }
    if (give_number(*made) < 0) {
        release(made);
        return answer::failed(EMFILE);
    }
    return {made->number};
}

answer kernel::pair(int domain, int type, int protocol, int numbers[2])
{
    const int base = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (domain != AF_UNIX || base != SOCK_STREAM || protocol != 0)
        return answer::failed(EOPNOTSUPP);
    socket* ends[2] = {make(socket_kind::local, AF_UNIX), nullptr};
    ends[1] = make(socket_kind::local, AF_UNIX);
    for (int i = 0; i < 2; ++i) {
        ends[i]->at = stage::established;
        ends[i]->other = ends[1 - i];
        ends[i]->blocking = (type & SOCK_NONBLOCK) == 0;
        ends[i]->close_on_exec = (type & SOCK_CLOEXEC) != 0;
    }
    if (give_number(*ends[0]) < 0 || give_number(*ends[1]) < 0) {
        release(ends[1]);
        release(ends[0]);
        return answer::failed(EMFILE);
    }
    numbers[0] = ends[0]->number;
    numbers[1] = ends[1]->number;
    return {0};
}

answer kernel::open_pipe(int numbers[2], int flags)
{
    if ((flags & ~(O_NONBLOCK | O_CLOEXEC)) != 0)
        return answer::failed(EINVAL);
    socket* ends[2] = {make(socket_kind::reader, AF_UNSPEC), nullptr};
    ends[1] = make(socket_kind::writer, AF_UNSPEC);
    for (int i = 0; i < 2; ++i) {
        ends[i]->at = stage::established;
        ends[i]->other = ends[1 - i];
        ends[i]->blocking = (flags & O_NONBLOCK) == 0;
        ends[i]->close_on_exec = (flags & O_CLOEXEC) != 0;
    }
    if (give_number(*ends[0]) < 0 || give_number(*ends[1]) < 0) {
        release(ends[1]);
        release(ends[0]);
        return answer::failed(EMFILE);
    }
    numbers[0] = ends[0]->number;
    numbers[1] = ends[1]->number;
    return {0};
}

answer kernel::close(int number)
{
    socket* s = find(number);
    if (!s) {
        used_when_closed(number, act::close);
        return answer::failed(EBADF);
    }
    if (is_watched(*s)) {
        for (const act what : {act::connect, act::receive, act::send}) {
            pending& p = what == act::connect   ? s->connecting
                         : what == act::receive ? s->receiving
                                                : s->sending;
            if (std::exchange(p.under_way, false))
                watcher_->give_up(what, *s, p);
        }
        pending closing;
        watcher_->begin(act::close, *s, closing);
        watcher_->end(act::close, *s, closing, 0, 0);
        closed_.emplace_back(number, s->entry);
    }
    for (socket* one : std::exchange(s->waiting_to_be_accepted, {}))
        if (one->orphan) {
            abort(*one);
            release(one);
        }
    // The path of a Unix socket stays until somebody removes it.
    if (s->kind == socket_kind::local && s->bound && !s->orphan && !s->local.path.empty() &&
        s->local.path[0] != '\0' && (s->at == stage::listening || s->at == stage::closed))
        unlinked_.push_back(s->local.path);
    if (s->kind == socket_kind::udp || s->at != stage::established) {
        detach(*s);
    } else {
        close_stream(*s);
    }
    release(s);
    return {0};
}

void kernel::schedule(duration at, due what, socket& whose, int error)
{
    if (at == never)
        return;
    agenda_.push_back({at, next_order_++, what, &whose, whose.serial, error});
    std::push_heap(agenda_.begin(), agenda_.end(),
        [](const appointment& a, const appointment& b) { return later(a, b); });
}

void kernel::advance()
{
    while (!agenda_.empty() && agenda_.front().at <= now()) {
        std::pop_heap(agenda_.begin(), agenda_.end(),
            [](const appointment& a, const appointment& b) { return later(a, b); });
        const appointment next = agenda_.back();
        agenda_.pop_back();
        socket& s = *next.whose;
        if (s.serial != next.serial)
            continue;
        switch (next.what) {
        case due::arrival:
            while (!s.flying.empty() && s.flying.front().at <= now() && s.serial == next.serial) {
                segment arrived = std::move(s.flying.front());
                s.flying.pop_front();
                s.flying_bytes -= arrived.payload.size();
                arrive(s, std::move(arrived));
            }
            break;
        case due::attempt:
            if (s.at == stage::connecting)
                try_to_connect(s);
            break;
        case due::answered:
            if (s.at != stage::connecting)
                break;
            if (next.error != 0)
                fail_connect(s, next.error);
            else
                connected(s);
            break;
        case due::gate:
            gate_opens(s);
            break;
        case due::script:
            if (s.script)
                s.script->play();
            break;
        case due::outage:
            if (s.at == stage::established)
                abort(s);
            break;
        }
    }
}

void kernel::gate_opens(socket& s)
{
    if (s.connecting.under_way && s.connecting.decided.until <= now() && s.at == stage::connecting &&
        s.held) {
        s.held = false;
        if (const int error = s.connecting.decided.error)
            fail_connect(s, error == end_of_file ? ECONNRESET : error);
        else
            try_to_connect(s);
    }
    wake(s, 0);
}

decision* kernel::start(act what, socket& s, pending& p)
{
    if (!is_watched(s))
        return nullptr;
    if (!p.under_way) {
        p.under_way = true;
        p.decided = watcher_->begin(what, s, p);
        if (p.decided.until > now())
            schedule(p.decided.until, due::gate, s);
    }
    return &p.decided;
}

void kernel::finish(act what, socket& s, pending& p, int error, std::size_t bytes)
{
    if (!std::exchange(p.under_way, false))
        return;
    p.decided = {};
    watcher_->end(what, s, p, error, bytes);
}

void kernel::let_go(socket& s, act what, int error)
{
    pending& p = what == act::connect ? s.connecting : what == act::receive ? s.receiving : s.sending;
    if (!p.under_way)
        return;
    p.decided.until = now();
    p.decided.error = error;
    gate_opens(s);
}

/// What a failure that was decided does to the connection: the far end notices, too.
void kernel::apply_failure(socket& s, int error)
{
    if (s.kind == socket_kind::udp)
        return;
    switch (error) {
    case end_of_file:
        if (s.other)
            reset_by_peer(*s.other);
        s.incoming.clear();
        s.got_end = s.receives_no_more = true;
        note_end(s, false);
        detach(s);
        wake(s, 0);
        return;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case ENETRESET:
        if (s.other)
            reset_by_peer(*s.other);
        s.incoming.clear();
        reset_by_peer(s);
        s.error = 0; // it is told right away
        return;
    default:
        return; // of this one call
    }
}

// The world around
// ---------------------------------------------------------------------------------------------------

void kernel::serve(const address& where, service what)
{
    stop_serving(where);
    services_.emplace_back(where, std::move(what));
}

void kernel::stop_serving(const address& where)
{
    std::erase_if(services_, [&](const auto& entry) { return entry.first == where; });
}

const service* kernel::service_at(const address& where) const
{
    for (const auto& [at, what] : services_)
        if (at == where || (at.is_any() && at.port == where.port && is_local(where)))
            return &what;
    return nullptr;
}

void kernel::restart(const address& where, duration from, duration to)
{
    outages_.push_back({where, from, to});
    // What is connected then is reset when the server goes down.
    for (const auto& held : all_)
        if (held->at == stage::established && unmapped(held->peer) == where && held->other && now() < to)
            schedule(std::max(from, now()), due::outage, *held->other);
}

bool kernel::is_down(const address& where) const noexcept
{
    return std::any_of(outages_.begin(), outages_.end(),
        [&](const outage& one) { return one.where == where && now() >= one.from && now() < one.to; });
}

const std::vector<address>& kernel::host(std::string_view name)
{
    for (const host_entry& known : hosts_)
        if (known.name == name)
            return known.addresses;
    ++next_host_;
    address made = ipv4(10, static_cast<std::uint8_t>(next_host_ >> 16),
        static_cast<std::uint8_t>(next_host_ >> 8), static_cast<std::uint8_t>(next_host_ + 1));
    hosts_.push_back({std::string(name), {made}});
    return hosts_.back().addresses;
}

void kernel::set_host(std::string_view name, std::vector<address> addresses)
{
    std::erase_if(hosts_, [&](const host_entry& known) { return known.name == name; });
    hosts_.push_back({std::string(name), std::move(addresses)});
}

const std::vector<address>* kernel::find_host(std::string_view name) const
{
    for (const host_entry& known : hosts_)
        if (known.name == name)
            return &known.addresses;
    return nullptr;
}

void kernel::note_resolved(std::string_view name, const std::vector<address>& addresses)
{
    for (const address& one : addresses) {
        std::erase_if(resolved_, [&](const auto& entry) { return entry.first.same_host(one); });
        resolved_.emplace_back(one.with_port(0), std::string(name));
    }
}

std::string_view kernel::name_of(const address& of) const
{
    for (const auto& [where, name] : resolved_)
        if (where.same_host(of))
            return name;
    return {};
}

std::string_view kernel::host_of(const address& of) const
{
    for (const host_entry& known : hosts_)
        for (const address& one : known.addresses)
            if (one.same_host(of))
                return known.name;
    return {};
}

std::string_view kernel::host_name(const address& of) const
{
    const std::string_view name = host_of(of);
    return name.empty() ? "client" : name;
}

link& kernel::between(std::string_view a, std::string_view b)
{
    for (link_entry& known : links_)
        if ((known.a == a && known.b == b) || (known.a == b && known.b == a))
            return known.how;
    // What is not said about these two is as between any two.
    link how;
    for (const link_entry& known : links_)
        if (known.a.empty() && known.b.empty())
            how = known.how;
    return links_.emplace_back(link_entry{std::string(a), std::string(b), std::move(how)}).how;
}

const link* kernel::link_between(const address& a, const address& b) const
{
    if (links_.empty())
        return nullptr;
    const std::string_view from = host_name(unmapped(a));
    const std::string_view to = host_name(unmapped(b));
    const link* found = nullptr;
    int names_most = -1;
    for (const link_entry& known : links_) {
        const auto matches = [&](std::string_view x, std::string_view y) {
            return (known.a.empty() || known.a == x) && (known.b.empty() || known.b == y);
        };
        // What names both hosts says more than what names one, and that more than what names none.
        const int names = int(!known.a.empty()) + int(!known.b.empty());
        if (names > names_most && (matches(from, to) || matches(to, from))) {
            found = &known.how;
            names_most = names;
        }
    }
    return found;
}

void kernel::drop_peers()
{
    for (const auto& player : players_)
        player->stop();
    services_.clear();
}

} // namespace mishap::network
