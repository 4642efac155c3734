// SPDX-License-Identifier: MIT
#pragma once
/// The `try`, `yield`, `finally` and `close` of the documents, word for word. Plain Asio; nothing here knows
/// of mishap.
///
/// asyncio lets a clean-up run after a cancellation; in Asio each co_await of a cancelled coroutine throws,
/// so every clean-up begins by shielding itself.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>

namespace catalogue {

namespace asio = boost::asio;

/// A close that fails replaces the body's error, and nothing has a timeout. `lend` is the mended one.
template <class Create, class Body>
asio::awaitable<void> lend_as_written(Create create, Body body)
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

} // namespace catalogue
