// SPDX-License-Identifier: MIT
#pragma once
/// Plain Asio, copyable into production: a resource that is lent to a body, and closed whatever the body did.

#include "shared/with_deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <optional>
#include <type_traits>

namespace catalogue {

namespace asio = boost::asio;

/// Creates a resource with `create()`, lends it to `body`, and closes it.
///
/// Creating and closing have `timeout` each. The caller sees the first error; a close error beside it goes to
/// `log`. A cancellation reaches the creation and the body, never the close.
template <class Create, class Body, class Log>
asio::awaitable<void> lend(Create create, Body body, asio::steady_timer::duration timeout, Log log)
{
    std::optional<typename std::invoke_result_t<Create&>::value_type> resource;
    const auto open = [&]() -> asio::awaitable<void> { resource.emplace(co_await create()); };
    co_await with_deadline(open, timeout);
    std::exception_ptr error;
    try {
        co_await body(*resource);
    } catch (...) {
        error = std::current_exception();
    }
    // Asio throws at each co_await of a cancelled coroutine, so the clean-up begins by shielding itself.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await with_deadline([&] { return resource->close(); }, timeout);
    } catch (...) {
        if (!error)
            throw;
        log(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
