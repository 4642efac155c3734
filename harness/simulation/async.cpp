// SPDX-License-Identifier: MIT
#include "executor.hpp"
#include "world.hpp"

#include "vocabulary/site.hpp"

#include <mishap/detail/completion.hpp>
#include <mishap/resource.hpp>

#include <boost/asio/error.hpp>

namespace mishap::detail {

async_operation::async_operation(resource& on, const boost::asio::any_io_executor* home)
    : world_(&on.home()), run_(world_->run_number()), lane_(world_->running_lane())
{
    // A coroutine keeps its lane wherever it was resumed, inside somebody's strand for instance.
    if (home && world_->has_lanes())
        if (const auto* own = home->target<executor>())
            lane_ = own->in();
}

bool async_operation::accepted() const noexcept { return world_->accepts_operations(); }

boost::asio::any_io_executor async_operation::fallback() const
{
    return executor(world_->executors(), lane_);
}

bool async_operation::may_be_struck() const noexcept { return world_->has_strikes(); }

bool async_operation::strike_before(resource& on, role what, symbol name) const
{
    return world_->strike_before(on, what, name, lane_);
}

void async_operation::strike_again() const { world_->strike_again(lane_); }

void async_operation::obey_strike() const { world_->obey_strike(); }

void async_operation::begin(resource& on, role what, symbol name)
{
    index_ = world_->begin_operation(on, what, name, lane_);
}

bool async_operation::ended() const noexcept { return world_->has_ended(index_); }

void async_operation::suspend(std::unique_ptr<suspended> handler) const
{
    world_->suspend(std::move(handler));
}

void async_operation::hand_over(suspended& handler) const { world_->hand_over(handler); }

void async_operation::request_stop() const
{
    if (world_->run_number() == run_)
        world_->request_stop(index_);
}

delivered_error async_operation::error() const { return world_->error_of(index_); }

delivered_error async_operation::stopped_before_start()
{
    const auto code = boost::asio::error::make_error_code(boost::asio::error::operation_aborted);
    return {std::make_exception_ptr(boost::system::system_error(code)), code};
}

async_operation::delivery::delivery(const async_operation& of)
{
    if (of.world_->run_number() != of.run_)
        return;
    world_ = of.world_;
    const auto [running, under] = world_->causes().enter(world_->root_of_handler(of.index_), true);
    cause_ = running.event;
    why_ = running.why;
    under_ = under;
    world_->deliver(of.index_);
}

async_operation::delivery::~delivery()
{
    if (world_)
        world_->causes().go_back({{why_, cause_}, under_});
}

} // namespace mishap::detail
