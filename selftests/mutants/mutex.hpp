// SPDX-License-Identifier: MIT
#pragma once
// A mutex for coroutines and a session behind it, on plain Asio, right and with one thing wrong at a time.
// Nothing here knows of mishap.

#include "shared/with_deadline.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <utility>

namespace mutants {

namespace asio = boost::asio;

enum class mutex_flaw
{
    none,
    loses_wake_up_of_cancelled_waiter,
    leaves_cancelled_waiter_queued,
    swallows_cancellation_of_waiter,
    loses_lock_of_cancelled_newcomer,
    stays_locked_when_body_throws,
    unlocks_twice_when_body_throws,
    barges,
    serves_last_waiter_first,
    lets_two_in,
    resumes_inside_unlock,
    waits_without_deadline,
};

template <mutex_flaw Flaw = mutex_flaw::none>
class async_mutex
{
public:
    /// Ends when the lock is this coroutine's own; who is cancelled meanwhile leaves it to the next in line.
    asio::awaitable<void> lock()
    {
        for (;;) {
            if (!locked_) {
                if constexpr (Flaw == mutex_flaw::lets_two_in)
                    co_await asio::post(asio::use_awaitable);
                locked_ = true;
                if constexpr (Flaw == mutex_flaw::loses_lock_of_cancelled_newcomer) {
                    co_await asio::post(asio::use_awaitable);
                    const auto state = co_await asio::this_coro::cancellation_state;
                    throw_if_cancelled(state.cancelled());
                }
                co_return;
            }
            waiter mine(waiters_);
            co_await mine.sleep();
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none && mine.granted) {
                if constexpr (Flaw == mutex_flaw::swallows_cancellation_of_waiter) {
                    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
                    co_return;
                }
                if (Flaw != mutex_flaw::loses_wake_up_of_cancelled_waiter &&
                    (Flaw != mutex_flaw::barges || !locked_))
                    unlock();
            }
            throw_if_cancelled(state.cancelled());
            if constexpr (Flaw != mutex_flaw::barges)
                co_return;
        }
    }

    /// Hands the lock to the first in line.
    void unlock()
    {
        if constexpr (Flaw == mutex_flaw::barges)
            locked_ = false;
        if (waiters_.empty()) {
            locked_ = false;
            return;
        }
        const bool last = Flaw == mutex_flaw::serves_last_waiter_first;
        waiter* const next = last ? waiters_.back() : waiters_.front();
        last ? waiters_.pop_back() : waiters_.pop_front();
        if (!next)
            return; // only where waiters stay queued: the lock goes to one that has left
        next->granted = true;
        next->wake();
        if constexpr (Flaw == mutex_flaw::resumes_inside_unlock)
            locked_ = !waiters_.empty();
    }

    /// Runs the body under the lock. Without a timeout it waits for the lock as long as it takes.
    template <class Body>
    asio::awaitable<void> with_lock(Body body, std::optional<asio::steady_timer::duration> timeout)
    {
        if (timeout && Flaw != mutex_flaw::waits_without_deadline)
            co_await catalogue::with_deadline([&] { return lock(); }, *timeout);
        else
            co_await lock();
        std::exception_ptr error;
        try {
            co_await body();
        } catch (...) {
            error = std::current_exception();
        }
        if constexpr (Flaw == mutex_flaw::unlocks_twice_when_body_throws)
            if (error)
                unlock();
        if (!error || Flaw != mutex_flaw::stays_locked_when_body_throws)
            unlock();
        if (error)
            std::rethrow_exception(error);
    }

private:
    /// A place in the line, held for as long as it lives or until it is granted the lock.
    class waiter
    {
    public:
        explicit waiter(std::list<waiter*>& line) : line_(line), place_(line.insert(line.end(), this)) {}
        waiter(const waiter&) = delete;
        waiter& operator=(const waiter&) = delete;
        ~waiter()
        {
            if (granted)
                return;
            if constexpr (Flaw == mutex_flaw::leaves_cancelled_waiter_queued)
                *place_ = nullptr;
            else
                line_.erase(place_);
        }

        /// Ends when woken or cancelled.
        asio::awaitable<void> sleep()
        {
            return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
                [this](auto handler) {
                    auto slot = asio::get_associated_cancellation_slot(handler);
                    if (slot.is_connected())
                        slot.assign([this](asio::cancellation_type) { wake(); });
                    auto executor = asio::get_associated_executor(handler);
                    auto sleeping = std::make_shared<decltype(handler)>(std::move(handler));
                    resume_ = [slot, sleeping, work = asio::make_work_guard(executor)] {
                        auto go_on = [slot, sleeping]() mutable {
                            slot.clear();
                            std::move (*sleeping)();
                        };
                        if constexpr (Flaw == mutex_flaw::resumes_inside_unlock)
                            asio::dispatch(work.get_executor(), go_on);
                        else
                            asio::post(work.get_executor(), go_on);
                    };
                },
                asio::use_awaitable);
        }

        void wake()
        {
            if (const auto resume = std::exchange(resume_, nullptr))
                resume();
        }

        bool granted = false;

    private:
        std::list<waiter*>& line_;
        typename std::list<waiter*>::iterator place_;
        std::function<void()> resume_;
    };

    static void throw_if_cancelled(asio::cancellation_type cancelled)
    {
        if (cancelled != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::make_error_code(asio::error::operation_aborted));
    }

    bool locked_ = false;
    std::list<waiter*> waiters_;
};

/// One session for everybody, lent to one client at a time: opened by whoever finds none, closed by whoever
/// leaves it broken.
template <class Session, mutex_flaw Flaw = mutex_flaw::none>
class guarded_session
{
public:
    using clock = asio::steady_timer::clock_type;

    struct options
    {
        /// For getting hold of the session; left out, a client waits for the lock as long as it takes.
        std::optional<clock::duration> acquire_timeout;
        clock::duration operation_timeout;
        std::function<void(std::exception_ptr)> log;
    };

    explicit guarded_session(options chosen) : options_(std::move(chosen)) {}

    template <class Body>
    asio::awaitable<void> with_session(Body body)
    {
        const auto begun = clock::now();
        co_await mutex_.with_lock([&] { return lend(body, begun); }, options_.acquire_timeout);
    }

    /// To be called when nobody uses the session any more.
    asio::awaitable<void> shut_down()
    {
        if (const auto last = std::exchange(open_, nullptr))
            co_await close(*last);
    }

private:
    template <class Body>
    asio::awaitable<void> lend(Body& body, clock::time_point begun)
    {
        if (!open_) {
            const auto until = options_.acquire_timeout ? begun + *options_.acquire_timeout
                                                        : clock::now() + options_.operation_timeout;
            auto made = std::make_shared<Session>();
            co_await catalogue::with_deadline([&] { return made->open(); }, until - clock::now());
            open_ = std::move(made);
        }
        // A copy, so that a lock that lets two in is found out by its deeds and not by a crash.
        const std::shared_ptr<Session> lent = open_;
        std::exception_ptr error;
        try {
            co_await body(*lent);
        } catch (...) {
            error = std::current_exception();
        }
        if (!error)
            co_return;
        open_ = nullptr;
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await close(*lent);
        std::rethrow_exception(error);
    }

    asio::awaitable<void> close(Session& last)
    {
        try {
            co_await catalogue::with_deadline([&] { return last.close(); }, options_.operation_timeout);
        } catch (...) {
            options_.log(std::current_exception());
        }
    }

    options options_;
    async_mutex<Flaw> mutex_;
    std::shared_ptr<Session> open_;
};

} // namespace mutants
