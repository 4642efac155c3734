// SPDX-License-Identifier: MIT
// A context that is declared to lend a session, and lends a connection.

#include <mishap/context.hpp>

struct session
{};

struct connection
{};

mishap::context<session> open_session()
{
    connection made;
    co_yield made;
}
