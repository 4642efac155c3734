// SPDX-License-Identifier: MIT
#pragma once
// The manager that the benchmark runs, and the mocks that one would write for it by hand.

#include "shared/with_deadline.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/errc.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <exception>

namespace bench {

namespace asio = boost::asio;

/// A session manager with a timeout on create, as in the catalogue.
template <class Session, class Body>
asio::awaitable<void> with_session(Session& session, Body body)
{
    co_await catalogue::with_deadline([&] { return session.create(); }, std::chrono::seconds(5));
    std::exception_ptr error;
    try {
        co_await body(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await session.close();
    } catch (...) {
        if (!error)
            throw;
    }
    if (error)
        std::rethrow_exception(error);
}

/// A mock written by hand: each operation suspends once, as mishap's do.
class bare_session
{
public:
    asio::awaitable<void> create()
    {
        co_await asio::post(asio::use_awaitable);
        open_ = true;
    }

    asio::awaitable<void> use()
    {
        co_await asio::post(asio::use_awaitable);
        if (use_fails)
            throw boost::system::system_error(
                boost::system::errc::make_error_code(boost::system::errc::io_error));
    }

    asio::awaitable<void> close()
    {
        co_await asio::post(asio::use_awaitable);
        open_ = false;
    }

    bool open() const { return open_; }

    bool use_fails = false;

private:
    bool open_ = false;
};

} // namespace bench
