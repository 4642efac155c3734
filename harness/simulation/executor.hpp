// SPDX-License-Identifier: MIT
#pragma once

#include "handlers.hpp"

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/execution_context.hpp>

#include <type_traits>
#include <utility>

namespace mishap::detail {

/// The executor of a simulation, in one lane of it. Behaves as an `io_context`'s does: `blocking.possibly`
/// runs inline when called from one of its handlers, `blocking.never` always queues;
/// `outstanding_work.tracked` counts, and remembers the step and lane that it came from.
///
/// Equal across lanes, since code under test compares executors to learn whether it is "on the pool's".
class executor
{
public:
    executor(handlers& where, lane in) noexcept : handlers_(&where), lane_(in) {}

    executor(const executor& other) noexcept
        : handlers_(other.handlers_), token_(other.token_), lane_(other.lane_), never_(other.never_),
          tracked_(other.tracked_)
    {
        if (tracked_)
            handlers_->copy_work(token_);
    }

    executor(executor&& other) noexcept
        : handlers_(other.handlers_), token_(other.token_), lane_(other.lane_), never_(other.never_),
          tracked_(std::exchange(other.tracked_, false))
    {}

    executor& operator=(const executor&) = delete;

    ~executor()
    {
        if (tracked_)
            handlers_->end_work(token_);
    }

    boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept
    {
        return handlers_->context();
    }

    boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) const noexcept
    {
        if (never_)
            return boost::asio::execution::blocking.never;
        return boost::asio::execution::blocking.possibly;
    }

    executor require(boost::asio::execution::blocking_t::never_t) const noexcept
    {
        return with(true, tracked_);
    }
    executor require(boost::asio::execution::blocking_t::possibly_t) const noexcept
    {
        return with(false, tracked_);
    }

    boost::asio::execution::outstanding_work_t query(
        boost::asio::execution::outstanding_work_t) const noexcept
    {
        if (tracked_)
            return boost::asio::execution::outstanding_work.tracked;
        return boost::asio::execution::outstanding_work.untracked;
    }

    executor require(boost::asio::execution::outstanding_work_t::tracked_t) const noexcept
    {
        return with(never_, true);
    }
    executor require(boost::asio::execution::outstanding_work_t::untracked_t) const noexcept
    {
        return with(never_, false);
    }

    template <class F>
    void execute(F&& f) const
    {
        if (tracked_ && handlers_->was_abandoned(token_)) {
            const std::decay_t<F> dropped(std::forward<F>(f));
            return;
        }
        if (!never_ && handlers_->in_handler()) {
            // As an io_context does, keep what the function throws from unwinding its caller.
            try {
                std::decay_t<F> inlined(std::forward<F>(f));
                std::move(inlined)();
            } catch (...) {
                handlers_->escaped();
            }
            return;
        }
        handlers_->queue(lane_, task(std::forward<F>(f)));
    }

    lane in() const noexcept { return lane_; }

    friend bool operator==(const executor& a, const executor& b) noexcept
    {
        return a.handlers_ == b.handlers_;
    }
    friend bool operator!=(const executor& a, const executor& b) noexcept
    {
        return a.handlers_ != b.handlers_;
    }

private:
    executor with(bool never, bool tracked) const noexcept
    {
        executor changed(*handlers_, lane_);
        changed.never_ = never;
        changed.tracked_ = tracked;
        if (tracked) {
            changed.token_ = tracked_ ? token_ : handlers_->begin_work(lane_);
            if (tracked_)
                handlers_->copy_work(token_);
        }
        return changed;
    }

    handlers* handlers_;
    std::uint32_t token_ = 0;
    lane lane_;
    bool never_ = false;
    bool tracked_ = false;
};

} // namespace mishap::detail
