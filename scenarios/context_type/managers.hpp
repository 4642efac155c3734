// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "Issue 2: AsyncIterator vs AsyncContextManager Type". Production code: of mishap it uses the
/// contexts only.
///
/// It promises what the compiler checks: what is declared as lending lends.

#include <mishap/context.hpp>

#include <boost/asio/awaitable.hpp>

#include <exception>

namespace catalogue {

namespace asio = boost::asio;

/// As written under "Wrong": declared as what the caller gets instead of what the function is. There is no
/// way to lend from it, so that nobody ever closes what it creates. `mishap::with` does not compile with it
/// (selftests/compile_fail/wrong_type.cpp).
template <class Resource>
asio::awaitable<Resource> wrong_type(Resource resource)
{
    co_await resource.create();
    co_return resource;
}

template <class Resource>
mishap::context<Resource> correct_type(Resource resource)
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
