// SPDX-License-Identifier: MIT
#pragma once
// Programs that make calls and note what each gives, to be run over the kernel's loopback and over the
// network in memory.

#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

namespace parity {

/// What a program's calls gave, one line each.
class notes
{
public:
    /// Notes a call that gives a number, and the error where it is -1.
    long operator()(std::string_view call, long value);
    /// Notes anything.
    void say(std::string_view call, std::string_view what);

    const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
};

struct program
{
    const char* name;
    void (*run)(notes&);
};

const std::vector<program>& connections();
const std::vector<program>& others();

/// The name of an `errno`.
std::string error_name(int error);
/// `in|out|hup` of a mask of poll() or epoll.
std::string events(unsigned mask);

/// A socket that is closed at the end of its scope.
class descriptor
{
public:
    explicit descriptor(int number = -1) noexcept : number_(number) {}
    descriptor(descriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
    descriptor& operator=(descriptor&& other) noexcept;
    ~descriptor() { close(); }
    operator int() const noexcept { return number_; }
    int close() noexcept;

private:
    int number_;
};

descriptor tcp_socket(int family = AF_INET);
/// Listens on a port of its own on loopback.
descriptor listening(int backlog = 8, int family = AF_INET);
/// The address a socket is bound to, for connect().
struct place
{
    sockaddr_storage storage{};
    socklen_t length = sizeof(sockaddr_storage);
    sockaddr* address() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
    const sockaddr* address() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};
place place_of(int socket);
place loopback(unsigned short port, int family = AF_INET);

/// Waits until the kernel has got there too; what is ready.
unsigned await(int socket, short wanted);
/// What is ready now.
unsigned ready(int socket, short wanted = POLLIN | POLLOUT | POLLRDHUP);

/// Two ends of one connection, neither of which blocks.
struct connection
{
    descriptor listener;
    descriptor client;
    descriptor server;
};
connection connected(int family = AF_INET);

} // namespace parity
