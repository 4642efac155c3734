// SPDX-License-Identifier: MIT
#include "clients.hpp"

#include "awaited.hpp"
#include "executor.hpp"
#include "misuse.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <stdexcept>
#include <utility>

namespace asio = boost::asio;

namespace mishap::detail {

namespace {

asio::cancellation_type type_of(cancellation type) noexcept
{
    switch (type) {
    case cancellation::terminal:
        break;
    case cancellation::partial:
        return asio::cancellation_type::partial;
    case cancellation::total:
        return asio::cancellation_type::total;
    }
    return asio::cancellation_type::terminal;
}

} // namespace

void clients::begin(
    const contract& promises, const fault_plan& plan, const adapter& run, environment& handed_out)
{
    contract_ = &promises;
    plan_ = &plan;
    for (lane_state& state : lanes_)
        state = {};
    clients_ = next_ = 1;
    arriving_ = 0;
    adapter_ended_ = serving_ = probing_ = false;
    has_adapter_ = promises.serves_clients() || plan.clients > 1;
    running_ = has_adapter_ ? 0 : 1;
    record_->has_adapter = has_adapter_;
    record_.running = has_adapter_ ? background_lane : 0;
    outcome& mine = has_adapter_ ? record_->adapter : record_->outcomes.emplace_back();
    mine.started = record_.add(event_kind::client_started, record_.running, 0);
    if (!has_adapter_)
        left_.resize(1);
    auto& signal = has_adapter_ ? adapter_signal_ : signals_.emplace_back();
    const acting_as start(record_.causes, {origin::start, mine.started}, false);
    asio::co_spawn(asio::any_io_executor(executor(handlers_, record_.running)), run_adapter(run, handed_out),
        asio::bind_cancellation_slot(signal.slot(), [this](std::exception_ptr error) {
            if (!has_adapter_)
                return ended(0, std::move(error));
            adapter_ended_ = true;
            if (!error)
                error = std::move(left_adapter_);
            record_->adapter.ending = error ? ending::threw : ending::returned;
            record_->adapter.error = std::move(error);
            record_->adapter.ended = record_.add(event_kind::client_ended, background_lane, none);
        }));
}

void clients::end() noexcept
{
    signals_.clear();
    left_.clear();
    left_adapter_ = nullptr;
    objects_.clear();
    serve_ = nullptr;
}

clients::lane_state& clients::state_of(lane in)
{
    const auto which = in == peer_lane ? 0 : static_cast<std::size_t>(in + 1);
    if (which >= lanes_.size())
        lanes_.resize(which + 1);
    return lanes_[which];
}

awaitable<void> clients::run_adapter(const adapter& run, environment& handed_out)
{
    // A client starts behind one post, with its cancellation state set here and not in the manager: Asio 1.26
    // lets the exception escape when a coroutine is cancelled before its first suspension.
    co_await asio::post(asio::use_awaitable);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    if (!has_adapter_)
        record_->outcomes[0].began = static_cast<std::uint32_t>(record_->steps);
    // What leaves it is handed over without a throw.
    awaited running(run(handed_out));
    const auto its_end = running.end();
    co_await its_end;
    (has_adapter_ ? left_adapter_ : left_.front()) = running.take_error();
}

awaitable<void> clients::serve(std::function<awaitable<void>(client&)> one)
{
    if (!has_adapter_)
        misused<std::logic_error>("environment::clients was called, but the contract sets neither capacity "
                                  "nor clients: set one of them, or call env.body() instead");
    if (serving_)
        misused<std::logic_error>("environment::clients was called twice in one run: call it once, and let "
                                  "each client do all that it has to do");
    serving_ = true;
    serve_ = std::move(one);
    const std::uint32_t by_contract = contract_->capacity.clients != 0
                                          ? contract_->capacity.clients
                                          : contract_->capacity.resources.value_or(0) + 2;
    clients_ = plan_->clients != 0 ? plan_->clients : by_contract;
    record_->outcomes.resize(clients_);
    next_ = plan_->sequential ? 1 : plan_->relay && clients_ > 1 ? clients_ - 1 : clients_;
    for (std::size_t i = 0; i < next_; ++i) {
        const auto arrives = plan_->arrivals.find(static_cast<lane>(i));
        if (plan_->sequential || arrives == plan_->arrivals.end() || arrives->second == duration(0)) {
            start(i);
        } else {
            ++arriving_;
            agenda_.add_arrival(record_.now() + arrives->second, i);
        }
    }
    co_await wait_for_all();
}

awaitable<void> clients::wait_for_all()
{
    return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [this]<class Handler>(Handler&& handler) {
            clients_done_ = task([this, handler = std::forward<Handler>(handler)]() mutable {
                asio::post(executor(handlers_, background_lane), std::move(handler));
            });
        },
        asio::use_awaitable);
}

void clients::let_adapter_go()
{
    if (clients_done_)
        handlers_.queue(background_lane, std::exchange(clients_done_, task()));
}

void clients::stop_adapter(index because)
{
    const acting_as strike(record_.causes, {origin::strike, because});
    adapter_signal_.emit(asio::cancellation_type::terminal);
}

void clients::start(std::size_t which)
{
    while (signals_.size() <= which)
        signals_.emplace_back();
    if (left_.size() <= which)
        left_.resize(which + 1);
    while (objects_.size() <= which)
        objects_.emplace_back(world_, static_cast<int>(objects_.size()));
    ++running_;
    const auto in = static_cast<lane>(which);
    const index started = record_.add(event_kind::client_started, in, static_cast<index>(which));
    record_->outcomes[which].started = started;
    const acting_as start(record_.causes, {origin::start, started}, false);
    asio::co_spawn(asio::any_io_executor(executor(handlers_, in)), serve_one(which),
        asio::bind_cancellation_slot(signals_[which].slot(),
            [this, which](std::exception_ptr error) { ended(which, std::move(error)); }));
}

awaitable<void> clients::serve_one(std::size_t which)
{
    co_await asio::post(asio::use_awaitable);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    record_->outcomes[which].began = static_cast<std::uint32_t>(record_->steps);
    awaited served(serve_(objects_[which]));
    const auto its_end = served.end();
    co_await its_end;
    left_[which] = served.take_error();
}

void clients::ended(std::size_t which, std::exception_ptr error)
{
    outcome& mine = record_->outcomes[which];
    if (mine.ending == ending::abandoned)
        return;
    if (!error)
        error = std::move(left_[which]);
    if (mine.ending == ending::running)
        mine.ending = error ? ending::threw : ending::returned;
    mine.error = std::move(error);
    mine.ended = record_.add(event_kind::client_ended, static_cast<lane>(which), static_cast<index>(which));
    --running_;
    start_next();
}

void clients::start_next()
{
    if (next_ < clients_)
        start(next_++);
}

std::size_t clients::start_probes(std::size_t how_many)
{
    const std::size_t first = record_->outcomes.size();
    record_->outcomes.resize(first + how_many);
    for (std::size_t i = first; i < first + how_many; ++i) {
        record_->outcomes[i].probe = true;
        start(i);
    }
    return first;
}

index clients::cancel(std::size_t client, cancellation type, std::size_t plan_index, const perturbation& what)
{
    if (client >= signals_.size() || client >= record_->outcomes.size() ||
        record_->outcomes[client].ended != none)
        return none;
    const auto in = static_cast<lane>(client);
    const index struck = record_.add(event_kind::client_cancelled, in, static_cast<index>(client));
    outcome& mine = record_->outcomes[client];
    const auto row = static_cast<index>(record_->cancellations.size());
    record_->cancellations.push_back({.event = struck, .unheard = state_of(in).unheard_waits > 0});
    if (mine.cancelled == none) {
        mine.cancelled = struck;
        mine.first_cancellation = row;
    } else {
        record_->cancellations[mine.last_cancellation].next = row;
    }
    mine.last_cancellation = row;
    if (plan_index != none)
        record_.add_strike(plan_index, what, struck);
    const speaking_as client_itself(handlers_, in, {origin::strike, struck});
    try {
        signals_[client].emit(type_of(type));
    } catch (...) {
        record_.add_escape();
    }
    return struck;
}

bool clients::mark_abandoned(std::size_t client, std::size_t plan_index, const perturbation& what)
{
    if (client >= signals_.size() || client >= record_->outcomes.size() ||
        record_->outcomes[client].ended != none)
        return false;
    outcome& mine = record_->outcomes[client];
    mine.abandoned =
        record_.add(event_kind::client_abandoned, static_cast<lane>(client), static_cast<index>(client));
    mine.ended = mine.abandoned;
    mine.ending = ending::abandoned;
    record_.add_strike(plan_index, what, mine.abandoned);
    --running_;
    return true;
}

void clients::give_up(std::size_t client) noexcept
{
    try {
        signals_[client].emit(asio::cancellation_type::terminal);
    } catch (...) {
        record_.add_escape();
    }
}

void clients::mark_world_abandoned()
{
    const auto end = [&](outcome& one) {
        if (one.started == none || one.ended != none)
            return;
        one.abandoned = one.ended = record_->world_abandoned;
        one.ending = ending::abandoned;
    };
    for (outcome& client : record_->outcomes)
        end(client);
    if (has_adapter_)
        end(record_->adapter);
}

} // namespace mishap::detail
