// SPDX-License-Identifier: MIT
#pragma once
/// Plain Asio, copyable into production: a lock for coroutines.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace catalogue {

/// A channel with one place: to lock is to send, to unlock is to receive. Senders are served in the order in
/// which they came.
class async_lock
{
public:
    explicit async_lock(boost::asio::any_io_executor executor) : place_(std::move(executor), 1) {}

    /// Ends when the lock is the caller's.
    ///
    /// Errors: throws `operation_aborted` when cancelled, where a channel by itself gives an error of its own
    /// that nobody who looks for a cancellation would know. Who is cancelled after being granted the lock has
    /// it.
    boost::asio::awaitable<void> lock()
    {
        namespace asio = boost::asio;
        boost::system::error_code error;
        co_await place_.async_send(
            boost::system::error_code(), asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::experimental::error::channel_cancelled)
            error = asio::error::operation_aborted;
        if (error)
            throw boost::system::system_error(error);
    }

    /// Hands the lock to the next in line. Precondition: the caller has it.
    void unlock()
    {
        place_.try_receive([](boost::system::error_code) {});
    }

private:
    boost::asio::experimental::channel<void(boost::system::error_code)> place_;
};

} // namespace catalogue
