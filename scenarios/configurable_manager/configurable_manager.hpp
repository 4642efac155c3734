// SPDX-License-Identifier: MIT
#pragma once
/// A session whose creation is tried again. Plain Asio; nothing
/// here knows of mishap.
///
/// It promises at most `max_retries` further attempts, `retry_delay` apart, all within one `timeout`; that no
/// attempt leaves a session behind; and what every session promises.

#include "shared/lend.hpp"
#include "shared/retrying.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

namespace catalogue {

namespace asio = boost::asio;

struct configuration
{
    std::string database;
    asio::steady_timer::duration timeout = std::chrono::seconds(30);
    int max_retries = 3;
    asio::steady_timer::duration retry_delay = std::chrono::seconds(1);
};

inline void validate(const configuration& config)
{
    if (config.database.empty())
        throw std::invalid_argument("Database is required");
}

template <class Create, class Body, class Log>
asio::awaitable<void> configurable_manager(configuration config, Create create_session, Body body, Log log)
{
    validate(config);
    const auto create = [&] { return retrying(create_session, config.max_retries, config.retry_delay); };
    co_await lend(create, body, config.timeout, log);
}

} // namespace catalogue
