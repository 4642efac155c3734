// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <exception>
#include <utility>

namespace mishap::detail {

struct awaited_access;

} // namespace mishap::detail

/// Asio befriends each specialisation, so this one may look at what a frame keeps for its caller.
template <>
class boost::asio::detail::awaitable_frame<mishap::detail::awaited_access, boost::asio::any_io_executor>
    : public awaitable_frame_base<any_io_executor>
{
public:
    using base = awaitable_frame_base<any_io_executor>;

    static base& frame_of(awaitable<void>& child) { return *child.frame_; }
    static std::exception_ptr take_error(base& frame)
    {
        return std::exchange(frame.*(&awaitable_frame::pending_exception_), nullptr);
    }
};

namespace mishap::detail {

/// A coroutine that is awaited without a throw of what leaves it:
///
///     awaited child(run());
///     const auto its_end = child.end();
///     co_await its_end;
///     if (const std::exception_ptr error = child.take_error()) ...
///
/// A plain `co_await` would throw the error anew, only for the awaiting coroutine to pass it on.
///
/// Preconditions: where the awaiting coroutine's client was cancelled and `throw_if_cancelled` holds, Asio
/// throws before a plain `co_await` starts the child. Whoever may be in that state asks first.
class awaited
{
    using access = boost::asio::detail::awaitable_frame<awaited_access, boost::asio::any_io_executor>;
    using frame = boost::asio::detail::awaitable_frame_base<boost::asio::any_io_executor>;
    using thread = boost::asio::detail::awaitable_thread<boost::asio::any_io_executor>;

    /// Asio calls this while the awaiting frame is suspended, and resumes whichever is on top then.
    struct starter
    {
        frame* child;

        thread* operator()(frame* caller) const
        {
            child->push_frame(caller);
            return nullptr;
        }
    };

public:
    explicit awaited(boost::asio::awaitable<void> child) noexcept : child_(std::move(child)) {}

    starter end() noexcept { return {&access::frame_of(child_)}; }

    /// Destroys the coroutine, which has ended. Returns what left it, or null.
    std::exception_ptr take_error() noexcept
    {
        boost::asio::awaitable<void> ended(std::move(child_));
        return access::take_error(access::frame_of(ended));
    }

private:
    boost::asio::awaitable<void> child_;
};

} // namespace mishap::detail
