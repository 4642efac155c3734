// SPDX-License-Identifier: MIT
#include "parity.hpp"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include <utility>

namespace parity {

std::string error_name(int error)
{
    const char* const name = ::strerrorname_np(error);
    return name ? name : std::to_string(error);
}

std::string events(unsigned mask)
{
    constexpr std::pair<unsigned, const char*> names[] = {{POLLIN, "in"}, {POLLOUT, "out"}, {POLLERR, "err"},
        {POLLHUP, "hup"}, {POLLRDHUP, "rdhup"}, {POLLNVAL, "nval"}};
    std::string text;
    for (const auto& [bit, name] : names)
        if ((mask & bit) != 0)
            text += (text.empty() ? "" : "|") + std::string(name);
    return text.empty() ? "nothing" : text;
}

long notes::operator()(std::string_view call, long value)
{
    const int error = errno;
    text_ += std::string(call) + " -> " + (value == -1 ? error_name(error) : std::to_string(value)) + '\n';
    return value;
}

void notes::say(std::string_view call, std::string_view what)
{
    text_ += std::string(call) + " -> " + std::string(what) + '\n';
}

descriptor& descriptor::operator=(descriptor&& other) noexcept
{
    close();
    number_ = std::exchange(other.number_, -1);
    return *this;
}

int descriptor::close() noexcept { return number_ < 0 ? 0 : ::close(std::exchange(number_, -1)); }

descriptor tcp_socket(int family)
{
    return descriptor(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

place loopback(unsigned short port, int family)
{
    place made;
    if (family == AF_INET) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::memcpy(&made.storage, &in, sizeof in);
        made.length = sizeof in;
    } else {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(port);
        in.sin6_addr = in6addr_loopback;
        ::memcpy(&made.storage, &in, sizeof in);
        made.length = sizeof in;
    }
    return made;
}

place place_of(int socket)
{
    place made;
    ::getsockname(socket, made.address(), &made.length);
    return made;
}

descriptor listening(int backlog, int family)
{
    descriptor made = tcp_socket(family);
    const place anywhere = loopback(0, family);
    ::bind(made, anywhere.address(), anywhere.length);
    ::listen(made, backlog);
    return made;
}

unsigned await(int socket, short wanted)
{
    pollfd one{socket, wanted, 0};
    ::poll(&one, 1, 1000);
    return static_cast<unsigned short>(one.revents);
}

unsigned ready(int socket, short wanted)
{
    pollfd one{socket, wanted, 0};
    ::poll(&one, 1, 0);
    return static_cast<unsigned short>(one.revents);
}

connection connected(int family)
{
    connection made;
    made.listener = listening(8, family);
    made.client = tcp_socket(family);
    const place where = place_of(made.listener);
    ::connect(made.client, where.address(), where.length);
    await(made.listener, POLLIN);
    made.server = descriptor(::accept4(made.listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    await(made.client, POLLOUT);
    return made;
}

} // namespace parity
