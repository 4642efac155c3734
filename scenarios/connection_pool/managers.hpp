// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "Connection Pooling". The mended pool is shared/connection_pool.hpp, since other patterns are
/// built on it. Plain Asio; nothing here knows of mishap.

#include "shared/connection_pool.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cstddef>
#include <deque>
#include <exception>
#include <list>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace catalogue {

namespace asio = boost::asio;

/// The pool is full, and nobody gave anything back in time.
class pool_exhausted_error : public std::runtime_error
{
public:
    pool_exhausted_error() : std::runtime_error("the pool is exhausted") {}
};

/// What asyncio.Queue is: whoever takes from it waits until there is something.
template <class T>
class async_queue
{
public:
    void put(T item)
    {
        items_.push_back(std::move(item));
        wake_next();
    }

    asio::awaitable<T> get()
    {
        while (items_.empty()) {
            waiter mine(*this, co_await asio::this_coro::executor);
            boost::system::error_code ignored;
            co_await mine.until_woken.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none)
                throw boost::system::system_error(
                    asio::error::make_error_code(asio::error::operation_aborted));
            mine.goes_on = true;
        }
        T item = std::move(items_.front());
        items_.pop_front();
        co_return item;
    }

private:
    /// A place in the line. Whoever leaves it without going on, cancelled or destroyed, wakes another one.
    struct waiter
    {
        waiter(async_queue& in, const asio::any_io_executor& executor)
            : queue(in), until_woken(executor, asio::steady_timer::time_point::max()),
              place(in.waiters_.insert(in.waiters_.end(), this))
        {}
        waiter(const waiter&) = delete;
        waiter& operator=(const waiter&) = delete;
        ~waiter()
        {
            queue.waiters_.erase(place);
            if (!goes_on && !queue.items_.empty())
                queue.wake_next();
        }

        async_queue& queue;
        asio::steady_timer until_woken;
        typename std::list<waiter*>::iterator place;
        bool goes_on = false;
    };

    void wake_next()
    {
        for (waiter* next : waiters_)
            if (next->until_woken.cancel() != 0)
                return;
    }

    std::deque<T> items_;
    std::list<waiter*> waiters_;
};

/// A client of the empty pool waits out its timeout before anything is created. Between the check of the
/// size and the end of the creation another client passes the same check. What broke goes back among what is
/// available, and nothing is ever closed.
template <class Connection>
class connection_pool_as_written
{
public:
    connection_pool_as_written(std::size_t size_max, asio::steady_timer::duration timeout)
        : size_max_(size_max), timeout_(timeout)
    {}

    template <class Body>
    asio::awaitable<void> with_connection(Body body)
    {
        using namespace asio::experimental::awaitable_operators;
        Connection* borrowed = nullptr;
        asio::steady_timer timer(co_await asio::this_coro::executor, timeout_);
        auto first = co_await (available_.get() || timer.async_wait(asio::use_awaitable));
        if (first.index() == 0) {
            borrowed = std::get<0>(first);
        } else if (connections_.size() < size_max_) {
            auto created = std::make_unique<Connection>();
            co_await created->open();
            connections_.push_back(std::move(created));
            borrowed = connections_.back().get();
        } else {
            throw pool_exhausted_error();
        }
        std::exception_ptr error;
        try {
            co_await body(*borrowed);
        } catch (...) {
            error = std::current_exception();
        }
        available_.put(borrowed);
        if (error)
            std::rethrow_exception(error);
    }

private:
    async_queue<Connection*> available_;
    std::vector<std::unique_ptr<Connection>> connections_;
    const std::size_t size_max_;
    const asio::steady_timer::duration timeout_;
};

} // namespace catalogue
