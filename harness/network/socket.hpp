// SPDX-License-Identifier: MIT
#pragma once
/// The state of one socket or end of a pipe, as plain values.

#include "address.hpp"
#include "bytes.hpp"

#include <mishap/duration.hpp>

#include <sys/epoll.h>

#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <vector>

namespace mishap::network {

class script_player;

inline constexpr duration never = duration::max();

enum class socket_kind : std::uint8_t
{
    tcp,
    udp,
    local,  ///< a Unix stream socket, or one of a pair
    reader, ///< the end of a pipe that is read
    writer,
};

/// Where a TCP or Unix socket is in its life.
enum class stage : std::uint8_t
{
    closed, ///< not connected yet, or not any more
    listening,
    connecting,
    established,
};

/// What a call does, where somebody watches.
enum class act : std::uint8_t
{
    open, ///< of the descriptor
    connect,
    accept,
    receive,
    send,
    shutdown,
    close,
    resolve,
};

/// A connection's end, or an end of file, in place of an `errno`: the peer went away without a reset.
inline constexpr int end_of_file = -1;

/// What was decided about one call, which lasts until it gives something other than `EAGAIN`.
struct decision
{
    /// It gives nothing until then.
    duration until{0};
    /// It then fails with that; 0 where it goes on as usual.
    int error = 0;
    /// The maximum number of bytes.
    std::size_t most = std::numeric_limits<std::size_t>::max();
    /// The connection is reset once it has done its work.
    bool breaks_after = false;
};

/// A call that somebody watches, from when it is first made until it gives a result.
struct pending
{
    bool under_way = false;
    decision decided = {};
    std::uint32_t tag = std::numeric_limits<std::uint32_t>::max(); ///< the watcher's own
};

/// An epoll descriptor's interest in a socket.
struct interest
{
    int epoll = -1;
    epoll_event wanted{};
    bool queued = false;   ///< it is in the epoll's list of what may be ready
    bool disabled = false; ///< `EPOLLONESHOT`, and it has been told
};

/// Bytes on their way, which arrive together.
struct segment
{
    duration at{0};
    std::string payload = {};
    bool ends = false; ///< the sender sends no more
    bool resets = false;
};

struct datagram
{
    std::string payload;
    address from;
    duration at{0}; ///< when it arrives
};

/// How bytes travel between two hosts.
struct link
{
    duration latency{0};
    /// At most so much later, differently for each message.
    duration jitter{0};
    /// Bytes per second; 0 means as many as there are.
    std::uint64_t bandwidth = 0;
    struct partition
    {
        duration from{0};
        duration to = never;
    };
    std::vector<partition> partitions = {};
};

inline constexpr std::size_t default_buffer = 131'072;

struct socket
{
    int number = -1; ///< none for the far end that a script plays
    std::uint64_t serial = 0;
    socket_kind kind = socket_kind::tcp;
    stage at = stage::closed;
    sa_family_t family = AF_INET;
    int protocol = 0;
    bool watched = false; ///< its calls are judged
    bool blocking = true;
    bool close_on_exec = false;

    address local = {};
    address peer = {};
    bool bound = false;
    bool reuse_address = false;
    bool reuse_port = false;
    bool only_v6 = false;
    bool no_delay = false;
    bool keep_alive = false;
    bool broadcast = false;
    int linger_seconds = -1; ///< negative: off
    std::size_t receive_buffer = default_buffer;
    std::size_t send_buffer = 16'384;
    duration receive_timeout{0};
    duration send_timeout{0};
    std::vector<std::pair<std::uint64_t, int>> other_options = {}; ///< level and name, and what was set

    // Of a listening socket.
    int backlog = 0;
    std::deque<socket*> waiting_to_be_accepted = {};

    // Of a connection.
    socket* other = nullptr;
    bytes incoming = {};
    std::deque<segment> flying = {}; ///< towards this end
    std::size_t flying_bytes = 0;
    duration last_arrival{0};
    duration link_free{0}; ///< when the last byte on its way will have left
    std::deque<datagram> datagrams = {};
    std::size_t datagram_bytes = 0;
    bool sends_no_more = false;    ///< shut down by this end
    bool receives_no_more = false; ///< shut down by this end, or the other end has ended
    bool got_end = false;          ///< the other end has ended
    bool connect_unseen = false;   ///< the program has not been told that its connect succeeded
    bool wants_space = false;      ///< it was refused for want of space
    bool held = false;             ///< its connect was decided to wait
    bool orphan = false;           ///< accepted by nobody yet
    int error = 0;                 ///< `SO_ERROR`
    int attempts = 0;              ///< of a connect to a host that does not answer
    duration ended{-1};            ///< when the other end closed or reset it
    bool was_reset = false;        ///< which of the two
    std::string dialled = {};      ///< the name under which the address was resolved
    script_player* script = nullptr;

    pending connecting = {};
    pending receiving = {};
    pending sending = {};
    std::uint32_t entry = std::numeric_limits<std::uint32_t>::max(); ///< the watcher's own

    std::vector<interest> interests = {};

    /// Everything as it is at first, but for memory that can be used again.
    void reset();
};

} // namespace mishap::network
