// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/duration.hpp>
#include <mishap/environment.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mishap {

/// The network of a run: what the sockets of the code under test talk to.
///
/// Sockets, names and pipes of the code under test are answered from memory, in virtual time, as the kernel
/// answers them over loopback. Until something is said here, there is nobody in the network: known hosts
/// refuse, and unknown ones are unreachable.
///
/// A place is `shop.example:443`, `10.0.0.7:80`, `[::1]:80` or `unix:/run/db.sock`. A name that is used in
/// one resolves from then on, to an address of its own.
///
/// Errors: members throw `input_error` for what is no place, name, address or script.
/// Lifetimes: valid until the run ends.
class simulated_network
{
public:
    explicit simulated_network(detail::world& where) : world_(&where) {}

    /// Answers each connection with a coroutine, which gets a stock socket. It runs in the peers' lane: no
    /// rule judges what it does, and nobody cancels it before the run has been judged.
    void listen(std::string_view place,
        std::function<boost::asio::awaitable<void>(boost::asio::ip::tcp::socket)> serve) const;

    /// A black hole: nothing ever answers there.
    void listen(std::string_view place) const;

    /// Answers each connection with a script, a step on each line: `expect TEXT`, `skip COUNT`, `until TEXT`,
    /// `reply TEXT`, `wait DURATION`, `close`, `reset` and `silence`. Text has the escapes of C, or is
    /// hexadecimal after `hex `. A peer that gets something other than it expects resets the connection, and
    /// breaks `expectation`.
    void play(std::string_view place, std::string_view script) const;

    /// Refuses connections, as a host does on which nobody listens.
    void refuse(std::string_view place) const;

    /// The addresses that a name resolves to, in that order; none makes it unknown.
    void resolve(std::string_view name, const std::vector<std::string>& addresses) const;

    /// How bytes travel between two hosts, whichever way. An empty name stands for every host; the code under
    /// test is on the host `client`.
    struct route
    {
        duration latency{0};
        /// At most so much more, differently for each message but the same in each run.
        duration jitter{0};
        /// Bytes each second; 0 means as many as there are.
        std::uint64_t bandwidth = 0;
    };
    void between(std::string_view a, std::string_view b, const route&) const;

    /// Nothing gets through between two hosts for that time; what was sent arrives after it.
    void partition(std::string_view a, std::string_view b, duration from, duration to) const;

    /// The server at that place is down for that time: its connections are reset, and new ones refused.
    void restart(std::string_view place, duration from, duration to) const;

private:
    detail::world* world_;
};

} // namespace mishap
