// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "Resource Warming": a pool that has its first connections before anybody asks. Plain Asio;
/// nothing here knows of mishap.
///
/// It promises that the body finds the pool warm, and that the pool is shut down whatever happened, while it
/// was being warmed, too.

#include "shared/connection_pool.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

namespace catalogue {

namespace asio = boost::asio;

/// Opens this number of connections and leaves them idle.
template <class Connection>
asio::awaitable<void> warm(connection_pool<Connection>& pool, std::size_t connections)
{
    // One that is given back at once would be the next one, too.
    std::vector<typename connection_pool<Connection>::connection> opened;
    std::exception_ptr error;
    try {
        while (opened.size() < connections)
            opened.push_back(co_await pool.acquire());
    } catch (...) {
        error = std::current_exception();
    }
    for (auto& connection : opened)
        pool.give_back(std::move(connection));
    if (error)
        std::rethrow_exception(error);
}

/// As written: when warming fails, nobody shuts the pool down.
template <class Connection, class Body>
asio::awaitable<void> warmed_pool_as_written(
    connection_pool<Connection>& pool, std::size_t min_connections, Body body)
{
    co_await warm(pool, min_connections);
    std::exception_ptr error;
    try {
        co_await body(pool);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await pool.shut_down();
    if (error)
        std::rethrow_exception(error);
}

/// Mended: warming is work like any other.
template <class Connection, class Body>
asio::awaitable<void> warmed_pool(connection_pool<Connection>& pool, std::size_t min_connections, Body body)
{
    std::exception_ptr error;
    try {
        co_await warm(pool, min_connections);
        co_await body(pool);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await pool.shut_down();
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
