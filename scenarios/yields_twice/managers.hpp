// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "Issue 1: generator didn't stop". Production code: of mishap it uses the contexts only.
///
/// It promises that the body runs once, with all that it needs.
///
/// The document's managers lend two resources that are there already, so these do, too.

#include <mishap/context.hpp>

#include <boost/asio/awaitable.hpp>

#include <exception>
#include <tuple>

namespace catalogue {

namespace asio = boost::asio;

/// A resource that is open while it is lent.
template <class Resource>
mishap::context<Resource> opened(Resource& resource)
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

/// As written under "Wrong", in the style of managers that take their body: what lends twice runs the body
/// twice. Python notices when the generator does not stop; here nothing does.
template <class Resource, class Body>
asio::awaitable<void> broken_manager(Resource& first, Resource& second, Body body)
{
    co_await body(first);
    co_await body(second);
}

/// As written under "Wrong", with two `co_yield` as there are two `yield`: `mishap::with` refuses it as
/// Python does, after the body has run once.
template <class Resource>
mishap::context<Resource> broken_context(Resource& first, Resource& second)
{
    co_yield first;
    co_yield second;
}

/// Mended as in the document: lends both at once.
template <class Resource>
mishap::context<std::tuple<Resource&, Resource&>> fixed_manager(Resource& first, Resource& second)
{
    co_yield std::tie(first, second);
}

} // namespace catalogue
