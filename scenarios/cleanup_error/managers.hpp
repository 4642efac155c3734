// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "Issue 3: Cleanup Exceptions Hide Original Error". Plain Asio; nothing here knows of mishap.
///
/// It promises that the caller sees the body's error, and the log the close's.
///
/// asyncio lets a clean-up run after a cancellation. In Asio each co_await of a cancelled coroutine throws,
/// so every clean-up begins by shielding itself.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>

namespace catalogue {

namespace asio = boost::asio;

/// As written under "Wrong": if the close fails, the original error is lost.
template <class Create, class Body>
asio::awaitable<void> bad_cleanup(Create create, Body body)
{
    auto resource = co_await create();
    std::exception_ptr error;
    try {
        co_await body(resource);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await resource.close();
    if (error)
        std::rethrow_exception(error);
}

/// As written under "Fix": a failing close is logged, and the original error survives.
template <class Create, class Body, class Log>
asio::awaitable<void> good_cleanup(Create create, Body body, Log log)
{
    auto resource = co_await create();
    std::exception_ptr error;
    try {
        co_await body(resource);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await resource.close();
    } catch (...) {
        log(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
