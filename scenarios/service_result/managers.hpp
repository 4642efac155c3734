// SPDX-License-Identifier: MIT
#pragma once
/// Skill and Reference, "ServiceResult Pattern": the body is lent a result, which holds the resource or what
/// went wrong when it was created. Plain Asio; nothing here knows of mishap.
///
/// It promises that the body runs once: with the resource, which is then closed, or with the failure. An
/// error of the body's own is the caller's, as everywhere.
///
/// The documents' two managers differ in how the resource is closed only (`cleanup`, `close`), so they are
/// one here.

#include "shared/service_result.hpp"
#include "shared/with_deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>

namespace catalogue {

namespace asio = boost::asio;

/// What the body is lent.
template <class Create>
using result_of_creating =
    service_result<std::reference_wrapper<typename std::invoke_result_t<Create&>::value_type>>;

/// As written: `except Exception` catches the body's error, too, and comes to the second `yield`. contextlib
/// raises a RuntimeError there and leaves the generator where it stands, so that its `finally` never runs.
template <class Create, class Body>
asio::awaitable<void> result_aware_manager_as_written(Create create_resource, Body body)
{
    using result = result_of_creating<Create>;
    std::optional<typename std::invoke_result_t<Create&>::value_type> resource;
    std::exception_ptr failed;
    bool lent = false;
    try {
        resource.emplace(co_await create_resource());
        lent = true;
        co_await body(result::ok(*resource));
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed && lent)
        throw std::runtime_error("generator didn't stop after athrow()");
    if (failed)
        co_await body(result::fail(failed));
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (resource)
        co_await resource->close();
}

/// Mended: only an error of the creation becomes a result.
template <class Create, class Body, class Log>
asio::awaitable<void> result_aware_manager(
    Create create_resource, Body body, asio::steady_timer::duration timeout, Log log)
{
    using result = result_of_creating<Create>;
    std::optional<typename std::invoke_result_t<Create&>::value_type> resource;
    std::exception_ptr error;
    try {
        const auto open = [&]() -> asio::awaitable<void> { resource.emplace(co_await create_resource()); };
        co_await with_deadline(open, timeout);
    } catch (...) {
        error = std::current_exception();
    }
    if (error) {
        // Whoever was cancelled meanwhile reads no result any more, and is told at once.
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            std::rethrow_exception(error);
        co_await body(result::fail(error));
        co_return;
    }
    try {
        co_await body(result::ok(*resource));
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await with_deadline([&] { return resource->close(); }, timeout);
    } catch (...) {
        if (!error)
            throw;
        log(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
