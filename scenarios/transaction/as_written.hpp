// SPDX-License-Identifier: MIT
#pragma once
/// Skill, "Pattern 3: Nested Context Managers", as written. Plain Asio; nothing here knows of mishap.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <exception>

namespace catalogue {

namespace asio = boost::asio;

/// What `except Exception` does not catch in Python.
inline bool is_cancellation(const std::exception_ptr& error)
{
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& e) {
        return e.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

/// As written: a cancellation is not rolled back, since `except Exception` misses it; a rollback that fails
/// replaces the error that it was for, and so does a close.
template <class Session, class Body>
asio::awaitable<void> transaction_as_written(Session& session, Body body)
{
    co_await session.create();
    std::exception_ptr error;
    try {
        co_await session.begin();
        std::exception_ptr failed;
        try {
            co_await body(session);
            co_await session.commit();
        } catch (...) {
            failed = std::current_exception();
        }
        if (failed && !is_cancellation(failed))
            co_await session.rollback();
        if (failed)
            std::rethrow_exception(failed);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await session.close();
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
