// SPDX-License-Identifier: MIT
#pragma once
/// A circuit breaker before sessions: clients that come while the server is down are refused at once. Plain
/// Asio; nothing here knows of mishap.
///
/// It promises that after `failures_max` creations that failed one after another clients are refused for
/// `pause`, that they are served again afterwards, and what every session promises. A client that was
/// cancelled says nothing about the server, and is not counted.

#include "shared/with_deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <functional>
#include <stdexcept>
#include <utility>

namespace catalogue {

namespace asio = boost::asio;

class breaker_open : public std::runtime_error
{
public:
    breaker_open() : std::runtime_error("the server is down, and is left alone for a while") {}
};

class breaker
{
public:
    using clock = asio::steady_timer::clock_type;
    using log = std::function<void(std::exception_ptr)>;

    struct settings
    {
        int failures_max = 3;
        clock::duration pause = std::chrono::seconds(30);
        clock::duration timeout = std::chrono::seconds(5);
    };

    breaker(settings how, log log_error) : how_(how), log_(std::move(log_error)) {}

    /// Opens the session, lends it to the body, and closes it.
    ///
    /// Errors: throws `breaker_open` where nothing was tried.
    template <class Session, class Body>
    asio::awaitable<void> with_session(Session& session, Body body)
    {
        if (clock::now() < refuses_until_)
            throw breaker_open();
        std::exception_ptr error;
        try {
            co_await with_deadline([&] { return session.open(); }, how_.timeout);
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            const asio::cancellation_state client = co_await asio::this_coro::cancellation_state;
            if (client.cancelled() == asio::cancellation_type::none)
                count_failure();
            std::rethrow_exception(error);
        }
        failures_ = 0;
        try {
            co_await body(session);
        } catch (...) {
            error = std::current_exception();
        }
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        try {
            co_await with_deadline([&] { return session.close(); }, how_.timeout);
        } catch (...) {
            if (!error)
                throw;
            log_(std::current_exception());
        }
        if (error)
            std::rethrow_exception(error);
    }

private:
    void count_failure()
    {
        if (++failures_ >= how_.failures_max)
            refuses_until_ = clock::now() + how_.pause;
    }

    const settings how_;
    const log log_;
    int failures_ = 0;
    clock::time_point refuses_until_ = clock::time_point::min();
};

} // namespace catalogue
