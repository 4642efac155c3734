// SPDX-License-Identifier: MIT
#pragma once
/// What the documents advise against and show no code for. Plain Asio; nothing here knows of mishap.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <exception>
#include <thread>

namespace catalogue {

namespace asio = boost::asio;

/// "Don't ignore cleanup failures": nobody ever hears of a close that failed.
template <class Create, class Body>
asio::awaitable<void> silent_cleanup(Create create, Body body)
{
    auto resource = co_await create();
    std::exception_ptr error;
    try {
        co_await body(resource);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await resource.close();
    } catch (...) { // what the documents warn of
    }
    if (error)
        std::rethrow_exception(error);
}

/// "Don't mix sync/async": the clean-up waits on the thread that everybody else needs.
template <class Create, class Body>
asio::awaitable<void> blocking_cleanup(Create create, Body body)
{
    auto resource = co_await create();
    std::exception_ptr error;
    try {
        co_await body(resource);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    co_await resource.close();
    if (error)
        std::rethrow_exception(error);
}

/// "Don't violate Single Responsibility": one manager for two resources closes them in the wrong order.
template <class Resource, class Body>
asio::awaitable<void> two_in_one(Resource& outer, Resource& inner, Body body)
{
    std::exception_ptr error;
    co_await outer.create();
    bool both = false;
    try {
        co_await inner.create();
        both = true;
        co_await body(inner);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await outer.close();
    if (both)
        co_await inner.close();
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
