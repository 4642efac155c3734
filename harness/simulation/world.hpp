// SPDX-License-Identifier: MIT
#pragma once

#include "agenda.hpp"
#include "clients.hpp"
#include "handlers.hpp"
#include "interruptions.hpp"
#include "operations.hpp"
#include "outside.hpp"
#include "recorder.hpp"
#include "rhythm.hpp"
#include "seam.hpp"

#include <mishap/chooser.hpp>
#include <mishap/contract.hpp>
#include <mishap/environment.hpp>
#include <mishap/manager.hpp>
#include <mishap/plan.hpp>
#include <mishap/resource.hpp>
#include <mishap/run.hpp>
#include <mishap/trace.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

namespace mishap::detail {

class connections;
class helper_threads;

/// One thread's simulation: an `io_context`, a ready queue and virtual time, used for one run after another.
///
/// The rooms beside this one keep what they know and say what is due; the world's loop alone acts on it.
///
/// A run that ends clean leaves the world as new. After one that leaves something suspended, the world
/// destroys what is left and takes a new `io_context`.
class world final
{
public:
    world();
    ~world();
    world(const world&) = delete;
    world& operator=(const world&) = delete;

    /// The world of the run under way on this thread, or null.
    static world* current() noexcept;

    /// Runs a manager once. What happened is in `happened`; which perturbations of the plan never came up, by
    /// index, in `inert`.
    void run(const manager& under_test, const contract& promises, const limits& bounds, chooser* order,
        const fault_plan& plan, trace& happened, std::vector<std::size_t>& inert);

    /// False once a run had to be left where it stood: then this world must neither run again nor be
    /// destroyed.
    bool usable() const noexcept { return usable_; }

    const manager& under_test() const noexcept { return *manager_; }
    const fault_plan& plan() const noexcept { return *plan_; }
    /// The trace of the run under way, or null.
    trace* happened() noexcept { return record_.get(); }

    // For executors.
    handlers& executors() noexcept { return handlers_; }
    boost::asio::io_context& context() noexcept { return handlers_.context(); }
    origins& causes() noexcept { return record_.causes; }

    // For resources.
    std::uint64_t run_number() const noexcept { return run_number_; }
    bool accepts_operations() const noexcept
    {
        return record_.is_on() && !handlers_.is_tearing_down() && !judged_;
    }
    index begin_operation(const resource& on, role, symbol name, lane in, bool blocking = false,
        const real_effect* effect = nullptr);
    /// A synchronous operation, from its start to its end; `none` where nothing is recorded any more.
    index perform(const resource& on, role, symbol name);
    /// Whether it ended where it was started.
    bool settled(index operation) const noexcept { return operations_.is_immediate(operation); }
    bool has_ended(index operation) const noexcept
    {
        return record_->operations[operation].result != result::pending;
    }
    awaitable<void> wait(index operation);
    void suspend(std::unique_ptr<suspended> handler) { operations_.suspend(std::move(handler)); }
    /// Queues the handler of an operation that has ended.
    void hand_over(suspended& handler);
    root root_of_handler(index operation) const noexcept
    {
        return record_.is_on() ? operations_.root_of_handler(operation) : root{origin::unknown};
    }
    void request_stop(index operation);
    delivered_error error_of(index operation) const { return operations_.error_of(operation); }
    /// Records that the manager's code sees the result.
    void deliver(index operation);
    /// Likewise, and throws the operation's error.
    void finish(index operation);
    void force_close(const resource& on) noexcept
    {
        if (record_.is_on())
            operations_.force_close(handle_of(on));
    }
    void destroyed(const resource& which) noexcept;
    life life_of(const resource& which) const noexcept
    {
        return record_.is_on() ? operations_.life_of(handle_of(which)) : life::absent;
    }
    bool broken(const resource& which) const noexcept
    {
        return record_.is_on() && operations_.is_broken(handle_of(which));
    }

    // For what comes right before an operation.
    bool has_strikes() const noexcept { return interruptions_.may_come_before(); }
    /// Emits the cancellation that the plan has right before this operation; returns whether there was one.
    bool strike_before(const resource& on, role what, symbol name, lane in);
    /// The client did not hear of it, since the operation is only being composed: it is said again.
    void strike_again(lane in) { interruptions_.say_again(in); }
    /// The handler that runs obeys the cancellation that came last before an operation: whatever it does from
    /// here on comes of that.
    void obey_strike() noexcept { record_.causes.become({origin::strike, struck_before_}); }

    // For the environment.
    environment& handed_out() noexcept { return environment_; }
    lane running_lane() const noexcept { return record_.running; }
    bool has_lanes() const noexcept { return clients_.has_adapter(); }
    /// The network of this world.
    connections& connected();
    /// The threads that it holds.
    helper_threads& helpers();
    awaitable<void> body(resource* lent, body_work work, lane in);
    awaitable<void> serve(std::function<awaitable<void>(client&)> one)
    {
        return clients_.serve(std::move(one));
    }
    void note_request_for_body() noexcept
    {
        if (record_.is_on())
            record_->asked_for_body = true;
    }
    void report(std::exception_ptr error) noexcept { record_.add_report(std::move(error)); }
    void note(std::string_view text) { record_.add_note(text); }
    /// The record of a client of the run under way.
    outcome& outcome_of(lane client) { return record_->outcomes[static_cast<std::size_t>(client)]; }
    void wait_for_peer(symbol kind, symbol name) { operations_.wait_for_peer(kind, name); }
    /// Whatever is in flight on that resource is asked to stop.
    void abort(index resource) noexcept;
    void wait_unheard(lane in, int more) noexcept { clients_.wait_unheard(in, more); }
    void expectation_failed(expectation_record failed)
    {
        // What is destroyed after the end never got what it expects.
        if (accepts_operations())
            record_.add_expectation(std::move(failed));
    }
    std::uint64_t watch_statistic(statistic_record named, std::function<long()> value)
    {
        return record_.watch(std::move(named), std::move(value));
    }
    void end_statistic(std::uint64_t id) noexcept { record_.unwatch(id, handlers_.is_tearing_down()); }
    void freeze_time(bool frozen) noexcept { outside_.freeze_time(frozen); }
    void allow_outside(bool allowed) noexcept { outside_.allow(allowed); }

private:
    friend class connections;
    friend class last_stages;

    /// What the loop waits for.
    enum class goal
    {
        clients,
        adapter
    };

    /// Why the loop came to rest.
    enum class pause
    {
        ended,
        stuck,
        livelock,
        abandoned
    };
    /// The run goes no further, whatever stage it is in.
    static bool is_over(pause why) noexcept { return why == pause::livelock || why == pause::abandoned; }

    handle handle_of(const resource& on) const noexcept { return {on.index_, on.run_, on.kind_}; }

    void begin(const manager&, const contract&, const limits&, chooser*, const fault_plan&, trace&);
    void go();
    void give_up(bool terminated, const std::exception_ptr& cause);
    void tear_down() noexcept;

    // The loop.
    /// What runs the next handler inside the io_context. At most one is queued, so that one place in memory
    /// will do.
    struct pump
    {
        template <class T>
        struct in_place
        {
            using value_type = T;

            explicit in_place(world* where) noexcept : owner(where) {}
            template <class U>
            in_place(const in_place<U>& other) noexcept : owner(other.owner)
            {}
            T* allocate(std::size_t count)
            {
                static_assert(
                    sizeof(T) <= sizeof owner->pump_memory_ && alignof(T) <= alignof(std::max_align_t));
                return count == 1 ? reinterpret_cast<T*>(owner->pump_memory_) : throw std::bad_alloc();
            }
            void deallocate(T*, std::size_t) noexcept {}
            friend bool operator==(const in_place& a, const in_place& b) noexcept
            {
                return a.owner == b.owner;
            }

            world* owner;
        };
        using allocator_type = in_place<char>;
        allocator_type get_allocator() const noexcept { return allocator_type(owner); }
        void operator()() const { owner->run_pump(); }

        world* owner;
    };
    void run_pump();
    pause drive();
    bool has_ready() const noexcept
    {
        return handlers_.has_ready() || operations_.count(waits_for::chooser) != 0;
    }
    bool has_reached_goal() const noexcept
    {
        return goal_ == goal::adapter ? clients_.adapter_has_ended() : clients_.have_all_ended();
    }
    /// Only periodic work is left.
    bool is_at_rest() { return rhythm_.is_at_rest(*record_, seam_.now, agenda_.last_due()); }
    /// More handlers than the step limit ran at one instant, or a hundred times the limit in all: it will not
    /// end.
    bool is_out_of_steps() const noexcept
    {
        return record_->steps - steps_at_instant_ >= limits_->steps_max ||
               record_->steps / 100 >= limits_->steps_max;
    }
    bool is_abandoned() const noexcept { return record_->world_abandoned != none; }
    void run_ready();
    void run_handler(handlers::ready next);
    void choose_and_run();
    bool poll_reactor();
    bool advance(duration limit);
    bool pass_time(duration until);
    bool await_outside(std::chrono::milliseconds patience);
    void advance_network();
    duration next_of_others() const noexcept;
    void end_peers();
    /// Somebody is still there whom the run waits for.
    bool somebody_waits() const noexcept
    {
        return clients_.running() != 0 || (goal_ == goal::adapter && !clients_.adapter_has_ended());
    }

    // Operations.
    void set_going(index operation, const real_effect* effect);
    bool set_body_going(index end);
    void settle(index operation, const real_effect* effect);
    void act_on(operations::ended&& done, index operation);
    void complete(index operation) { act_on(operations_.complete(operation), operation); }
    void complete(index operation, result how) { act_on(operations_.complete(operation, how), operation); }
    /// With that result, or as each was planned.
    void complete_all(waits_for what, std::optional<result> how = {});
    void forget(index operation) noexcept;
    void open_barrier();

    // Interruptions and deviations.
    void strike_due();
    void strike_owed();
    void abandon_client(const interruptions::strike& due);
    void abandon_world(const interruptions::strike& due);
    void release(index operation);
    void release_stepped(lane in);

    seam seam_;
    recorder record_{seam_};
    handlers handlers_{seam_, record_};
    agenda agenda_{seam_};
    rhythm rhythm_;
    operations operations_{record_};
    interruptions interruptions_{record_};
    outside outside_{*this, record_, handlers_};
    clients clients_{*this, record_, handlers_, agenda_};
    environment environment_;
    std::uint64_t run_number_ = 0;
    bool usable_ = true;
    bool judged_ = false;                     ///< what happens from here on is nobody's
    std::unique_ptr<helper_threads> helpers_; ///< beyond the io_context, whose end joins some of them
    std::unique_ptr<connections> connections_;

    // What the run is about; valid during it.
    const contract* contract_ = nullptr;
    const limits* limits_ = nullptr;
    chooser* chooser_ = nullptr;
    const manager* manager_ = nullptr;
    const fault_plan* plan_ = nullptr;
    std::vector<symbol> uses_;

    bool pump_queued_ = false;
    alignas(std::max_align_t) std::byte pump_memory_[128];
    bool pumped_ = false; ///< the io_context ran the pump, and nothing of its own
    goal goal_ = goal::clients;
    std::size_t barrier_size_ = 1;       ///< how many fresh clients must hold a resource before they go on
    index struck_before_ = none;         ///< the last cancellation that came before an operation
    duration instant_{0};                ///< to which time last went on
    std::uint64_t steps_at_instant_ = 0; ///< those taken by then
    std::vector<choice> choices_;
    std::vector<index> chosen_from_;
    std::vector<index> listed_;
};

} // namespace mishap::detail
