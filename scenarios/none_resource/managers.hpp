// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "Issue 4: None Resource in Cleanup". Plain Asio; nothing here knows of mishap.
///
/// It promises to close what was created, and nothing else.
///
/// asyncio lets a clean-up run after a cancellation; in Asio each co_await of a cancelled coroutine throws,
/// so every clean-up begins by shielding itself.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>

namespace catalogue {

namespace asio = boost::asio;

/// As written under "Wrong": closes the resource also when its creation failed.
template <class Resource, class Body>
asio::awaitable<void> unsafe(Resource& resource, Body body)
{
    std::exception_ptr error;
    try {
        co_await resource.create(); // may fail
        co_await body(resource);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await resource.close();
    if (error)
        std::rethrow_exception(error);
}

/// Mended: only what was created is closed, and, beyond the document's own fix, a failing close does not
/// replace the body's error.
template <class Resource, class Body, class Log>
asio::awaitable<void> safe(Resource& resource, Body body, Log log)
{
    bool created = false;
    std::exception_ptr error;
    try {
        co_await resource.create();
        created = true;
        co_await body(resource);
    } catch (...) {
        error = std::current_exception();
    }
    if (created) {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        try {
            co_await resource.close();
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
