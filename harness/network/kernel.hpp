// SPDX-License-Identifier: MIT
#pragma once
/// The network in memory: what the kernel would do for one simulated program and its peers. Knows nothing of
/// the simulation: calls come in, results and readiness come out, and the time is an argument.

#include "script.hpp"
#include "socket.hpp"

#include <poll.h>
#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::network {

/// What a call gives: a value, or -1 with an `errno`.
struct answer
{
    ssize_t value = 0;
    int error = 0;

    static answer failed(int error) { return {-1, error}; }
};

/// Somebody who decides about calls of watched sockets, and learns what came of them.
class watcher
{
public:
    /// A call is made; it may be one that goes on with what it could not do before.
    virtual decision begin(act, socket&, pending&) = 0;
    /// It has given a result: 0 or an `errno` or `end_of_file`, and how many bytes.
    virtual void end(act, socket&, pending&, int error, std::size_t bytes) = 0;
    /// What is still under way on a socket is given up, since it is closed.
    virtual void give_up(act, socket&, pending&) = 0;
    /// A socket was closed a second time, or used after that; `entry` is what it had.
    virtual void stale(act, std::uint32_t entry) = 0;
    /// A scripted peer got something other than it expects.
    virtual void mismatch(const std::string& what) = 0;
    /// A name is to be resolved; the tag is the watcher's own.
    /// What is decided may change until it ends; an error is an `EAI_` code.
    virtual const decision* begin_resolve(std::string_view name, std::uint32_t& tag) = 0;
    virtual void end_resolve(std::uint32_t tag, int error) = 0;

protected:
    ~watcher() = default;
};

/// A service that answers at an address without a listening socket of the program's own.
struct service
{
    /// What becomes of a connection.
    enum class manner : std::uint8_t
    {
        hands_over, ///< to `accepted`, with the number of the far end
        plays,      ///< the script
        black_hole, ///< nothing ever answers
        refuses,
    };
    manner how = manner::black_hole;
    std::function<void(int number)> accepted = {};
    std::shared_ptr<const script> text = {};
    std::string name = {};
};

class kernel
{
public:
    /// `clock` is the virtual time of each moment.
    explicit kernel(const duration& clock) : clock_(&clock) {}
    ~kernel();
    kernel(const kernel&) = delete;
    kernel& operator=(const kernel&) = delete;

    /// Everything as it is at first; numbers and memory are kept.
    void reset();
    void set_watcher(watcher* who) noexcept { watcher_ = who; }
    watcher* watched_by() const noexcept { return watcher_; }
    /// Sockets that are made from here on belong to a peer, whose calls nobody watches.
    void serve_peer(bool peer) noexcept { peer_ = peer; }

    bool owns(int number) const noexcept
    {
        return number >= 0 && static_cast<std::size_t>(number) < table_.size() &&
               table_[static_cast<std::size_t>(number)] != nullptr;
    }
    /// A call was made on a number that was closed, and that nothing has now.
    void used_when_closed(int number, act) noexcept;
    socket* find(int number) noexcept
    {
        return owns(number) ? table_[static_cast<std::size_t>(number)] : nullptr;
    }
    /// Whether there is any socket at all, so that the network must be asked.
    bool in_use() const noexcept { return !all_.empty(); }

    // Calls.
    answer open_socket(int domain, int type, int protocol);
    answer pair(int domain, int type, int protocol, int numbers[2]);
    answer open_pipe(int numbers[2], int flags);
    answer close(int number);
    answer bind(socket&, const sockaddr*, socklen_t);
    answer listen(socket&, int backlog);
    answer connect(socket&, const sockaddr*, socklen_t);
    answer accept(socket&, sockaddr*, socklen_t*, int flags);
    answer receive(socket&, std::span<const iovec>, int flags, sockaddr* from, socklen_t* length,
        int* message_flags = nullptr);
    answer send(socket&, std::span<const iovec>, int flags, const sockaddr* to, socklen_t length);
    answer shutdown(socket&, int how);
    answer local_name(socket&, sockaddr*, socklen_t*);
    answer peer_name(socket&, sockaddr*, socklen_t*);
    answer get_option(socket&, int level, int name, void* value, socklen_t* length);
    answer set_option(socket&, int level, int name, const void* value, socklen_t length);
    answer control(socket&, unsigned long request, void* argument);
    answer file_control(socket&, int command, long argument);

    // Readiness.
    std::uint32_t readiness(socket&) const;
    /// What poll() reports of a socket.
    short poll_events(socket&, short wanted);
    answer epoll_control(int epoll, int operation, socket&, epoll_event*);
    /// Whether an epoll descriptor waits for a socket of this network.
    bool watches(int epoll) const noexcept;
    bool has_events(int epoll) const noexcept;
    int take_events(int epoll, epoll_event* into, int most);
    void epoll_closed(int epoll) noexcept;

    // Time.
    /// When something next happens by itself, or `never`.
    duration next_due() const noexcept { return agenda_.empty() ? never : agenda_.front().at; }
    /// Does everything that is due by now.
    void advance();

    // What is decided from outside.
    /// Ends the wait of a call that was decided to give nothing, with an error or as usual.
    void let_go(socket&, act, int error);

    // The world around.
    void serve(const address& where, service what);
    void stop_serving(const address& where);
    /// The addresses of a name, in the order in which they are resolved; makes up one where there is none.
    const std::vector<address>& host(std::string_view name);
    void set_host(std::string_view name, std::vector<address> addresses);
    const std::vector<address>* find_host(std::string_view name) const;
    /// The name that an address has; the last one that was resolved to it.
    std::string_view name_of(const address&) const;
    /// The name in the table that has this address; empty where none has.
    std::string_view host_of(const address&) const;
    void note_resolved(std::string_view name, const std::vector<address>& addresses);
    /// How bytes travel between two hosts, by their names; an empty name means every one.
    link& between(std::string_view a, std::string_view b);
    /// A service is down for a while, whether it is there already or comes later: it resets what it has, and
    /// refuses.
    void restart(const address& where, duration from, duration to);
    /// Ends the services and what scripted peers do.
    void drop_peers();
    /// Removes the path of a Unix socket; false where there is none.
    bool unlink(std::string_view path);

private:
    friend class script_player;

    enum class due : std::uint8_t
    {
        arrival,  ///< of the first segment on its way
        attempt,  ///< a connect is tried, or tried again
        answered, ///< the far end's answer to a connect comes back
        gate,     ///< what was held back goes on
        script,
        outage,
    };
    struct appointment
    {
        duration at;
        std::uint64_t order;
        due what;
        socket* whose;
        std::uint64_t serial;
        int error = 0;
    };
    struct host_entry
    {
        std::string name;
        std::vector<address> addresses;
    };
    struct link_entry
    {
        std::string a;
        std::string b;
        link how;
    };
    struct outage
    {
        address where;
        duration from;
        duration to;
    };
    struct time_wait
    {
        address local;
        duration until;
        bool reuse_address;
    };
    struct ready_list
    {
        int epoll;
        std::deque<std::pair<socket*, std::uint64_t>> sockets;
    };

    duration now() const noexcept { return *clock_; }
    socket* make(socket_kind kind, sa_family_t family);
    int give_number(socket&);
    void release(socket*);
    void schedule(duration at, due what, socket& whose, int error = 0);

    // Watching.
    bool is_watched(const socket& s) const noexcept { return watcher_ && s.watched; }
    decision* start(act what, socket& s, pending& p);
    void finish(act what, socket& s, pending& p, int error, std::size_t bytes);
    void apply_failure(socket& s, int error);

    // Connections.
    void try_to_connect(socket&);
    answer connect_local(socket&, const decision*);
    void hand_over(const service&, socket& far);
    bool is_down(const address& where) const noexcept;
    void note_end(socket&, bool reset) noexcept;
    void gate_opens(socket&);
    void establish(socket& client, socket& server);
    void fail_connect(socket&, int error);
    void connected(socket&);
    socket* listener_at(const address&) const;
    const service* service_at(const address&) const;
    void transmit(socket& to, const socket& from, segment&&);
    duration arrival_at(socket& to, const socket& from, std::size_t size);
    void arrive(socket& at, segment&&);
    void reset_by_peer(socket&);
    void abort(socket&);
    void end_sending(socket&);
    void close_stream(socket&);
    /// Sends it all, whatever room there is: for those who cannot wait.
    void send_all(socket&, const iovec&);
    void close_far_end(socket&);
    void both_ended(socket&);
    void detach(socket&);
    std::size_t room(const socket& to, const socket& from) const noexcept;
    bool has_space(const socket&) const noexcept;
    void space_made(socket& receiver);
    const link* link_between(const address& a, const address& b) const;
    std::string_view host_name(const address&) const;
    answer receive_stream(socket&, std::span<const iovec>, int flags, std::size_t most);
    answer send_stream(socket&, std::span<const iovec>, std::size_t most);
    answer receive_datagram(
        socket&, std::span<const iovec>, int flags, sockaddr* from, socklen_t* length, int* message_flags);
    answer send_datagram(socket&, std::span<const iovec>, const sockaddr* to, socklen_t length);

    // Addresses.
    bool is_local(const address&) const;
    bool is_taken(const socket& by, const address&) const;
    std::uint16_t ephemeral_port(const socket& by, const address& host);
    bool bind_any(socket&, const address& towards);
    static address client_address(sa_family_t family);

    void wake(socket&, std::uint32_t events);
    void queue(socket&, interest&);

    const duration* clock_;
    watcher* watcher_ = nullptr;
    bool peer_ = false;
    std::vector<socket*> table_; ///< by number
    std::vector<std::unique_ptr<socket>> all_;
    std::vector<std::unique_ptr<socket>> spare_;
    std::vector<int> spare_numbers_;
    /// What had a number before, by number: its serial's entry at the watcher.
    std::vector<std::pair<int, std::uint32_t>> closed_;
    std::uint64_t next_serial_ = 1;
    std::vector<appointment> agenda_; ///< a heap, earliest first
    std::uint64_t next_order_ = 0;
    std::vector<ready_list> ready_;
    std::vector<std::pair<address, service>> services_;
    std::vector<outage> outages_;
    std::vector<host_entry> hosts_;
    std::vector<std::pair<address, std::string>> resolved_;
    std::deque<link_entry> links_;
    std::vector<time_wait> time_waits_;
    std::vector<std::string> unlinked_; ///< paths of Unix sockets that were closed, and are there still
    std::vector<std::unique_ptr<script_player>> players_;
    std::uint16_t next_port_ = 0;
    std::uint32_t next_host_ = 0;
    std::uint64_t messages_ = 0;
};

} // namespace mishap::network
