// SPDX-License-Identifier: MIT
#include "connections.hpp"

#include "executor.hpp"
#include "world.hpp"

#include "network/names.hpp"
#include "vocabulary/causes.hpp"
#include "vocabulary/wire_errors.hpp"

#include <mishap/error.hpp>
#include <mishap/input_error.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <errno.h>

namespace asio = boost::asio;

namespace mishap::detail {

namespace {

using network::act;

static_assert(static_cast<int>(wire_call::resolve) == static_cast<int>(act::resolve) + 1);

struct act_row
{
    act what;
    const char* name;
    mishap::role role;
};

/// A shutdown is a farewell: nobody need be told that it failed.
constexpr act_row rows[] = {
    {act::open, "socket", role::maintenance},
    {act::connect, "connect", role::create},
    {act::accept, "accept", role::create},
    {act::receive, "receive", role::use},
    {act::send, "send", role::use},
    {act::shutdown, "shutdown", role::maintenance},
    {act::close, "close", role::close},
    {act::resolve, "", role::use},
};

const act_row& row_of(act what) { return rows[static_cast<std::size_t>(what)]; }

symbol name_of(act what)
{
    static const std::vector<symbol> names = [] {
        std::vector<symbol> all;
        for (const act_row& row : rows)
            all.emplace_back(row.name);
        return all;
    }();
    return names[static_cast<std::size_t>(what)];
}

/// `shop.example` as the kind of a resource: `shop_example`.
symbol kind_named(std::string_view name)
{
    char text[64];
    const std::size_t size = std::min(name.size(), sizeof text);
    for (std::size_t i = 0; i < size; ++i) {
        const auto c = static_cast<unsigned char>(name[i]);
        text[i] = std::isalnum(c) != 0 ? name[i] : '_';
    }
    return symbol(std::string_view(text, size));
}

std::string_view place_name(const network::socket& s, std::string& buffer)
{
    buffer = s.dialled.empty() || s.peer.family == AF_UNIX ? to_string(network::unmapped(s.peer))
                                                           : fmt::format("{}:{}", s.dialled, s.peer.port);
    return buffer;
}

} // namespace

connections::connections(world& where) : world_(where), kernel_(where.seam_.now) {}

void connections::begin_run()
{
    if (!in_use_ && !kernel_.in_use())
        return;
    kernel_.reset();
    waits_.clear();
    resolutions_.clear();
    peer_signals_.clear();
    peers_ = running_peers_ = 0;
    in_use_ = false;
    pinned_.clear();
    pinned_names_.clear();
}

void connections::use()
{
    if (std::exchange(in_use_, true))
        return;
    kernel_.set_watcher(this);
    // Nothing is there at once: a timer that has expired comes before whatever a peer is yet to say.
    kernel_.between({}, {}).latency = std::chrono::milliseconds(1);
}

// The ledger
// ---------------------------------------------------------------------------------------------------

lane connections::lane_for(const network::socket* s) const noexcept
{
    // What the reactor does has no handler yet: it is for the client whose socket it is.
    if (!world_.handlers_.in_handler() && s && s->entry < world_.record_->resources.size())
        return world_.record_->resources[s->entry].home;
    return world_.record_.running == peer_lane ? background_lane : world_.record_.running;
}

symbol connections::kind_of(const network::socket& s) const
{
    static const symbol tcp("tcp");
    static const symbol udp("udp");
    static const symbol local("unix");
    if (!s.dialled.empty())
        return kind_named(s.dialled);
    return s.kind == network::socket_kind::tcp ? tcp : s.kind == network::socket_kind::udp ? udp : local;
}

index connections::open_entry(network::socket& s, lane in)
{
    s.entry = static_cast<index>(world_.record_->resources.size());
    world_.record_->resources.push_back({.kind = kind_of(s), .home = in});
    world_.record_->resources.back().wire = true;
    return s.entry;
}

index connections::start(act what, role as, symbol kind, std::uint32_t& entry, lane in)
{
    const handle on{entry, world_.run_number_, kind};
    const auto call = static_cast<wire_call>(static_cast<int>(what) + 1);
    return world_.operations_.start(
        on, as, name_of(what), in, false, world_.clients_.is_inside_body(in), call);
}

/// What the plan's fault means to a call. One that cannot be expressed by an `errno` does not happen.
network::decision connections::decision_for(index operation, act what)
{
    const operation_record& op = world_.record_->operations[operation];
    const duration now = world_.seam_.now;
    const auto inert = [&] {
        world_.operations_.take_back(operation);
        return network::decision{};
    };
    const bool waits =
        what == act::connect || what == act::receive || what == act::send || what == act::resolve;
    const bool moves_bytes = what == act::receive || what == act::send;
    switch (op.fault.kind) {
    case fault_kind::ok:
    case fault_kind::ok_now:
        return {};
    case fault_kind::fail: {
        const int error = errno_of(op.fault.error, what == act::resolve);
        if (error == 0 || what == act::close || (error == network::end_of_file && what != act::receive))
            return inert();
        return {.until = waits ? now + op.fault.after : now, .error = error};
    }
    case fault_kind::fail_after_effect:
        if (!moves_bytes)
            return inert();
        return {.until = now + op.fault.after, .breaks_after = true};
    case fault_kind::bad_alloc:
        return what == act::close || what == act::resolve ? inert() : network::decision{.error = ENOMEM};
    case fault_kind::one_byte:
        return moves_bytes ? network::decision{.most = 1} : inert();
    case fault_kind::empty:
    case fault_kind::cancel_after_effect:
    case fault_kind::hang_after_effect:
        return inert();
    case fault_kind::delay:
    case fault_kind::late:
        return waits ? network::decision{.until = now + op.fault.after} : inert();
    case fault_kind::hang:
    case fault_kind::deaf:
        return waits ? network::decision{.until = network::never} : inert();
    case fault_kind::cancel:
        if (!waits)
            return inert();
        world_.operations_.wait_for(operation, waits_for::strike);
        world_.interruptions_.owe(operation);
        return {.until = network::never};
    }
    return {};
}

connections::wait* connections::find_wait(index operation) noexcept
{
    for (wait& one : waits_)
        if (one.operation == operation)
            return &one;
    return nullptr;
}

void connections::forget_wait(index operation) noexcept
{
    const auto found = std::find_if(
        waits_.begin(), waits_.end(), [&](const wait& one) { return one.operation == operation; });
    if (found != waits_.end())
        waits_.erase(found);
    world_.forget(operation);
}

/// The call has given something.
void connections::settle(index operation, act what, int error, std::size_t bytes)
{
    trace& happened = *world_.record_;
    operation_record& op = happened.operations[operation];
    const wait* const waited = find_wait(operation);
    const bool gone = waited && waited->peer_is_gone;
    forget_wait(operation);
    op.moved = bytes;
    if (gone) {
        const bool resolves = what == act::resolve;
        const error_code code = code_of_errno(resolves ? EAI_AGAIN : ECONNABORTED, resolves);
        happened.values.push_back({operation, [code](const std::exception_ptr& thrown) {
                                       return is_or_wraps(thrown, [&](const std::exception_ptr& one) {
                                           return has_code(one, code);
                                       });
                                   }});
        world_.complete(operation, result::peer_gone);
    } else if (error == 0) {
        world_.complete(operation, result::ok);
    } else if (error == network::end_of_file && op.fault.kind != fault_kind::fail) {
        // The other side has ended, as it may: what that means is the protocol's to say.
        op.ended = true;
        world_.complete(operation, result::ok);
    } else {
        const symbol name = name_of_errno(error, what == act::resolve);
        if (op.fault.kind != fault_kind::fail || op.fault.error != name)
            op.failed_by_itself = name;
        const error_code code = code_of_errno(error, what == act::resolve);
        op.error = std::make_exception_ptr(boost::system::system_error(code));
        // The kernel's errors bear no mark, so they are told by their value. An end in the middle becomes
        // whatever the protocol makes of it.
        const bool ends = error == network::end_of_file;
        // Asio's connect over several addresses says `operation_aborted` where it could open no socket.
        const error_code also = what == act::open ? error_code(asio::error::operation_aborted) : code;
        happened.values.push_back({operation, [code, also, ends](const std::exception_ptr& thrown) {
                                       return is_or_wraps(thrown, [&](const std::exception_ptr& one) {
                                           return ends ? is_of_protocol(one)
                                                       : has_code(one, code) || has_code(one, also);
                                       });
                                   }});
        world_.complete(operation, result::failed);
    }
    if (op.delivered == none)
        world_.deliver(operation);
}

network::decision connections::begin(act what, network::socket& s, network::pending& p)
{
    if (!world_.accepts_operations()) {
        // What is closed while an abandoned world is destroyed went with it.
        recorder& record = world_.record_;
        if (what == act::close && record.is_on() && world_.is_abandoned() &&
            s.entry < record->resources.size())
            record.add(event_kind::destroyed, record.running, s.entry);
        p.tag = none;
        return {};
    }
    const lane in = lane_for(&s);
    trace& happened = *world_.record_;
    role as = row_of(what).role;
    if (what == act::open || what == act::accept || s.entry >= happened.resources.size())
        open_entry(s, in);
    if (what == act::connect) {
        resource_record* target = &happened.resources[s.entry];
        if (target->create != none && happened.operations[target->create].role == role::create) {
            // Connected once more: what was before is no connection any more.
            target->life = life::closed;
            target->ever_open = false;
            open_entry(s, in);
            target = &happened.resources[s.entry];
        }
        target->create = none;
        target->kind = kind_of(s);
        // Connected or not, the descriptor is there and must be closed.
        target->ever_open = true;
        if (s.kind == network::socket_kind::udp)
            as = role::maintenance;
    }
    // What comes after a shutdown of one's own is a farewell, too.
    if ((what == act::receive || what == act::send) && s.sends_no_more && !s.got_end &&
        s.at == network::stage::established)
        as = role::maintenance;
    const symbol kind = happened.resources[s.entry].kind;
    p.tag = start(what, as, kind, s.entry, in);
    if (what == act::open || (what == act::connect && as != role::create)) {
        resource_record& target = happened.resources[s.entry];
        target.create = p.tag;
        target.life = life::open;
        target.ever_open = true;
    }
    if (what == act::connect || what == act::receive || what == act::send) {
        world_.operations_.put_under_way(p.tag, waits_for::socket);
        waits_.push_back({p.tag, what, s.number});
    }
    return decision_for(p.tag, what);
}

void connections::end(act what, network::socket& s, network::pending& p, int error, std::size_t bytes)
{
    if (!world_.accepts_operations() || p.tag >= world_.record_->operations.size())
        return;
    settle(p.tag, what, error, bytes);
    if (error == 0 || (what != act::open && what != act::accept))
        return;
    // There is no descriptor.
    resource_record& target = world_.record_->resources[s.entry];
    target.life = life::absent;
    target.ever_open = false;
    if (what == act::open)
        target.create = none;
}

/// The socket is closed.
void connections::give_up(act, network::socket&, network::pending& p)
{
    if (!world_.accepts_operations() || p.tag >= world_.record_->operations.size())
        return;
    forget_wait(p.tag);
    if (world_.record_->operations[p.tag].result != result::pending)
        return;
    world_.operations_.ask_to_stop(p.tag);
    world_.complete(p.tag, result::aborted);
    world_.deliver(p.tag);
}

/// A descriptor is used, or closed again, when it is gone.
void connections::stale(act what, std::uint32_t entry)
{
    if (!world_.accepts_operations() || entry >= world_.record_->resources.size())
        return;
    const symbol kind = world_.record_->resources[entry].kind;
    const role as = what == act::close ? role::close : role::use;
    const index which = start(what, as, kind, entry, lane_for(nullptr));
    settle(which, what, EBADF, 0);
}

void connections::mismatch(const std::string& what) { world_.expectation_failed({.message = what}); }

const network::decision* connections::begin_resolve(std::string_view, std::uint32_t& tag)
{
    static const network::decision nothing;
    tag = none;
    if (!world_.accepts_operations() || world_.record_.running == peer_lane)
        return &nothing;
    const lane in = world_.record_.running;
    tag = world_.operations_.start_resolution(in, world_.clients_.is_inside_body(in));
    world_.operations_.put_under_way(tag, waits_for::socket);
    waits_.push_back({tag, act::resolve, -1});
    resolution& mine = resolutions_.emplace_back(resolution{tag, decision_for(tag, act::resolve)});
    return &mine.decided;
}

void connections::end_resolve(std::uint32_t tag, int error)
{
    std::erase_if(resolutions_, [&](const resolution& one) { return one.operation == tag; });
    if (tag != none && world_.accepts_operations() && tag < world_.record_->operations.size())
        settle(tag, act::resolve, error, 0);
}

// What waits
// ---------------------------------------------------------------------------------------------------

bool connections::hangs(const wait& one) const noexcept
{
    const fault_kind kind = world_.record_->operations[one.operation].fault.kind;
    return kind == fault_kind::hang || kind == fault_kind::deaf;
}

bool connections::any_waiting(bool all) const noexcept
{
    return std::any_of(
        waits_.begin(), waits_.end(), [&](const wait& one) { return !one.let_go && (all || hangs(one)); });
}

std::vector<index> connections::waiting() const
{
    std::vector<index> all;
    for (const wait& one : waits_)
        if (!one.let_go)
            all.push_back(one.operation);
    return all;
}

void connections::let_go(index operation, bool peer_is_gone)
{
    wait* const found = find_wait(operation);
    if (!found || found->let_go)
        return;
    found->let_go = true;
    found->peer_is_gone = peer_is_gone;
    world_.forget(operation);
    world_.operations_.wait_for(operation, waits_for::socket);
    if (found->what == act::resolve) {
        for (resolution& one : resolutions_) {
            if (one.operation != operation)
                continue;
            one.decided.until = duration(0);
            if (peer_is_gone)
                one.decided.error = EAI_AGAIN;
        }
        world_.advance_network();
        return;
    }
    if (network::socket* s = kernel_.find(found->socket))
        kernel_.let_go(*s, found->what, peer_is_gone ? ECONNABORTED : 0);
}

void connections::end_resolutions() noexcept
{
    for (resolution& one : resolutions_)
        one.decided = {.error = EAI_AGAIN};
    if (!resolutions_.empty())
        world_.advance_network();
}

void connections::fail_waiting(bool all)
{
    for (const index operation : waiting())
        if (const wait* one = find_wait(operation); one && (all || hangs(*one)))
            let_go(operation, true);
}

void connections::describe_waiting(std::vector<call_record>& into) const
{
    for (const wait& one : waits_) {
        if (one.let_go)
            continue;
        std::string what;
        if (network::socket* s = const_cast<network::kernel&>(kernel_).find(one.socket)) {
            std::string buffer;
            const std::string_view place = place_name(*s, buffer);
            what = one.what == act::connect ? fmt::format("a connection to {}", place)
                   : one.what == act::send  ? fmt::format("room for bytes to {}", place)
                                            : fmt::format("bytes from {}", place);
            if (s->ended >= duration(0))
                what += fmt::format(
                    "; the peer {} at {}", s->was_reset ? "reset" : "closed", mishap::to_string(s->ended));
            else if (s->other && s->other->script)
                what += "; " + s->other->script->describe();
        } else {
            what = "the addresses of a name";
        }
        into.push_back({one.operation, std::move(what)});
    }
}

// Peers
// ---------------------------------------------------------------------------------------------------

std::vector<network::address> connections::places(std::string_view where)
{
    const network::place read = network::parse_place(where);
    if (!read.path.empty()) {
        network::address path;
        path.family = AF_UNIX;
        path.path = read.path;
        return {path};
    }
    std::vector<network::address> all;
    if (const auto numeric = network::parse_host(read.host))
        all = {*numeric};
    else if (read.host == "localhost")
        all = {network::loopback_address(AF_INET6), network::loopback_address(AF_INET)};
    else
        all = kernel_.host(read.host);
    for (network::address& one : all)
        one.port = read.port;
    return all;
}

void connections::serve(std::string_view where, network::service what)
{
    use();
    what.name = where;
    for (const network::address& one : places(where)) {
        if (!pinning_ && std::find(pinned_.begin(), pinned_.end(), one) != pinned_.end())
            continue;
        kernel_.serve(one, what);
        if (pinning_)
            pinned_.push_back(one);
    }
}

void connections::set_host(std::string_view name, std::vector<network::address> addresses)
{
    use();
    if (!pinning_ && std::find(pinned_names_.begin(), pinned_names_.end(), name) != pinned_names_.end())
        return;
    kernel_.set_host(name, std::move(addresses));
    if (pinning_)
        pinned_names_.emplace_back(name);
}

network::link& connections::between(std::string_view a, std::string_view b)
{
    use();
    // An address that nobody gave a name is a host of that name.
    for (const std::string_view host : {a, b})
        if (const auto numeric = network::parse_host(host); numeric && kernel_.host_of(*numeric).empty())
            kernel_.set_host(host, {*numeric});
    return kernel_.between(a, b);
}

void connections::serve(std::string_view where, peer_work work)
{
    network::service what{.how = network::service::manner::hands_over};
    what.accepted = [this, work = std::move(work)](int number) { accept_peer(work, number); };
    serve(where, std::move(what));
}

void connections::accept_peer(const peer_work& work, int number)
{
    if (!world_.accepts_operations())
        return;
    if (peers_ == peer_signals_.size())
        peer_signals_.emplace_back();
    asio::cancellation_signal& signal = peer_signals_[peers_++];
    ++running_peers_;
    const asio::any_io_executor home = executor(world_.executors(), peer_lane);
    const network::socket* const s = kernel_.find(number);
    asio::ip::tcp::socket accepted(home);
    accepted.assign(s->family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), number);
    // It may end as it likes: whatever comes of that, the other side sees.
    asio::co_spawn(home, work(std::move(accepted)),
        asio::bind_cancellation_slot(signal.slot(), [this](std::exception_ptr) { --running_peers_; }));
}

void connections::stop_peers()
{
    kernel_.drop_peers();
    for (std::size_t i = 0; i < peers_; ++i)
        peer_signals_[i].emit(asio::cancellation_type::terminal);
}

} // namespace mishap::detail
