// SPDX-License-Identifier: MIT
#pragma once
/// Plain Asio, copyable into production: several attempts at creating, with a pause between them.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <type_traits>

namespace catalogue {

namespace asio = boost::asio;

/// Gives what `create()` gives, tried again up to `retries_max` times, `delay` after each failure. The last
/// error is thrown. Put a deadline around it, which all attempts and pauses share.
///
/// Precondition: a `create()` that failed leaves nothing behind.
template <class Create>
std::invoke_result_t<Create&> retrying(Create create, int retries_max, asio::steady_timer::duration delay)
{
    for (int retry = 0;; ++retry) {
        try {
            co_return co_await create();
        } catch (...) {
            // A cancelled coroutine throws at its next co_await, so it tries nothing again.
            if (retry == retries_max)
                throw;
        }
        asio::steady_timer pause(co_await asio::this_coro::executor, delay);
        co_await pause.async_wait(asio::use_awaitable);
    }
}

} // namespace catalogue
