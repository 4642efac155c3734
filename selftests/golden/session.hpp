// SPDX-License-Identifier: MIT
#pragma once
// Production code: nothing here knows of mishap. Can you see the bug?

#include "shared/with_deadline.hpp"

#include <boost/asio/cancellation_state.hpp>

#include <chrono>
#include <exception>

namespace app {

namespace asio = boost::asio;
using catalogue::with_deadline;
using namespace std::chrono_literals;

template <class Session, class Body>
asio::awaitable<void> with_session(Session& session, Body body)
{
    co_await with_deadline([&] { return session.open(); }, 5s);
    std::exception_ptr error;
    try {
        co_await body(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await with_deadline([&] { return session.close(); }, 5s);
    if (error)
        std::rethrow_exception(error);
}

} // namespace app
