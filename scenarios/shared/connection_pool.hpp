// SPDX-License-Identifier: MIT
#pragma once
/// A connection pool with a capacity, waiters in line and a deadline for them. Plain Asio; nothing here knows
/// of mishap.
///
/// It promises that no more connections exist than its capacity. Clients are served in the order in which
/// they came, or told of the timeout. What is broken is closed and not lent again. A slot is reserved before
/// the creation starts and given back if that fails; a waiter that is woken in vain wakes the next one.

#include "shared/with_deadline.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <utility>

namespace catalogue {

namespace asio = boost::asio;

template <class Connection>
class connection_pool
{
public:
    using clock = asio::steady_timer::clock_type;
    using log = std::function<void(std::exception_ptr)>;
    using connection = std::unique_ptr<Connection>;

    connection_pool(std::size_t size_max, clock::duration timeout, log log_error)
        : size_max_(size_max), timeout_(timeout), log_(std::move(log_error))
    {}

    /// Lends a connection to the body, for as long as it takes.
    template <class Body>
    asio::awaitable<void> with_connection(Body body)
    {
        auto borrowed = co_await acquire();
        std::exception_ptr error;
        try {
            co_await body(*borrowed);
        } catch (...) {
            error = std::current_exception();
        }
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        if (error) {
            // Whatever went wrong may have left it half-way through a command.
            co_await discard(std::move(borrowed));
            std::rethrow_exception(error);
        }
        give_back(std::move(borrowed));
    }

    /// Gives a connection that is idle or new, and waits for one within the pool's timeout.
    asio::awaitable<connection> acquire()
    {
        const auto deadline = clock::now() + timeout_;
        if (!idle_.empty()) {
            connection ready = std::move(idle_.front());
            idle_.pop_front();
            co_return ready;
        }
        if (size_ < size_max_) {
            ++size_;
            co_return co_await create(deadline);
        }
        waiter mine(*this, co_await asio::this_coro::executor, deadline);
        boost::system::error_code ignored;
        co_await mine.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::make_error_code(asio::error::operation_aborted));
        if (mine.handed)
            co_return std::move(mine.handed);
        if (std::exchange(mine.has_slot, false))
            co_return co_await create(deadline);
        throw deadline_error();
    }

    /// Hands what was acquired to whoever waits longest, or keeps it.
    void give_back(connection back)
    {
        if (waiters_.empty()) {
            idle_.push_back(std::move(back));
            return;
        }
        waiter& next = take_waiter();
        next.handed = std::move(back);
        next.timer.cancel();
    }

    /// Closes what was acquired and must not be lent again. To be called where nothing cancels.
    asio::awaitable<void> discard(connection broken)
    {
        co_await close(*broken);
        free_slot();
    }

    /// Closes what is idle. To be called when nobody uses the pool any more.
    asio::awaitable<void> shut_down()
    {
        while (!idle_.empty()) {
            const auto last = std::move(idle_.back());
            idle_.pop_back();
            co_await close(*last);
            --size_;
        }
    }

private:
    /// A place in the line. Whoever leaves it with something in hand, cancelled or destroyed, passes it on.
    struct waiter
    {
        waiter(connection_pool& in, const asio::any_io_executor& executor, clock::time_point until)
            : pool(in), timer(executor, until), place(in.waiters_.insert(in.waiters_.end(), this))
        {}
        waiter(const waiter&) = delete;
        waiter& operator=(const waiter&) = delete;
        ~waiter()
        {
            if (!woken)
                pool.waiters_.erase(place);
            if (handed)
                pool.give_back(std::move(handed));
            else if (has_slot)
                pool.free_slot();
        }

        connection_pool& pool;
        asio::steady_timer timer;
        typename std::list<waiter*>::iterator place;
        connection handed = nullptr;
        bool has_slot = false; ///< it may create a connection, which is counted already
        bool woken = false;
    };

    /// Opens a connection in a slot that is counted already, and frees the slot if that fails.
    asio::awaitable<connection> create(clock::time_point deadline)
    {
        auto made = std::make_unique<Connection>();
        std::exception_ptr error;
        try {
            co_await with_deadline([&] { return made->open(); }, deadline - clock::now());
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            free_slot();
            std::rethrow_exception(error);
        }
        co_return made;
    }

    /// Gives a slot to the one who waits longest: whoever comes meanwhile must not take it.
    void free_slot()
    {
        if (waiters_.empty()) {
            --size_;
            return;
        }
        waiter& next = take_waiter();
        next.has_slot = true;
        next.timer.cancel();
    }

    waiter& take_waiter()
    {
        waiter& next = *waiters_.front();
        waiters_.pop_front();
        next.woken = true;
        return next;
    }

    asio::awaitable<void> close(Connection& open)
    {
        try {
            co_await with_deadline([&] { return open.close(); }, timeout_);
        } catch (...) {
            log_(std::current_exception());
        }
    }

    const std::size_t size_max_;
    const clock::duration timeout_;
    const log log_;
    std::size_t size_ = 0;
    std::deque<connection> idle_;
    std::list<waiter*> waiters_;
};

} // namespace catalogue
