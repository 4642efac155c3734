// SPDX-License-Identifier: MIT
#pragma once
/// Addresses of the network in memory, as plain values.

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mishap::network {

/// Where a socket is: an IP address and port, or the path of a Unix socket.
struct address
{
    sa_family_t family = AF_UNSPEC;
    std::uint16_t port = 0;
    /// In network order; an IPv4 address takes the first four bytes.
    std::array<std::uint8_t, 16> ip{};
    /// Of a Unix socket; empty for one without a name.
    std::string path = {};

    friend bool operator==(const address&, const address&) = default;

    bool is_any() const noexcept;
    bool is_loopback() const noexcept;
    /// Whether both name the same host, whatever the ports.
    bool same_host(const address& other) const noexcept
    {
        return family == other.family && ip == other.ip && path == other.path;
    }
    address with_port(std::uint16_t other) const
    {
        address changed = *this;
        changed.port = other;
        return changed;
    }
};

/// An address of a family with nothing set: any host, port 0.
address any_address(sa_family_t family);
address loopback_address(sa_family_t family, std::uint16_t port = 0);
address ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port = 0);

/// An IPv4 address that is written as an IPv6 one (`::ffff:10.0.0.1`) as plain IPv4; others as they are.
address unmapped(const address&);
/// How a socket of that family sees the address: the inverse of `unmapped` for IPv6 sockets.
address as_seen_by(sa_family_t family, const address&);

/// Reads what a program gives to the kernel; nothing where it is too short or of another family.
std::optional<address> read_address(const sockaddr* from, socklen_t length);

/// Writes as much as fits and sets `length` to what was needed, as the kernel does.
void write_address(const address& from, sockaddr* to, socklen_t* length) noexcept;

/// `10.0.0.7:443`, `[::1]:80`, `/run/x.sock`.
std::string to_string(const address&);

/// Reads a numeric host, without a port; nothing for a name.
std::optional<address> parse_host(std::string_view text);

/// Where a service is, as people write it: `shop.example:443`, `10.0.0.7:80`, `[::1]:80`,
/// `unix:/run/db.sock`.
struct place
{
    std::string host = {};
    std::uint16_t port = 0;
    std::string path = {}; ///< of a Unix socket; empty otherwise
};

/// Errors: throws `input_error` with the offset of what is no such place.
place parse_place(std::string_view text);

} // namespace mishap::network
