// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "Dependency Injection Pattern": settings and driver are required, metrics may be absent. Plain
/// Asio; nothing here knows of mishap.
///
/// It promises that the metrics, where there are any, count the sessions that were created and those that
/// were closed, and nothing else; and what every session promises.

#include "shared/lend.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace catalogue {

namespace asio = boost::asio;

struct injected_settings
{
    std::string database_name;
    int fetch_size = 1000;
};

struct metrics_collector
{
    long sessions_created = 0;
    long sessions_closed = 0;
};

template <class Driver>
void validate(const injected_settings* settings, const Driver* driver)
{
    if (!settings)
        throw std::invalid_argument("Settings is required");
    if (!driver)
        throw std::invalid_argument("Driver is required");
}

template <class Driver>
using session_of =
    typename decltype(std::declval<Driver&>().session(std::declval<const injected_settings&>()))::value_type;

/// As written: a session counts as created before it is, and as closed although it never was open or is still
/// being closed; a close that fails replaces the body's error, and may hang.
template <class Driver, class Body>
asio::awaitable<void> injected_manager_as_written(
    const injected_settings* settings, Driver* driver, metrics_collector* metrics, Body body)
{
    validate(settings, driver);
    std::optional<session_of<Driver>> session;
    std::exception_ptr error;
    try {
        if (metrics)
            ++metrics->sessions_created;
        session.emplace(co_await driver->session(*settings));
        co_await body(*session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (metrics)
        ++metrics->sessions_closed;
    if (session)
        co_await session->close();
    if (error)
        std::rethrow_exception(error);
}

/// A session that counts its creation and its close.
template <class Session>
class measured : public Session
{
public:
    measured(Session&& created, metrics_collector* metrics) : Session(std::move(created)), metrics_(metrics)
    {
        if (metrics_)
            ++metrics_->sessions_created;
    }

    asio::awaitable<void> close()
    {
        std::exception_ptr error;
        try {
            co_await Session::close();
        } catch (...) {
            error = std::current_exception();
        }
        if (metrics_)
            ++metrics_->sessions_closed;
        if (error)
            std::rethrow_exception(error);
    }

private:
    metrics_collector* metrics_;
};

/// Mended: counts what happened, when it happened.
template <class Driver, class Body, class Log>
asio::awaitable<void> injected_manager(const injected_settings* settings, Driver* driver,
    metrics_collector* metrics, Body body, asio::steady_timer::duration timeout, Log log)
{
    validate(settings, driver);
    using session = session_of<Driver>;
    const auto create = [=]() -> asio::awaitable<measured<session>> {
        co_return measured<session>(co_await driver->session(*settings), metrics);
    };
    co_await lend(create, body, timeout, log);
}

} // namespace catalogue
