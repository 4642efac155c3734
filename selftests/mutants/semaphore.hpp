// SPDX-License-Identifier: MIT
#pragma once
// A semaphore for coroutines and sessions whose number it limits, on plain Asio, right and with one thing
// wrong at a time. Nothing here knows of mishap.

#include "shared/with_deadline.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <functional>
#include <list>
#include <utility>

namespace mutants {

namespace asio = boost::asio;

enum class semaphore_flaw
{
    none,
    returns_permit_without_waking,
    leaves_cancelled_waiter_queued,
    swallows_cancellation_of_waiter,
    counts_down_on_wake,
    sleeps_without_looking_again,
    serves_last_waiter_first,
    loses_permit_when_create_fails,
    loses_permit_when_create_is_cancelled,
    loses_permit_granted_at_the_deadline,
    releases_twice_when_body_throws,
};

template <semaphore_flaw Flaw = semaphore_flaw::none>
class semaphore
{
public:
    using clock = asio::steady_timer::clock_type;

    explicit semaphore(int permits) : permits_(permits) {}

    /// Takes a permit, or throws `deadline_error` when there is none until then.
    asio::awaitable<void> acquire(clock::time_point until)
    {
        if (permits_ > 0) {
            --permits_;
            co_return;
        }
        if constexpr (Flaw == semaphore_flaw::sleeps_without_looking_again)
            co_await asio::post(asio::use_awaitable);
        waiter mine(co_await asio::this_coro::executor, until, waiters_);
        boost::system::error_code ignored;
        co_await mine.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        if constexpr (Flaw == semaphore_flaw::counts_down_on_wake)
            permits_ -= mine.granted;
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
            if constexpr (Flaw == semaphore_flaw::swallows_cancellation_of_waiter) {
                if (mine.granted) {
                    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
                    co_return;
                }
            }
            if (mine.granted && Flaw == semaphore_flaw::returns_permit_without_waking)
                ++permits_;
            else if (mine.granted)
                release();
            throw boost::system::system_error(asio::error::make_error_code(asio::error::operation_aborted));
        }
        if (!mine.granted)
            throw catalogue::deadline_error();
    }

    /// Gives a permit back: to the first in line, if there is one.
    void release()
    {
        if (waiters_.empty() || Flaw == semaphore_flaw::counts_down_on_wake)
            ++permits_;
        if (waiters_.empty())
            return;
        const bool last = Flaw == semaphore_flaw::serves_last_waiter_first;
        waiter* const next = last ? waiters_.back() : waiters_.front();
        last ? waiters_.pop_back() : waiters_.pop_front();
        if (!next)
            return; // only where waiters stay queued: the permit goes to one that has left
        next->granted = true;
        next->timer.cancel();
    }

private:
    /// A place in the line, held for as long as it lives or until it is granted a permit.
    struct waiter
    {
        waiter(const asio::any_io_executor& executor, clock::time_point until, std::list<waiter*>& line)
            : timer(executor, until), line(line), place(line.insert(line.end(), this))
        {}
        waiter(const waiter&) = delete;
        waiter& operator=(const waiter&) = delete;
        ~waiter()
        {
            if (granted)
                return;
            if constexpr (Flaw == semaphore_flaw::leaves_cancelled_waiter_queued)
                *place = nullptr;
            else
                line.erase(place);
        }

        asio::steady_timer timer;
        std::list<waiter*>& line;
        typename std::list<waiter*>::iterator place;
        bool granted = false;
    };

    int permits_;
    std::list<waiter*> waiters_;
};

/// Gives each client a session of its own, but only so many at once.
template <class Session, semaphore_flaw Flaw = semaphore_flaw::none>
class limited_sessions
{
public:
    using clock = asio::steady_timer::clock_type;

    struct options
    {
        int sessions_max;
        clock::duration timeout;
        std::function<void(std::exception_ptr)> log;
    };

    explicit limited_sessions(options chosen) : options_(std::move(chosen)), permits_(options_.sessions_max)
    {}

    template <class Body>
    asio::awaitable<void> with_session(Body body)
    {
        const auto deadline = clock::now() + options_.timeout;
        co_await permits_.acquire(deadline);
        if constexpr (Flaw == semaphore_flaw::loses_permit_granted_at_the_deadline)
            if (clock::now() >= deadline)
                throw catalogue::deadline_error();
        Session session;
        std::exception_ptr error;
        try {
            co_await catalogue::with_deadline([&] { return session.open(); }, deadline - clock::now());
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            const auto state = co_await asio::this_coro::cancellation_state;
            const bool cancelled = state.cancelled() != asio::cancellation_type::none;
            const bool lost = Flaw == semaphore_flaw::loses_permit_when_create_fails ||
                              (Flaw == semaphore_flaw::loses_permit_when_create_is_cancelled && cancelled);
            if (!lost)
                permits_.release();
            std::rethrow_exception(error);
        }
        try {
            co_await body(session);
        } catch (...) {
            error = std::current_exception();
        }
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        try {
            co_await catalogue::with_deadline([&] { return session.close(); }, options_.timeout);
        } catch (...) {
            options_.log(std::current_exception());
        }
        if constexpr (Flaw == semaphore_flaw::releases_twice_when_body_throws)
            if (error)
                permits_.release();
        permits_.release();
        if (error)
            std::rethrow_exception(error);
    }

private:
    options options_;
    semaphore<Flaw> permits_;
};

} // namespace mutants
