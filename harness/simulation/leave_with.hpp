// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <exception>
#include <utility>

namespace mishap::detail {

/// `co_await leave_with(error)`, followed by `co_return`: whoever awaits the coroutine gets the error, as if
/// it had been thrown here. Throwing it would cost half as much again: Asio catches what leaves a frame, and
/// throws it anew in the one that awaits it.
class leave_with
{
    using frame = boost::asio::detail::awaitable_frame_base<boost::asio::any_io_executor>;
    using thread = boost::asio::detail::awaitable_thread<boost::asio::any_io_executor>;

public:
    explicit leave_with(std::exception_ptr error) noexcept : error_(std::move(error)) {}

    /// Asio calls this while the frame is suspended, and resumes it at once, since nothing was started.
    thread* operator()(frame* leaving)
    {
        leaving->set_except(std::move(error_));
        return nullptr;
    }

private:
    std::exception_ptr error_;
};

} // namespace mishap::detail
