// SPDX-License-Identifier: MIT
#include "handlers.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>

namespace mishap::detail {

void handlers::begin()
{
    shared_ = false;
    if (!io_) {
        clock_.reactors.clear();
        io_ = std::make_unique<two_step_context>(1);
        // Makes the reactor now, so that the world's own is the first one the seam knows. Its registration
        // with epoll is none of the code under test's.
        boost::asio::steady_timer reactor_maker(*io_);
        io_->poll();
    }
    may_stop_ = false;
    if (!kept_going_)
        restart();
    clock_.reactors.resize(1);
    clock_.reactors.front().expiry = duration(-1);
    clock_.reactors.front().due = false;
}

bool handlers::poll_asio()
{
    if (!kept_going_)
        restart();
    if (io_->poll_one() != 0)
        return true;
    // The code under test may have stopped it.
    if (!kept_going_ || !io_->stopped())
        return false;
    io_->restart();
    return io_->poll_one() != 0;
}

void handlers::restart()
{
    io_->restart();
    if (!may_stop_)
        kept_going_.emplace(io_->get_executor());
}

bool handlers::asio_has_work()
{
    kept_going_.reset(); // stops it, unless it has other work
    return !io_->stopped();
}

void handlers::queue(lane in, task&& what)
{
    if (shared_ && active_seam() != &clock_) {
        const std::scoped_lock lock(inbox_mutex_);
        inbox_.push_back({std::move(what), in, 0, {origin::unknown}});
        inbox_filled_.store(true, std::memory_order_release);
        return;
    }
    if (tearing_down_) {
        const task dropped = std::move(what);
        return;
    }
    ready_.push_back({std::move(what), in, record_.is_on() ? record_->steps : 0, record_.causes.now()});
}

handlers::ready handlers::take(std::size_t which)
{
    const auto at = ready_.begin() + static_cast<std::ptrdiff_t>(ready_head_ + which);
    ready taken = std::move(*at);
    if (which == 0)
        ++ready_head_;
    else
        ready_.erase(at);
    if (ready_head_ == ready_.size()) {
        ready_.clear();
        ready_head_ = 0;
    }
    return taken;
}

void handlers::take_all_of(lane in, std::vector<ready>& into)
{
    for (std::size_t i = ready_head_; i < ready_.size();) {
        if (ready_[i].in != in) {
            ++i;
            continue;
        }
        into.push_back(std::move(ready_[i]));
        ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

void handlers::take_inbox()
{
    const std::scoped_lock lock(inbox_mutex_);
    for (ready& one : inbox_)
        ready_.push_back(std::move(one));
    inbox_.clear();
    inbox_filled_ = false;
}

void handlers::run(ready& next)
{
    record_.running = next.in;
    in_handler_ = true;
    record_.causes.become(next.because);
    try {
        next.what();
    } catch (...) {
        record_.add_escape();
    }
    record_.causes.leave();
    in_handler_ = false;
}

std::uint32_t handlers::begin_work(lane in) noexcept
{
    const auto lock = lock_work();
    std::uint32_t token = free_work_;
    if (token == none) {
        token = static_cast<std::uint32_t>(work_.size());
        work_.emplace_back();
    } else {
        free_work_ = work_[token].next_free;
    }
    work_[token] = {.count = 1,
        .next_free = none,
        .step = record_.is_on() ? record_->steps : 0,
        .since = clock_.now,
        .in = in};
    ++work_count_;
    return token;
}

void handlers::copy_work(std::uint32_t token) noexcept
{
    const auto lock = lock_work();
    ++work_[token].count;
}

void handlers::end_work(std::uint32_t token) noexcept
{
    const auto lock = lock_work();
    if (token >= work_.size() || work_[token].count == 0 || --work_[token].count != 0)
        return;
    work_[token].next_free = free_work_;
    free_work_ = token;
    --work_count_;
    if (!work_[token].abandoned || !record_.is_on())
        return;
    const auto client = static_cast<std::size_t>(work_[token].in);
    if (--abandoned_[client] == 0)
        record_->outcomes[client].gone = static_cast<index>(record_->events.size());
}

bool handlers::was_abandoned(std::uint32_t token) const noexcept
{
    const auto lock = lock_work();
    return token < work_.size() && work_[token].abandoned;
}

void handlers::list_work(std::vector<work_record>& into) const
{
    const auto lock = lock_work();
    for (const work_token& token : work_)
        if (token.count != 0 && !token.abandoned && token.in != peer_lane)
            into.push_back({token.in, token.step, token.since});
}

void handlers::abandon_work_of(lane in)
{
    const auto lock = lock_work();
    const auto client = static_cast<std::size_t>(in);
    abandoned_.resize(std::max(abandoned_.size(), client + 1));
    abandoned_[client] = 0;
    for (work_token& token : work_)
        if (token.count != 0 && token.in == in) {
            token.abandoned = true;
            ++abandoned_[client];
        }
    if (abandoned_[client] == 0)
        record_->outcomes[client].gone = static_cast<index>(record_->events.size());
}

bool handlers::has_abandoned_work() const noexcept
{
    return std::any_of(work_.begin(), work_.end(),
        [](const work_token& token) { return token.count != 0 && token.abandoned; });
}

bool handlers::drop_one()
{
    if (!has_ready()) {
        ready_.clear();
        ready_head_ = 0;
        return false;
    }
    const task dropped = std::move(ready_[ready_head_++].what);
    return true;
}

void handlers::end_tear_down() noexcept
{
    inbox_.clear();
    inbox_filled_ = false;
    clock_.reactors.clear();
    work_.clear();
    free_work_ = none;
    work_count_ = 0;
    tearing_down_ = false;
}

} // namespace mishap::detail
