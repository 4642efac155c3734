// SPDX-License-Identifier: MIT
#pragma once
/// Skill, "Step 5: Add Type Safety", and Reference, "Generic Context Managers": lends whatever a factory
/// makes, and closes it if it can be closed. Plain Asio; nothing here knows of mishap.
///
/// It promises that what has a `close` is closed once, within its timeout, and that what has none is
/// destroyed when the body has left it. The compiler checks what the body is lent.

#include "shared/with_deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>

namespace catalogue {

namespace asio = boost::asio;

/// What `hasattr(resource, 'close')` asks in Python; here the compiler answers.
template <class Resource>
concept closable = requires(Resource& resource)
{
    resource.close();
};

/// As written: a close that fails replaces the body's error, and may hang.
template <class Factory, class Body>
asio::awaitable<void> typed_manager_as_written(Factory factory, Body body)
{
    auto resource = factory();
    std::exception_ptr error;
    try {
        co_await body(resource);
    } catch (...) {
        error = std::current_exception();
    }
    if constexpr (closable<decltype(resource)>) {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await resource.close();
    }
    if (error)
        std::rethrow_exception(error);
}

/// Mended: the close has a timeout, and its error yields to the body's.
template <class Factory, class Body, class Log>
asio::awaitable<void> typed_manager(Factory factory, Body body, asio::steady_timer::duration timeout, Log log)
{
    auto resource = factory();
    std::exception_ptr error;
    try {
        co_await body(resource);
    } catch (...) {
        error = std::current_exception();
    }
    if constexpr (closable<decltype(resource)>) {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        try {
            co_await with_deadline([&] { return resource.close(); }, timeout);
        } catch (...) {
            if (!error)
                throw;
            log(std::current_exception());
        }
    }
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
