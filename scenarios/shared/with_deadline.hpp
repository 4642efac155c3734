// SPDX-License-Identifier: MIT
#pragma once
/// Plain Asio, copyable into production: an operation with a deadline.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>

namespace catalogue {

/// A deadline passed. Its code is `asio::error::timed_out`; its type tells it from a timeout that the
/// operation itself reported.
class deadline_error : public boost::system::system_error
{
public:
    deadline_error()
        : boost::system::system_error(boost::asio::error::make_error_code(boost::asio::error::timed_out))
    {}
};

/// Runs `operation()`, an `awaitable<void>`, and asks it to stop when `timeout` has passed; throws
/// `deadline_error` then.
///
/// Forwards cancellation, waits for what it cancelled, and never drops a result: an operation that succeeds
/// although it was asked to stop has succeeded. `operation_a || operation_b` does none of these, and waits
/// out the timer when the operation throws.
template <class Operation>
boost::asio::awaitable<void> with_deadline(Operation operation, boost::asio::steady_timer::duration timeout)
{
    namespace asio = boost::asio;
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, timeout);
    auto group = asio::experimental::make_parallel_group(
        asio::co_spawn(executor, operation(), asio::deferred), timer.async_wait(asio::deferred));
    const auto [order, error, timer_error] =
        co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    if (!error)
        co_return;
    const bool passed = !timer_error && order[0] == 1;
    if (passed) {
        // Out of time, and the operation knows nothing better than that it was asked to stop.
        try {
            std::rethrow_exception(error);
        } catch (const boost::system::system_error& e) {
            if (e.code() == asio::error::operation_aborted)
                throw deadline_error();
            throw;
        }
    }
    std::rethrow_exception(error);
}

} // namespace catalogue
