// SPDX-License-Identifier: MIT
#pragma once
/// Skill, "Step 3": validate, create, initialize, lend, cleanup, close. Plain Asio; nothing here knows of
/// mishap.
///
/// It promises that whatever was created is cleaned up and closed, each step within its timeout, although
/// the step before it failed, and that the caller sees the first error.

#include "shared/with_deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <stdexcept>
#include <string>

namespace catalogue {

namespace asio = boost::asio;

struct resource_config
{
    std::string name;
};

/// As written: a cleanup that fails skips the close, and replaces the body's error.
template <class Resource, class Body>
asio::awaitable<void> resource_manager_as_written(
    const resource_config* config, Resource& resource, Body body)
{
    if (!config)
        throw std::invalid_argument("Config is required");
    bool created = false;
    std::exception_ptr error;
    try {
        co_await resource.create();
        created = true;
        co_await resource.initialize();
        co_await body(resource);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (created) {
        co_await resource.cleanup();
        co_await resource.close();
    }
    if (error)
        std::rethrow_exception(error);
}

/// Mended: each step of the clean-up is made, and its error yields to an earlier one.
template <class Resource, class Body, class Log>
asio::awaitable<void> resource_manager(const resource_config* config, Resource& resource, Body body,
    asio::steady_timer::duration timeout, Log log)
{
    if (!config)
        throw std::invalid_argument("Config is required");
    co_await with_deadline([&] { return resource.create(); }, timeout);
    std::exception_ptr error;
    try {
        co_await with_deadline([&] { return resource.initialize(); }, timeout);
        co_await body(resource);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const auto keep = [&](std::exception_ptr failed) {
        if (error)
            log(failed);
        else
            error = failed;
    };
    try {
        co_await with_deadline([&] { return resource.cleanup(); }, timeout);
    } catch (...) {
        keep(std::current_exception());
    }
    try {
        co_await with_deadline([&] { return resource.close(); }, timeout);
    } catch (...) {
        keep(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
