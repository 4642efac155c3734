// SPDX-License-Identifier: MIT
#pragma once
/// How clients of the managers in these pairs wait for their turn.

#include "pair.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <list>
#include <utility>

namespace pairs {

inline constexpr auto for_ever = asio::steady_timer::time_point::max();

[[noreturn]] inline void throw_aborted()
{
    throw boost::system::system_error(asio::error::make_error_code(asio::error::operation_aborted));
}

/// Those who wait, each with a timer of its own. Whoever is woken and does not go on, cancelled or destroyed,
/// wakes another one.
class queue
{
public:
    explicit queue(asio::any_io_executor executor) : executor_(std::move(executor)) {}

    /// Returns whether it was woken before that time. Where `hears` is false, a cancellation shows only then.
    awaitable<bool> wait(asio::steady_timer::time_point until = for_ever, bool hears = true)
    {
        place mine(*this, until);
        do {
            boost::system::error_code ignored;
            if (!hears)
                co_await shield();
            co_await mine.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none)
                throw_aborted();
        } while (!mine.is_woken && asio::steady_timer::clock_type::now() < until);
        mine.goes_on = true;
        co_return mine.is_woken;
    }

    void wake_one()
    {
        if (waiting_.empty())
            return;
        place& next = *waiting_.front();
        waiting_.pop_front();
        next.is_woken = true;
        next.timer.cancel();
    }

    long size() const { return static_cast<long>(waiting_.size()); }

private:
    struct place
    {
        place(queue& where, asio::steady_timer::time_point until)
            : in(where), timer(where.executor_, until), at(in.waiting_.insert(in.waiting_.end(), this))
        {}
        place(const place&) = delete;
        place& operator=(const place&) = delete;
        ~place()
        {
            if (!is_woken)
                in.waiting_.erase(at);
            else if (!goes_on)
                in.wake_one();
        }

        queue& in;
        asio::steady_timer timer;
        std::list<place*>::iterator at;
        bool is_woken = false;
        bool goes_on = false;
    };

    asio::any_io_executor executor_;
    std::list<place*> waiting_;
};

} // namespace pairs
