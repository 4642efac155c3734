// SPDX-License-Identifier: MIT
#pragma once
// A first try, as many write it: wait for the close, then tell what went wrong.

#include "shared/with_deadline.hpp"

#include <boost/asio/awaitable.hpp>

#include <exception>

namespace app {

namespace asio = boost::asio;

template <class Create, class Body, class Log>
asio::awaitable<void> invoice_store(Create create, Body body, asio::steady_timer::duration timeout, Log)
{
    auto session = co_await create();
    std::exception_ptr error;
    try {
        co_await body(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await with_deadline([&] { return session.close(); }, timeout);
    if (error)
        std::rethrow_exception(error);
}

} // namespace app
