// SPDX-License-Identifier: MIT
#pragma once
/// Skill, "Fail-Fast Principle": every setting is looked at before anything is created. Plain Asio; nothing
/// here knows of mishap.
///
/// It promises that a setting that cannot be used is refused, by name, before anything exists that would have
/// to be closed.

#include "shared/lend.hpp"
#include "shared/lend_as_written.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

namespace catalogue {

namespace asio = boost::asio;

struct strict_settings
{
    std::string database_url;
    long pool_size;
    asio::steady_timer::duration timeout;
};

/// Throws `std::invalid_argument` for the first setting that cannot be used.
inline void validate(const strict_settings& settings)
{
    if (settings.database_url.empty())
        throw std::invalid_argument("Database URL required");
    if (settings.pool_size < 1)
        throw std::invalid_argument("Pool size must be at least 1");
    if (settings.timeout <= asio::steady_timer::duration(0))
        throw std::invalid_argument("Timeout must be positive");
}

/// As written, validation first; a close that fails replaces the body's error, and may hang.
template <class Create, class Body>
asio::awaitable<void> strict_manager_as_written(strict_settings settings, Create create_resource, Body body)
{
    validate(settings);
    co_await lend_as_written(create_resource, body);
}

/// What the documents warn of: the settings are looked at when they are needed, in the set-up.
template <class Create, class Body, class Log>
asio::awaitable<void> late_manager(strict_settings settings, Create create_resource, Body body, Log log)
{
    const auto use = [&](auto& resource) -> asio::awaitable<void> {
        validate(settings);
        co_await body(resource);
    };
    co_await lend(create_resource, use, std::chrono::seconds(30), log);
}

/// Mended: both have timeouts, and the close error yields to the body's.
template <class Create, class Body, class Log>
asio::awaitable<void> strict_manager(strict_settings settings, Create create_resource, Body body, Log log)
{
    validate(settings);
    co_await lend(create_resource, body, settings.timeout, log);
}

} // namespace catalogue
