// SPDX-License-Identifier: MIT
#pragma once
/// A transaction inside a session: commit or rollback. Plain Asio; nothing here knows of mishap.
///
/// It promises that work which succeeded is committed, that whatever else ends it is rolled back, and that
/// the session is closed after either. The caller sees the first error, and no step waits for ever. A
/// cancellation reaches the work, never the clean-up.

#include "shared/with_deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>

namespace catalogue {

namespace asio = boost::asio;

/// Opens the session, runs the body in a transaction, and closes the session. Each step but the body has
/// `timeout`.
template <class Session, class Body, class Log>
asio::awaitable<void> transaction(Session& session, Body body, asio::steady_timer::duration timeout, Log log)
{
    co_await with_deadline([&] { return session.create(); }, timeout);
    bool begun = false;
    std::exception_ptr error;
    try {
        co_await with_deadline([&] { return session.begin(); }, timeout);
        begun = true;
        co_await body(session);
        co_await with_deadline([&] { return session.commit(); }, timeout);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (begun && error) {
        try {
            co_await with_deadline([&] { return session.rollback(); }, timeout);
        } catch (...) {
            log(std::current_exception());
        }
    }
    try {
        co_await with_deadline([&] { return session.close(); }, timeout);
    } catch (...) {
        if (!error)
            throw;
        log(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
