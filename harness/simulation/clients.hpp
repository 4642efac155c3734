// SPDX-License-Identifier: MIT
#pragma once

#include "agenda.hpp"
#include "handlers.hpp"
#include "recorder.hpp"

#include <mishap/contract.hpp>
#include <mishap/environment.hpp>
#include <mishap/plan.hpp>

#include <boost/asio/cancellation_signal.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <vector>

namespace mishap::detail {

/// The clients of a run, and the adapter that serves them: who comes when, and who is still there.
///
/// Where a contract and plan know of one client only, the adapter itself is client 0.
class clients
{
public:
    clients(world& where, recorder& record, handlers& executors, agenda& times) noexcept
        : world_(where), record_(record), handlers_(executors), agenda_(times)
    {}

    /// A run begins: the adapter is started, as client 0 or in the background.
    void begin(const contract&, const fault_plan&, const adapter& run, environment& handed_out);
    /// Nothing of the run is left that could speak of its clients.
    void end() noexcept;

    // The adapter.
    /// Whether the adapter runs beside clients.
    bool has_adapter() const noexcept { return has_adapter_; }
    bool adapter_has_ended() const noexcept { return adapter_ended_; }
    /// Whether clients were started.
    bool are_served() const noexcept { return serving_; }
    /// The adapter asks for them: starts them, and waits until `let_adapter_go`.
    awaitable<void> serve(std::function<awaitable<void>(client&)> one);
    /// The adapter goes on, if it waits for its clients.
    void let_adapter_go();
    /// Asks the adapter to stop.
    void stop_adapter(index because);
    /// What waits for the clients is destroyed.
    void drop_adapter() noexcept { clients_done_ = task(); }
    void mark_adapter_ended() noexcept { adapter_ended_ = true; }

    // Coming and going.
    void arrive(std::size_t which)
    {
        --arriving_;
        start(which);
    }
    std::size_t running() const noexcept { return running_; }
    /// Nobody is left whose end the run waits for.
    bool have_all_ended() const noexcept
    {
        return running_ == 0 && arriving_ == 0 && (!has_adapter_ || serving_ || adapter_ended_);
    }
    bool anything_runs() const noexcept { return running_ != 0 || (has_adapter_ && !adapter_ended_); }
    void mark_none_running() noexcept { running_ = 0; }
    /// Starts as many fresh clients, to see whether they are served. Returns the first.
    std::size_t start_probes(std::size_t how_many);
    void set_probing(bool probing) noexcept { probing_ = probing; }
    bool is_probe(lane in) const noexcept
    {
        return in >= 0 && probing_ && static_cast<std::size_t>(in) >= clients_;
    }

    // Interruptions.
    /// Asks a client to stop. Returns the event, or `none` where nobody was there to be asked: it never came,
    /// or it has gone. The plan's perturbation and its words, where the plan has it.
    index cancel(std::size_t client, cancellation type, std::size_t plan_index, const perturbation& what);
    /// Ends a client as abandoned. Returns whether it was there.
    bool mark_abandoned(std::size_t client, std::size_t plan_index, const perturbation& what);
    /// Makes Asio give up what it holds for an abandoned client.
    void give_up(std::size_t client) noexcept;
    /// Whoever comes next, now that a client has gone.
    void start_next();
    /// Ends all, with the world.
    void mark_world_abandoned();

    // Bodies, per lane.
    std::uint32_t enter_body(lane in)
    {
        ++state_of(in).open_bodies;
        return ++state_of(in).bodies;
    }
    void leave_body(lane in) noexcept { --state_of(in).open_bodies; }
    bool is_inside_body(lane in) noexcept { return state_of(in).open_bodies > 0; }
    bool was_inside_body(lane in) noexcept { return state_of(in).bodies > 0; }
    /// Waits for a callback, which hears of no cancellation.
    void wait_unheard(lane in, int more) noexcept { state_of(in).unheard_waits += more; }

private:
    struct lane_state
    {
        std::uint32_t bodies = 0;
        std::uint32_t open_bodies = 0;
        int unheard_waits = 0;
    };

    lane_state& state_of(lane in);
    void start(std::size_t which);
    void ended(std::size_t which, std::exception_ptr error);
    awaitable<void> run_adapter(const adapter& run, environment& handed_out);
    awaitable<void> serve_one(std::size_t which);
    awaitable<void> wait_for_all();

    world& world_;
    recorder& record_;
    handlers& handlers_;
    agenda& agenda_;
    const contract* contract_ = nullptr;
    const fault_plan* plan_ = nullptr;

    std::vector<lane_state> lanes_;
    std::deque<boost::asio::cancellation_signal> signals_;
    boost::asio::cancellation_signal adapter_signal_;
    std::vector<std::exception_ptr> left_; ///< what left each client's coroutine
    std::exception_ptr left_adapter_;
    std::deque<client> objects_;
    std::function<awaitable<void>(client&)> serve_;
    task clients_done_;
    std::size_t clients_ = 1; ///< without the probes
    std::size_t running_ = 0;
    std::size_t next_ = 1;     ///< who starts when somebody has ended
    std::size_t arriving_ = 0; ///< those whose time has not come
    bool has_adapter_ = false;
    bool adapter_ended_ = false;
    bool serving_ = false;
    bool probing_ = false;
};

} // namespace mishap::detail
