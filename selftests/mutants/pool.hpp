// SPDX-License-Identifier: MIT
#pragma once
// A connection pool on plain Asio, right and with one thing wrong at a time. Nothing here knows of mishap.

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

#include <chrono>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <utility>

namespace mutants {

namespace asio = boost::asio;

enum class flaw
{
    none,
    leaks_slot_when_create_fails,
    creates_beyond_capacity,
    loses_wake_up_of_cancelled_waiter,
    leaves_timed_out_waiter_queued,
    recycles_broken,
    discards_without_waking,
    fails_to_create_without_waking,
    gives_back_twice,
    waits_without_deadline,
    closes_unshielded,
    drops_idle_at_shutdown,
    swallows_cancellation_of_waiter,
    serves_last_waiter_first,
};

template <class Connection, flaw Flaw = flaw::none>
class pool
{
public:
    using connection = std::shared_ptr<Connection>;
    using clock = asio::steady_timer::clock_type;

    struct options
    {
        std::size_t size_max;
        clock::duration timeout;
        std::function<connection()> make;
        std::function<void(std::exception_ptr)> log;
    };

    explicit pool(options chosen) : options_(std::move(chosen)) {}

    /// Lends a connection to the body, for as long as it takes.
    template <class Body>
    asio::awaitable<void> with_connection(Body body)
    {
        connection borrowed = co_await acquire();
        std::exception_ptr error;
        try {
            co_await body(*borrowed);
        } catch (...) {
            error = std::current_exception();
        }
        if constexpr (Flaw != flaw::closes_unshielded)
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await give_back(std::move(borrowed), error != nullptr);
        if (error)
            std::rethrow_exception(error);
    }

    /// Closes what is idle. To be called when nobody uses the pool any more.
    asio::awaitable<void> shut_down()
    {
        if constexpr (Flaw == flaw::drops_idle_at_shutdown)
            idle_.clear();
        while (!idle_.empty()) {
            const connection last = std::move(idle_.back());
            idle_.pop_back();
            co_await close(*last);
            --size_;
        }
    }

private:
    struct waiter
    {
        waiter(const asio::any_io_executor& executor, clock::time_point until) : timer(executor, until) {}
        asio::steady_timer timer;
        connection handed = nullptr;
        bool has_slot = false; ///< it may create a connection, which is counted already
        bool woken = false;
    };

    asio::awaitable<connection> acquire()
    {
        const auto deadline = clock::now() + options_.timeout;
        if (!idle_.empty()) {
            connection ready = std::move(idle_.front());
            idle_.pop_front();
            co_return ready;
        }
        if (size_ < options_.size_max) {
            size_ += counts_early;
            co_return co_await create(deadline);
        }
        waiter mine(co_await asio::this_coro::executor,
            Flaw == flaw::waits_without_deadline ? clock::time_point::max() : deadline);
        const auto place = waiters_.insert(waiters_.end(), &mine);
        boost::system::error_code ignored;
        co_await mine.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        if (!mine.woken) {
            if constexpr (Flaw == flaw::leaves_timed_out_waiter_queued)
                *place = nullptr;
            else
                waiters_.erase(place);
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        const bool cancelled = state.cancelled() != asio::cancellation_type::none;
        if (cancelled && (Flaw != flaw::swallows_cancellation_of_waiter || !mine.handed)) {
            // Whoever was woken in vain passes it on.
            if (mine.handed && Flaw == flaw::loses_wake_up_of_cancelled_waiter)
                idle_.push_back(std::move(mine.handed));
            else if (mine.handed)
                hand_on(std::move(mine.handed));
            else if (mine.has_slot && Flaw == flaw::loses_wake_up_of_cancelled_waiter)
                --size_;
            else if (mine.has_slot)
                free_slot();
            throw boost::system::system_error(asio::error::make_error_code(asio::error::operation_aborted));
        }
        if constexpr (Flaw == flaw::swallows_cancellation_of_waiter)
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        if (mine.handed)
            co_return std::move(mine.handed);
        if (mine.has_slot)
            co_return co_await create(deadline);
        throw catalogue::deadline_error();
    }

    static constexpr bool counts_early = Flaw != flaw::creates_beyond_capacity;

    /// Opens a connection in a slot that is counted already, and frees the slot if that fails.
    asio::awaitable<connection> create(clock::time_point deadline)
    {
        connection made = options_.make();
        std::exception_ptr error;
        try {
            co_await catalogue::with_deadline([&] { return made->open(); }, deadline - clock::now());
        } catch (...) {
            error = std::current_exception();
        }
        if constexpr (!counts_early)
            size_ += error == nullptr;
        if (error) {
            if constexpr (Flaw == flaw::fails_to_create_without_waking)
                --size_;
            else if constexpr (Flaw != flaw::leaks_slot_when_create_fails && counts_early)
                free_slot();
            std::rethrow_exception(error);
        }
        co_return made;
    }

    asio::awaitable<void> give_back(connection back, bool broken)
    {
        if (broken && Flaw != flaw::recycles_broken) {
            co_await close(*back);
            if constexpr (Flaw == flaw::discards_without_waking)
                --size_;
            else
                free_slot();
            co_return;
        }
        hand_on(std::move(back));
    }

    void hand_on(connection back)
    {
        if (waiters_.empty()) {
            idle_.push_back(std::move(back));
            return;
        }
        if constexpr (Flaw == flaw::gives_back_twice)
            idle_.push_back(back);
        waiter* const next = take_waiter();
        if (!next)
            return; // only where waiters stay queued: the connection is dropped with the one that left
        next->handed = std::move(back);
        next->timer.cancel();
    }

    /// Gives a slot to the one who waits longest: whoever comes meanwhile must not take it.
    void free_slot()
    {
        if (waiters_.empty()) {
            --size_;
            return;
        }
        if (waiter* const next = take_waiter()) {
            next->has_slot = true;
            next->timer.cancel();
        }
    }

    waiter* take_waiter()
    {
        waiter* next = nullptr;
        if constexpr (Flaw == flaw::serves_last_waiter_first) {
            next = waiters_.back();
            waiters_.pop_back();
        } else {
            next = waiters_.front();
            waiters_.pop_front();
        }
        if (next)
            next->woken = true;
        return next;
    }

    asio::awaitable<void> close(Connection& open)
    {
        try {
            co_await catalogue::with_deadline([&] { return open.close(); }, options_.timeout);
        } catch (...) {
            options_.log(std::current_exception());
        }
    }

    options options_;
    std::size_t size_ = 0;
    std::deque<connection> idle_;
    std::list<waiter*> waiters_;
};

} // namespace mutants
