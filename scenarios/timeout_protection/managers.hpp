// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "Timeout Protection". Plain Asio; nothing here knows of mishap.
///
/// It promises that a creation which takes too long is told as a service's timeout, and that a timeout of
/// the body's own stays what it is.
///
/// asyncio lets a clean-up run after a cancellation. In Asio each co_await of a cancelled coroutine throws,
/// so every clean-up begins by shielding itself.

#include "shared/with_deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>

namespace catalogue {

namespace asio = boost::asio;

/// An operation of the service took longer than it may.
class service_timeout_error : public std::runtime_error
{
public:
    service_timeout_error(const std::string& operation, std::chrono::seconds timeout)
        : std::runtime_error(operation + " took longer than " + std::to_string(timeout.count()) + " s")
    {}
};

/// As written: a body's own timeout is blamed on the creation, and after a timeout the clean-up touches a
/// resource that never was.
template <class Resource, class Body>
asio::awaitable<void> timeout_protected_as_written(
    Resource& resource, Body body, std::chrono::seconds timeout)
{
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer(co_await asio::this_coro::executor, timeout);
    std::exception_ptr error;
    try {
        const auto first = co_await (resource.create() || timer.async_wait(asio::use_awaitable));
        if (first.index() == 1)
            throw boost::system::system_error(asio::error::make_error_code(asio::error::timed_out));
        co_await body(resource);
    } catch (const boost::system::system_error& e) {
        error = e.code() == asio::error::timed_out
                    ? std::make_exception_ptr(service_timeout_error("create_resource", timeout))
                    : std::current_exception();
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await resource.close();
    if (error)
        std::rethrow_exception(error);
}

/// Mended: the timeout is that of the creation alone, and only what was created is closed.
template <class Resource, class Body, class Log>
asio::awaitable<void> timeout_protected(Resource& resource, Body body, std::chrono::seconds timeout, Log log)
{
    try {
        co_await with_deadline([&] { return resource.create(); }, timeout);
    } catch (const deadline_error&) {
        throw service_timeout_error("create_resource", timeout);
    }
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
        if (!error)
            throw;
        log(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
