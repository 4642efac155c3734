// SPDX-License-Identifier: MIT
#pragma once

#include "network/kernel.hpp"

#include <mishap/operation.hpp>
#include <mishap/symbol.hpp>
#include <mishap/trace.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

class world;

/// What talks to one connection of a peer.
using peer_work = std::function<boost::asio::awaitable<void>(boost::asio::ip::tcp::socket)>;

/// Puts the calls on sockets into the ledger of a world's run, and does to them what the plan says.
///
/// A socket is an entry from its `socket` on; its `connect` or `accept` is the create. A send or receive is
/// one operation from the call that starts it to the one that gives a result, however often it is tried
/// between.
class connections final : private network::watcher
{
public:
    explicit connections(world& where);

    network::kernel& kernel() noexcept { return kernel_; }

    /// A new run has no socket and no peer.
    void begin_run();

    /// Whether something was asked of the network in this run.
    bool in_use() const noexcept { return in_use_; }
    void use();

    /// Any call that waits, and that nobody has let go: one that was made to hang, or any at all.
    bool any_waiting(bool all) const noexcept;
    /// A call that waits goes on: as usual, or with an error since its peer is gone.
    void let_go(index operation, bool peer_is_gone);
    /// Those calls fail: their peers are gone.
    void fail_waiting(bool all);
    /// Names that are still being resolved are given up: their thread is waited for.
    void end_resolutions() noexcept;
    /// The operations that wait, in order.
    std::vector<index> waiting() const;

    /// What each call that waits is waiting for, for whoever finds the run stuck.
    void describe_waiting(std::vector<call_record>& into) const;

    /// Answers connections at that place with a coroutine each, in the peers' lane.
    void serve(std::string_view where, peer_work work);
    /// Or in another manner.
    void serve(std::string_view where, network::service what);
    /// What is said of services and names while this holds stays, whatever is said later.
    void pin(bool on) noexcept { pinning_ = on; }
    /// The addresses of a name.
    void set_host(std::string_view name, std::vector<network::address> addresses);
    /// How bytes travel between two hosts.
    network::link& between(std::string_view a, std::string_view b);
    /// The addresses of a place: `shop.example:443`, `10.0.0.7:80`, `unix:/run/db.sock`.
    ///
    /// Errors: throws `input_error` for what is no such place.
    std::vector<network::address> places(std::string_view where);

    bool has_peers() const noexcept { return running_peers_ != 0; }
    /// Asks every peer to stop.
    void stop_peers();

private:
    struct wait
    {
        index operation;
        network::act what;
        int socket; ///< by number; negative for a name
        bool let_go = false;
        bool peer_is_gone = false;
    };
    struct resolution
    {
        index operation;
        network::decision decided;
    };

    network::decision begin(network::act, network::socket&, network::pending&) override;
    void end(network::act, network::socket&, network::pending&, int error, std::size_t bytes) override;
    void give_up(network::act, network::socket&, network::pending&) override;
    void stale(network::act, std::uint32_t entry) override;
    void mismatch(const std::string& what) override;
    const network::decision* begin_resolve(std::string_view name, std::uint32_t& tag) override;
    void end_resolve(std::uint32_t tag, int error) override;

    lane lane_for(const network::socket*) const noexcept;
    symbol kind_of(const network::socket&) const;
    index open_entry(network::socket&, lane);
    index start(network::act, role, symbol kind, std::uint32_t& entry, lane);
    network::decision decision_for(index operation, network::act);
    void settle(index operation, network::act, int error, std::size_t bytes);
    bool hangs(const wait&) const noexcept;
    wait* find_wait(index operation) noexcept;
    void forget_wait(index operation) noexcept;
    void accept_peer(const peer_work& work, int number);

    world& world_;
    network::kernel kernel_;
    bool in_use_ = false;
    bool pinning_ = false;
    std::vector<network::address> pinned_;
    std::vector<std::string> pinned_names_;
    std::vector<wait> waits_;
    std::list<resolution> resolutions_; ///< what is decided is held on to
    std::deque<boost::asio::cancellation_signal> peer_signals_;
    std::size_t peers_ = 0;
    std::size_t running_peers_ = 0;
};

} // namespace mishap::detail
