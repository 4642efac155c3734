// SPDX-License-Identifier: MIT
#include "names.hpp"

#include "kernel.hpp"

#include <charconv>
#include <cstdlib>
#include <optional>

namespace mishap::network {

namespace {

struct known_service
{
    std::string_view name;
    std::uint16_t port;
};

constexpr known_service services[] = {{"ftp", 21}, {"ssh", 22}, {"telnet", 23}, {"smtp", 25}, {"domain", 53},
    {"http", 80}, {"pop3", 110}, {"ntp", 123}, {"imap2", 143}, {"ldap", 389}, {"https", 443},
    {"submission", 587}, {"ldaps", 636}, {"imaps", 993}, {"mysql", 3306}, {"postgresql", 5432},
    {"amqp", 5672}, {"redis", 6379}, {"http-alt", 8080}};

std::optional<std::uint16_t> port_of(const char* service, bool numeric)
{
    const std::string_view text = service ? service : "";
    if (text.empty())
        return std::uint16_t(0);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error == std::errc() && end == text.data() + text.size())
        return port;
    if (!numeric)
        for (const known_service& known : services)
            if (known.name == text)
                return known.port;
    return std::nullopt;
}

/// One node in one block, as the C library makes them and frees them again.
addrinfo* make_node(const address& where, int type, int protocol, const addrinfo* hints)
{
    constexpr std::size_t longest = sizeof(sockaddr_in6);
    auto* const node = static_cast<addrinfo*>(std::calloc(1, sizeof(addrinfo) + longest));
    if (!node)
        return nullptr;
    node->ai_addr = reinterpret_cast<sockaddr*>(node + 1);
    node->ai_addrlen = longest;
    write_address(where, node->ai_addr, &node->ai_addrlen);
    node->ai_family = where.family;
    node->ai_socktype = type;
    node->ai_protocol = protocol;
    node->ai_flags = hints ? hints->ai_flags : 0;
    return node;
}

} // namespace

bool needs_lookup(const char* host) { return host && !parse_host(host); }

int resolve(kernel& in, const char* host, const char* service, const addrinfo* hints, addrinfo** found)
{
    *found = nullptr;
    if ((!host || !*host) && (!service || !*service))
        return EAI_NONAME;
    const int flags = hints ? hints->ai_flags : 0;
    const int family = hints ? hints->ai_family : AF_UNSPEC;
    const int type = hints ? hints->ai_socktype : 0;
    if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6)
        return EAI_FAMILY;
    if (type != 0 && type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_RAW)
        return EAI_SOCKTYPE;
    const auto port = port_of(service, (flags & AI_NUMERICSERV) != 0);
    if (!port)
        return (flags & AI_NUMERICSERV) != 0 ? EAI_NONAME : EAI_SERVICE;

    std::vector<address> addresses;
    if (!host) {
        if ((flags & AI_PASSIVE) != 0)
            addresses = {any_address(AF_INET), any_address(AF_INET6)};
        else
            addresses = {loopback_address(AF_INET6), loopback_address(AF_INET)};
    } else if (const auto numeric = parse_host(host)) {
        if (family != AF_UNSPEC && family != numeric->family)
            return EAI_ADDRFAMILY;
        addresses.push_back(*numeric);
    } else if ((flags & AI_NUMERICHOST) != 0) {
        return EAI_NONAME;
    } else if (const auto* known = in.find_host(host)) {
        addresses = *known;
        in.note_resolved(host, addresses);
    } else if (std::string_view(host) == "localhost") {
        addresses = {loopback_address(AF_INET6), loopback_address(AF_INET)};
        in.note_resolved(host, addresses);
    } else {
        return EAI_NONAME;
    }
    if (family != AF_UNSPEC)
        std::erase_if(addresses, [&](const address& one) { return one.family != family; });
    if (addresses.empty())
        return EAI_NODATA;

    struct kind
    {
        int type;
        int protocol;
    };
    static constexpr kind kinds[] = {{SOCK_STREAM, IPPROTO_TCP}, {SOCK_DGRAM, IPPROTO_UDP}, {SOCK_RAW, 0}};
    addrinfo** tail = found;
    for (const address& one : addresses)
        for (const kind& each : kinds) {
            if (type != 0 && type != each.type)
                continue;
            if (hints && hints->ai_protocol != 0 && each.protocol != 0 && hints->ai_protocol != each.protocol)
                continue;
            *tail = make_node(one.with_port(*port), each.type, each.protocol, hints);
            if (!*tail) {
                ::freeaddrinfo(*found);
                *found = nullptr;
                return EAI_MEMORY;
            }
            tail = &(*tail)->ai_next;
        }
    if (!*found)
        return EAI_SERVICE;
    if ((flags & AI_CANONNAME) != 0 && host)
        (*found)->ai_canonname = ::strdup(host);
    return 0;
}

int name_info(kernel& in, const sockaddr* of, socklen_t length, char* host, socklen_t host_size,
    char* service, socklen_t service_size, int flags)
{
    const auto where = read_address(of, length);
    if (!where || (where->family != AF_INET && where->family != AF_INET6))
        return EAI_FAMILY;
    const auto put = [](const std::string& text, char* to, socklen_t size) {
        if (!to || size == 0)
            return true;
        if (text.size() >= size)
            return false;
        std::memcpy(to, text.c_str(), text.size() + 1);
        return true;
    };
    std::string name;
    if ((flags & NI_NUMERICHOST) == 0) {
        name = in.host_of(unmapped(*where));
        if (name.empty() && where->is_loopback())
            name = "localhost";
        if (name.empty() && (flags & NI_NAMEREQD) != 0)
            return EAI_NONAME;
    }
    if (name.empty()) {
        name = to_string(where->with_port(0));
        name.resize(name.rfind(':'));
        if (where->family == AF_INET6)
            name = name.substr(1, name.size() - 2);
    }
    std::string port = std::to_string(where->port);
    if ((flags & NI_NUMERICSERV) == 0)
        for (const known_service& known : services)
            if (known.port == where->port)
                port = known.name;
    return put(name, host, host_size) && put(port, service, service_size) ? 0 : EAI_OVERFLOW;
}

} // namespace mishap::network
