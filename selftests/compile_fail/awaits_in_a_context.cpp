// SPDX-License-Identifier: MIT
// A context that awaits what only a completion token makes an awaitable.

#include <mishap/context.hpp>

#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>

mishap::context<int> wait_first(boost::asio::steady_timer& timer)
{
    co_await timer.async_wait(boost::asio::deferred);
    int lent = 1;
    co_yield lent;
}
