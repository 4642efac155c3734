// SPDX-License-Identifier: MIT
#pragma once
// The code under test. It knows nothing of mishap.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>

namespace app {

/// Lends an open session to the work, and closes it whatever the work does.
template <class Session, class Work, class Log>
boost::asio::awaitable<void> with_session(Session& session, Work work, Log log)
{
    namespace asio = boost::asio;
    co_await session.open();
    std::exception_ptr error;
    try {
        co_await work(session);
    } catch (...) {
        error = std::current_exception();
    }
    // From here on a cancelled caller must wait: a session that is not closed costs the server a connection.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
    try {
        co_await session.close();
    } catch (...) {
        if (error)
            log(std::current_exception());
        else
            error = std::current_exception();
    }
    if (error)
        std::rethrow_exception(error);
}

/// The same with a common mistake: when closing fails, the caller no longer learns what happened to the work.
template <class Session, class Work>
boost::asio::awaitable<void> with_session_wrong(Session& session, Work work)
{
    namespace asio = boost::asio;
    co_await session.open();
    std::exception_ptr error;
    try {
        co_await work(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await session.close();
    if (error)
        std::rethrow_exception(error);
}

} // namespace app
