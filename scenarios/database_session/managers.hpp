// SPDX-License-Identifier: MIT
#pragma once
/// Skill, "Example 1: Database Session Manager". Plain Asio; nothing here knows of mishap.
///
/// It is `session` with options: who gives no fetch size fetches 1000 rows at a time.

#include "shared/lend.hpp"
#include "shared/lend_as_written.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <optional>
#include <string>

namespace catalogue {

namespace asio = boost::asio;

struct session_options
{
    std::string database;
    int fetch_size;
};

inline session_options options_for(std::optional<std::string> database, std::optional<int> fetch_size)
{
    return {database.value_or(""), fetch_size.value_or(1000)};
}

/// As written: a close that fails replaces the body's error, and may hang.
template <class Driver, class Body>
asio::awaitable<void> database_session_as_written(
    Driver& driver, std::optional<std::string> database, std::optional<int> fetch_size, Body body)
{
    const auto open = [&driver, options = options_for(database, fetch_size)] {
        return driver.session(options);
    };
    return lend_as_written(open, body);
}

/// Mended: both have timeouts, and the close error yields to the body's.
template <class Driver, class Body, class Log>
asio::awaitable<void> database_session(Driver& driver, std::optional<std::string> database,
    std::optional<int> fetch_size, Body body, asio::steady_timer::duration timeout, Log log)
{
    const auto open = [&driver, options = options_for(database, fetch_size)] {
        return driver.session(options);
    };
    return lend(open, body, timeout, log);
}

} // namespace catalogue
