// SPDX-License-Identifier: MIT
#pragma once
/// Skill, "Pattern 1: State Tracking": what was created is cleaned up, once. Plain Asio; nothing here knows
/// of mishap.
///
/// It promises one cleanup for what was created and none for what was not. Here the state is where the code
/// stands: a creation that fails never comes to the part that cleans up.

#include "shared/lend.hpp"
#include "shared/lend_as_written.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <type_traits>
#include <utility>

namespace catalogue {

namespace asio = boost::asio;

/// A resource whose close is called `cleanup`, as the document's is.
template <class Resource>
struct cleaned_up : Resource
{
    explicit cleaned_up(Resource&& created) : Resource(std::move(created)) {}
    asio::awaitable<void> close() { return Resource::cleanup(); }
};

template <class Create>
auto creates_tracked(Create create)
{
    using resource = typename std::invoke_result_t<Create&>::value_type;
    return [create]() -> asio::awaitable<cleaned_up<resource>> {
        co_return cleaned_up<resource>(co_await create());
    };
}

/// As written: a cleanup that fails replaces the body's error, and may hang.
template <class Create, class Body>
asio::awaitable<void> tracked_resource_as_written(Create create, Body body)
{
    return lend_as_written(creates_tracked(create), body);
}

/// Mended: both have timeouts, and the cleanup's error yields to the body's.
template <class Create, class Body, class Log>
asio::awaitable<void> tracked_resource(
    Create create, Body body, asio::steady_timer::duration timeout, Log log)
{
    return lend(creates_tracked(create), body, timeout, log);
}

} // namespace catalogue
