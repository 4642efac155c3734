// SPDX-License-Identifier: MIT
#pragma once
/// Skill, "Example 2: Resource Pool Manager": acquire with a timeout, release. Plain Asio; nothing here
/// knows of mishap.
///
/// It promises that whoever got a connection gives its slot back, whatever the body did and whatever became
/// of the release, and that the caller sees the body's error.

#include "shared/connection_pool.hpp"
#include "shared/with_deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <utility>

namespace catalogue {

namespace asio = boost::asio;

/// A pool whose release resets the connection first, so that it may fail.
template <class Connection>
class resetting_pool : public connection_pool<Connection>
{
    using base = connection_pool<Connection>;

public:
    resetting_pool(std::size_t size_max, typename base::clock::duration timeout, typename base::log log_error)
        : base(size_max, timeout, std::move(log_error)), timeout_(timeout)
    {}

    asio::awaitable<void> release(typename base::connection& back)
    {
        co_await with_deadline([&] { return back->reset(); }, timeout_);
        base::give_back(std::move(back));
    }

private:
    const typename base::clock::duration timeout_;
};

/// As written: a release that fails replaces the body's error, and loses the slot with its connection.
template <class Pool, class Body>
asio::awaitable<void> pooled_connection_as_written(Pool& pool, Body body)
{
    auto borrowed = co_await pool.acquire();
    std::exception_ptr error;
    try {
        co_await body(*borrowed);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await pool.release(borrowed);
    if (error)
        std::rethrow_exception(error);
}

/// Mended: what cannot be released, or what the body may have broken, is discarded, which frees its slot.
template <class Pool, class Body, class Log>
asio::awaitable<void> pooled_connection(Pool& pool, Body body, Log log)
{
    auto borrowed = co_await pool.acquire();
    std::exception_ptr error;
    try {
        co_await body(*borrowed);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (!error) {
        try {
            co_await pool.release(borrowed);
        } catch (...) {
            log(std::current_exception());
        }
    }
    if (borrowed)
        co_await pool.discard(std::move(borrowed));
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
