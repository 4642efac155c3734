// SPDX-License-Identifier: MIT
#pragma once
/// getaddrinfo() and getnameinfo() over the table of names of a network in memory.

#include <netdb.h>

namespace mishap::network {

class kernel;

/// As getaddrinfo(): 0, or an `EAI_` code. What it gives is to be freed with the C library's freeaddrinfo().
int resolve(kernel& in, const char* host, const char* service, const addrinfo* hints, addrinfo** found);

/// As getnameinfo().
int name_info(kernel& in, const sockaddr* of, socklen_t length, char* host, socklen_t host_size,
    char* service, socklen_t service_size, int flags);

/// Whether a name must be looked up at all: it is not there, or is a number.
bool needs_lookup(const char* host);

} // namespace mishap::network
