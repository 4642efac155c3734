// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "With Dependency Injection": a factory that knows driver and settings and makes session
/// managers. Plain Asio; nothing here knows of mishap.
///
/// What the factory makes promises what every session promises, each time that it is called.

#include "shared/lend.hpp"
#include "shared/lend_as_written.hpp"

#include <boost/asio/steady_timer.hpp>

#include <string>

namespace catalogue {

namespace asio = boost::asio;

/// As written: a close that fails replaces the body's error, and may hang.
template <class Driver>
auto session_factory_as_written(Driver& driver, std::string database)
{
    return [&driver, database](auto body) {
        return lend_as_written([&driver, database] { return driver.session(database); }, body);
    };
}

/// Mended: both have timeouts, and the close error yields to the body's.
template <class Driver, class Log>
auto session_factory(Driver& driver, std::string database, asio::steady_timer::duration timeout, Log log)
{
    return [&driver, database, timeout, log](auto body) {
        return lend([&driver, database] { return driver.session(database); }, body, timeout, log);
    };
}

} // namespace catalogue
