// SPDX-License-Identifier: MIT
#pragma once
/// Skill, "Step 4: Handle Error Cases". Plain Asio; nothing here knows of mishap.
///
/// It promises that the body's error is logged and passed on, that a close error is logged and nothing more,
/// and, once mended, that neither creating nor closing waits for ever.

#include "shared/with_deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <stdexcept>

namespace catalogue {

namespace asio = boost::asio;

/// As written: the errors are as they should be, but nothing has a timeout.
template <class Settings, class Resource, class Body, class Log>
asio::awaitable<void> safe_resource_manager_as_written(
    const Settings* settings, Resource& resource, Body body, Log log)
{
    if (!settings)
        throw std::invalid_argument("Settings is required");
    bool created = false;
    std::exception_ptr error;
    try {
        co_await resource.create();
        created = true;
        co_await body(resource);
    } catch (...) {
        error = std::current_exception();
        log(error);
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (created) {
        try {
            co_await resource.close();
        } catch (...) {
            log(std::current_exception());
        }
    }
    if (error)
        std::rethrow_exception(error);
}

/// Mended: the same, with timeouts.
template <class Settings, class Resource, class Body, class Log>
asio::awaitable<void> safe_resource_manager(
    const Settings* settings, Resource& resource, Body body, asio::steady_timer::duration timeout, Log log)
{
    struct bounded
    {
        Resource& resource;
        asio::steady_timer::duration timeout;

        asio::awaitable<void> create()
        {
            return with_deadline([this] { return resource.create(); }, timeout);
        }
        asio::awaitable<void> close()
        {
            return with_deadline([this] { return resource.close(); }, timeout);
        }
    };
    bounded within{resource, timeout};
    const auto lend = [&](bounded& lent) { return body(lent.resource); };
    co_await safe_resource_manager_as_written(settings, within, lend, log);
}

} // namespace catalogue
