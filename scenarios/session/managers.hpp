// SPDX-License-Identifier: MIT
#pragma once
/// Skill, "Quick Start": a database session with automatic clean-up. Plain Asio; nothing here knows of
/// mishap.
///
/// It promises that the session is closed once, whatever the body did, that the caller sees the first error,
/// and that neither connecting nor closing waits for ever.

#include "shared/lend.hpp"
#include "shared/lend_as_written.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <string>

namespace catalogue {

namespace asio = boost::asio;

/// As written: a close that fails replaces the body's error, and may hang.
template <class Database, class Body>
asio::awaitable<void> session_as_written(Database& database, std::string name, Body body)
{
    return lend_as_written([&database, name] { return database.connect(name); }, body);
}

/// Mended: both have timeouts, and the close error yields to the body's.
template <class Database, class Body, class Log>
asio::awaitable<void> session(
    Database& database, std::string name, Body body, asio::steady_timer::duration timeout, Log log)
{
    return lend([&database, name] { return database.connect(name); }, body, timeout, log);
}

} // namespace catalogue
