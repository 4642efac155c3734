// SPDX-License-Identifier: MIT
#pragma once
// What the tests of honours_timeout share: a create that is given up after a while.

#include "support/under_test.hpp"

#include "shared/with_deadline.hpp"

#include <boost/asio/error.hpp>

namespace selftest {

constexpr auto T = 5s;

inline const contract bounded_create{.time = {.create = T, .unbounded = {phase::close}}};

inline boost::system::system_error timed_out()
{
    return boost::system::system_error(asio::error::make_error_code(asio::error::timed_out));
}

inline awaitable<void> lend_and_drop(environment& env, mock_resource& resource)
{
    std::exception_ptr error;
    try {
        co_await env.body()(resource);
    } catch (...) {
        error = std::current_exception();
    }
    resource.force_close();
    if (error)
        std::rethrow_exception(error);
}

/// Gives a create up after that time.
inline mishap::adapter creating_within(std::chrono::nanoseconds timeout)
{
    return [timeout](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await catalogue::with_deadline([&] { return resource.create(); }, timeout);
        co_await lend_and_drop(env, resource);
    };
}

} // namespace selftest
