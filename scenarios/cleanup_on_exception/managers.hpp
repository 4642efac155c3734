// SPDX-License-Identifier: MIT
#pragma once
/// Skill, "Step 6", and Reference, "Testing Cleanup Behavior": clean-up happens although the body throws.
/// Production code: of mishap it uses the contexts only.
///
/// It promises that what was lent is cleaned up after a body that returned and after one that threw.

#include <mishap/context.hpp>

#include <boost/asio/awaitable.hpp>

#include <exception>

namespace catalogue {

namespace asio = boost::asio;

/// What the documents call "Missing finally block": the body's error passes the clean-up by.
template <class Resource>
mishap::context<Resource> missing_finally(Resource& resource)
{
    co_await resource.create();
    co_yield resource;
    co_await resource.close();
}

/// As the documents write it.
template <class Resource>
mishap::context<Resource> cleanup_on_exception(Resource& resource)
{
    co_await resource.create();
    std::exception_ptr error;
    try {
        co_yield resource;
    } catch (...) {
        error = std::current_exception();
    }
    co_await resource.close();
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
