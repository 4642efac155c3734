// SPDX-License-Identifier: MIT
// What the coroutines of a run await: the end of an operation, and the body.

#include "awaited.hpp"
#include "executor.hpp"
#include "leave_with.hpp"
#include "world.hpp"

#include "fault/behaviour.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace asio = boost::asio;

namespace mishap::detail {

namespace {

/// Queues a handler on its own executor; directly, where that is this world's, since going through the
/// type-erased interface would cost more than the rest of the step.
template <class Handler>
void queue_handler(world& in, index operation, Handler&& handler)
{
    const auto home = asio::get_associated_executor(handler);
    auto resume = [&in, operation, handler = std::forward<Handler>(handler)]() mutable {
        asio::get_associated_cancellation_slot(handler).clear();
        const acting_as handler_of(in.causes(), in.root_of_handler(operation));
        in.deliver(operation);
        std::move(handler)();
    };
    if (const auto* own = home.template target<executor>())
        in.executors().queue(own->in(), task(std::move(resume)));
    else
        asio::post(home, std::move(resume));
}

template <class Handler>
class waiting final : public suspended
{
public:
    waiting(index operation, Handler&& handler)
        : suspended(operation), work_(asio::get_associated_executor(handler)), handler_(std::move(handler))
    {}
    void queue(world& in) override { queue_handler(in, operation, std::move(handler_)); }

private:
    // As any pending operation does, keep the handler's executor from running out of work.
    asio::executor_work_guard<asio::associated_executor_t<Handler>> work_;
    Handler handler_;
};

} // namespace

awaitable<void> world::wait(index operation)
{
    return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [this, operation]<class Handler>(Handler&& handler) {
            if (has_ended(operation)) {
                const acting_as its_handler(record_.causes, operations_.root_of_handler(operation), false);
                queue_handler(*this, operation, std::forward<Handler>(handler));
                return;
            }
            auto slot = asio::get_associated_cancellation_slot(handler);
            if (slot.is_connected())
                slot.assign([this, operation, run = run_number_](asio::cancellation_type) {
                    if (run == run_number_)
                        request_stop(operation);
                });
            suspend(
                std::make_unique<waiting<std::decay_t<Handler>>>(operation, std::forward<Handler>(handler)));
        },
        asio::use_awaitable);
}

awaitable<void> world::body(resource* lent, body_work work, lane client)
{
    const lane in = client == current_lane ? record_.running : client;
    const auto mine = static_cast<index>(record_->bodies.size());
    const index entry = lent ? operations_.entry_of(handle_of(*lent), in) : none;
    record_->bodies.push_back({.lane = in, .resource = entry});
    record_->bodies[mine].entered = record_.add(event_kind::body_entered, in, mine);
    if (entry != none)
        record_->resources[entry].borrower = in;
    const std::uint32_t occurrence = clients_.enter_body(in);

    /// Marks the body as left, also when its frame is destroyed while it is suspended.
    struct leaving
    {
        world& where;
        index which;
        std::uint64_t run;
        ~leaving()
        {
            if (where.run_number_ != run || !where.record_.is_on())
                return;
            body_record& body = where.record_->bodies[which];
            where.clients_.leave_body(body.lane);
            if (body.resource != none && where.record_->resources[body.resource].borrower == body.lane)
                where.record_->resources[body.resource].borrower = nobody;
            body.left = where.record_.add(event_kind::body_left, body.lane, which);
        }
    };
    const leaving mark{*this, mine, run_number_};

    std::exception_ptr failed;
    try {
        // A fresh client holds what it got until all hold one. Any other has its fate decided at its end.
        index end = none;
        if (clients_.is_probe(in)) {
            end = operations_.start_holding(body_operation(in, occurrence));
            if (operations_.count(waits_for::barrier) >= barrier_size_)
                open_barrier();
        } else {
            const std::size_t steps = work ? 1 : lent ? uses_.size() : 0;
            for (std::size_t i = 0; i < steps && !failed; ++i) {
                awaitable<void> step = work ? work() : lent->use(uses_[i]);
                const auto struck = co_await asio::this_coro::cancellation_state;
                if (struck.cancelled() != asio::cancellation_type::none &&
                    co_await asio::this_coro::throw_if_cancelled()) {
                    co_await std::move(step); // throws
                } else {
                    awaited under_way(std::move(step));
                    const auto its_end = under_way.end();
                    co_await its_end;
                    failed = under_way.take_error();
                }
            }
            if (!failed) {
                end = operations_.start_body_end(body_operation(in, occurrence));
                if (!set_body_going(end))
                    co_return;
            }
        }
        if (!failed) {
            if (!has_ended(end) || clients_.is_probe(in))
                co_await wait(end);
            deliver(end);
            failed = record_->operations[end].error;
        }
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed) {
        record_->bodies[mine].error = failed;
        const leave_with failing(failed);
        co_await failing;
    }
}

/// Returns whether the plan has something in store for this end of a body.
bool world::set_body_going(index end)
{
    operation_record& op = record_->operations[end];
    const behaviour& does = behaviour_of(op.fault.kind);
    if (!op.perturbed || (does.when == ends::within_its_start && !does.fails)) {
        op.result = result::ok;
        return false;
    }
    operations_.record_start(end);
    if (op.fault.takes_time() || does.when == ends::never || does.when == ends::after_a_strike)
        set_going(end, nullptr);
    else
        complete(end);
    return true;
}

awaitable<void> run_body(world& where, resource* lent, body_work work, lane in)
{
    return where.body(lent, std::move(work), in);
}

void world::abort(index resource) noexcept
{
    std::vector<index> in_flight;
    operations_.list_on(resource, in_flight);
    for (const index operation : in_flight)
        request_stop(operation);
}

} // namespace mishap::detail

namespace mishap {

frozen_time::frozen_time(detail::world& where) : world_(&where) { world_->freeze_time(true); }
frozen_time::~frozen_time()
{
    if (world_)
        world_->freeze_time(false);
}

outside_allowed::outside_allowed(detail::world& where) : world_(&where) { world_->allow_outside(true); }
outside_allowed::~outside_allowed()
{
    if (world_)
        world_->allow_outside(false);
}

} // namespace mishap
