// SPDX-License-Identifier: MIT
#include "address.hpp"

#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace mishap::network {

namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

} // namespace

bool address::is_any() const noexcept
{
    return std::all_of(ip.begin(), ip.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool address::is_loopback() const noexcept
{
    if (family == AF_INET)
        return ip[0] == 127;
    return family == AF_INET6 &&
           std::all_of(ip.begin(), ip.end() - 1, [](std::uint8_t byte) { return byte == 0; }) && ip[15] == 1;
}

address any_address(sa_family_t family)
{
    address made;
    made.family = family;
    return made;
}

address loopback_address(sa_family_t family, std::uint16_t port)
{
    address made;
    made.family = family;
    made.port = port;
    if (family == AF_INET)
        made.ip = {127, 0, 0, 1};
    else
        made.ip[15] = 1;
    return made;
}

address ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port)
{
    address made;
    made.family = AF_INET;
    made.port = port;
    made.ip = {a, b, c, d};
    return made;
}

address unmapped(const address& from)
{
    if (from.family != AF_INET6 || !std::equal(mapped_prefix.begin(), mapped_prefix.end(), from.ip.begin()))
        return from;
    return ipv4(from.ip[12], from.ip[13], from.ip[14], from.ip[15], from.port);
}

address as_seen_by(sa_family_t family, const address& from)
{
    if (family != AF_INET6 || from.family != AF_INET)
        return from;
    address seen;
    seen.family = AF_INET6;
    seen.port = from.port;
    if (from.is_any())
        return seen;
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), seen.ip.begin());
    std::copy_n(from.ip.begin(), 4, seen.ip.begin() + 12);
    return seen;
}

std::optional<address> read_address(const sockaddr* from, socklen_t length)
{
    if (!from || length < sizeof(sa_family_t))
        return std::nullopt;
    address read;
    read.family = from->sa_family;
    switch (from->sa_family) {
    case AF_INET: {
        sockaddr_in in{};
        if (length < sizeof in)
            return std::nullopt;
        std::memcpy(&in, from, sizeof in);
        read.port = ntohs(in.sin_port);
        std::memcpy(read.ip.data(), &in.sin_addr, 4);
        return read;
    }
    case AF_INET6: {
        sockaddr_in6 in{};
        constexpr socklen_t shortest = offsetof(sockaddr_in6, sin6_scope_id);
        if (length < shortest)
            return std::nullopt;
        std::memcpy(&in, from, std::min<std::size_t>(sizeof in, length));
        read.port = ntohs(in.sin6_port);
        std::memcpy(read.ip.data(), &in.sin6_addr, 16);
        return read;
    }
    case AF_UNIX: {
        const std::size_t most = length - offsetof(sockaddr_un, sun_path);
        const char* path = reinterpret_cast<const sockaddr_un*>(from)->sun_path;
        // An abstract name starts with a zero and goes on to the end.
        read.path.assign(path, most != 0 && path[0] == '\0' ? most : ::strnlen(path, most));
        return read;
    }
    case AF_UNSPEC:
        return read;
    default:
        return std::nullopt;
    }
}

void write_address(const address& from, sockaddr* to, socklen_t* length) noexcept
{
    if (!to || !length)
        return;
    sockaddr_storage storage{};
    socklen_t needed = sizeof(sa_family_t);
    storage.ss_family = from.family;
    if (from.family == AF_INET) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(from.port);
        std::memcpy(&in.sin_addr, from.ip.data(), 4);
        std::memcpy(&storage, &in, sizeof in);
        needed = sizeof in;
    } else if (from.family == AF_INET6) {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(from.port);
        std::memcpy(&in.sin6_addr, from.ip.data(), 16);
        std::memcpy(&storage, &in, sizeof in);
        needed = sizeof in;
    } else if (from.family == AF_UNIX && !from.path.empty()) {
        sockaddr_un un{};
        un.sun_family = AF_UNIX;
        const std::size_t size = std::min(from.path.size(), sizeof un.sun_path - 1);
        std::memcpy(un.sun_path, from.path.data(), size);
        std::memcpy(&storage, &un, sizeof un);
        needed =
            static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size + (from.path[0] == '\0' ? 0u : 1u));
    }
    std::memcpy(to, &storage, std::min(*length, needed));
    *length = needed;
}

std::string to_string(const address& from)
{
    if (from.family == AF_UNIX)
        return from.path.empty() ? "an unnamed Unix socket" : from.path;
    char text[INET6_ADDRSTRLEN] = "?";
    ::inet_ntop(from.family, from.ip.data(), text, sizeof text);
    const std::string host = from.family == AF_INET6 ? '[' + std::string(text) + ']' : std::string(text);
    return host + ':' + std::to_string(from.port);
}

std::optional<address> parse_host(std::string_view text)
{
    const std::string host(text.substr(0, text.find('%'))); // without a scope
    for (const sa_family_t family : {sa_family_t(AF_INET), sa_family_t(AF_INET6)}) {
        address read = any_address(family);
        if (::inet_pton(family, host.c_str(), read.ip.data()) == 1)
            return read;
    }
    return std::nullopt;
}

place parse_place(std::string_view text)
{
    constexpr std::string_view local = "unix:";
    if (text.substr(0, local.size()) == local) {
        place read{.path = std::string(text.substr(local.size()))};
        if (read.path.empty())
            throw input_error("'unix:' is followed by a path, such as unix:/run/db.sock", local.size());
        return read;
    }
    place read;
    const auto colon = text.rfind(':');
    const std::string_view digits = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), read.port);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || read.port == 0 ||
        colon == 0)
        throw input_error(
            fmt::format("'{}' is no place in a network: write name:port, such as shop.example:443", text),
            colon == std::string_view::npos ? text.size() : colon + 1);
    std::string_view host = text.substr(0, colon);
    if (host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    read.host = host;
    return read;
}

} // namespace mishap::network
