// SPDX-License-Identifier: MIT
#pragma once
/// The usual mistake: a renewal that fails is logged, and the work goes on without a lease.

#include "lease.hpp"

namespace catalogue {

template <class Lease, class Log>
asio::awaitable<void> keep_renewing_and_log(Lease& lease, lease_times times, Log log)
{
    asio::steady_timer pause(co_await asio::this_coro::executor);
    for (;;) {
        pause.expires_after(times.renew_every);
        co_await pause.async_wait(asio::use_awaitable);
        try {
            co_await with_deadline([&] { return lease.renew(); }, times.timeout);
        } catch (...) {
            log(std::current_exception());
        }
    }
}

template <class Lease, class Body, class Log>
asio::awaitable<void> renews_in_vain(Lease& lease, Body body, lease_times times, Log log)
{
    const auto executor = co_await asio::this_coro::executor;
    co_await with_deadline([&] { return lease.take(); }, times.timeout);
    std::exception_ptr error;
    try {
        auto both = asio::experimental::make_parallel_group(co_spawn(executor, body(lease), asio::deferred),
            co_spawn(executor, keep_renewing_and_log(lease, times, log), asio::deferred));
        const auto [order, of_body, of_renewal] =
            co_await both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
        error = of_body;
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
