// SPDX-License-Identifier: MIT
#pragma once
/// One resource for everybody, behind a lock. Plain Asio; nothing here knows of mishap.
///
/// It promises that one client at a time has the resource, in the order in which they came, and that nobody
/// waits for ever. What broke is closed under the lock, and the next client creates anew; `shut_down` closes
/// the last one.

#include "shared/async_lock.hpp"
#include "shared/with_deadline.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <utility>

namespace catalogue {

namespace asio = boost::asio;

template <class Resource>
class singleton_resource
{
public:
    using clock = asio::steady_timer::clock_type;
    using log = std::function<void(std::exception_ptr)>;

    singleton_resource(asio::any_io_executor executor, clock::duration timeout, log log_error)
        : lock_(std::move(executor)), timeout_(timeout), log_(std::move(log_error))
    {}

    /// Lends the resource to the body. Waiting for the lock and creating share one deadline.
    template <class Body>
    asio::awaitable<void> with_resource(Body body)
    {
        const auto deadline = clock::now() + timeout_;
        co_await with_deadline([&] { return lock_.lock(); }, timeout_);
        std::exception_ptr error;
        try {
            if (!resource_) {
                auto created = std::make_unique<Resource>();
                co_await with_deadline([&] { return created->create(); }, deadline - clock::now());
                resource_ = std::move(created);
            }
            co_await body(*resource_);
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            // Whatever went wrong may have left it half-way through a command.
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
            co_await close();
        }
        lock_.unlock();
        if (error)
            std::rethrow_exception(error);
    }

    /// To be called when nobody uses the resource any more.
    asio::awaitable<void> shut_down() { return close(); }

private:
    asio::awaitable<void> close()
    {
        const auto last = std::move(resource_);
        if (!last)
            co_return;
        try {
            co_await with_deadline([&] { return last->close(); }, timeout_);
        } catch (...) {
            log_(std::current_exception());
        }
    }

    async_lock lock_;
    const clock::duration timeout_;
    const log log_;
    std::unique_ptr<Resource> resource_;
};

} // namespace catalogue
