// SPDX-License-Identifier: MIT
#pragma once
/// A lease that is renewed while the work lasts. Plain Asio; nothing here knows of mishap.
///
/// It promises that the work stops when the lease is lost and that its caller learns why. The lease is given
/// back once, the caller sees the first error, and no step of its own waits for ever.

#include "shared/with_deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>

namespace catalogue {

namespace asio = boost::asio;

struct lease_times
{
    asio::steady_timer::duration renew_every;
    asio::steady_timer::duration timeout;
};

/// Renews the lease until it is cancelled, or until a renewal fails.
template <class Lease>
asio::awaitable<void> keep_renewing(Lease& lease, lease_times times)
{
    asio::steady_timer pause(co_await asio::this_coro::executor);
    for (;;) {
        pause.expires_after(times.renew_every);
        co_await pause.async_wait(asio::use_awaitable);
        co_await with_deadline([&] { return lease.renew(); }, times.timeout);
    }
}

inline bool was_cancelled(const std::exception_ptr& error)
{
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& e) {
        return e.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

/// Takes the lease, runs the body, and gives the lease back. The body is cancelled when a renewal fails.
template <class Lease, class Body, class Log>
asio::awaitable<void> with_lease(Lease& lease, Body body, lease_times times, Log log)
{
    const auto executor = co_await asio::this_coro::executor;
    co_await with_deadline([&] { return lease.take(); }, times.timeout);
    std::exception_ptr error;
    try {
        // The group waits for whom it cancels, so nothing is under way when the lease is given back.
        auto both = asio::experimental::make_parallel_group(co_spawn(executor, body(lease), asio::deferred),
            co_spawn(executor, keep_renewing(lease, times), asio::deferred));
        const auto [order, of_body, of_renewal] =
            co_await both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
        error = order[0] == 0 ? of_body : of_renewal;
        // A renewal that failed while it was asked to stop: the lease was lost under the body.
        if (order[0] == 0 && !of_body && !was_cancelled(of_renewal))
            error = of_renewal;
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await with_deadline([&] { return lease.give_back(); }, times.timeout);
    } catch (...) {
        if (!error)
            throw;
        log(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
