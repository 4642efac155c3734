#pragma once

#include "origins.hpp"
#include "seam.hpp"
#include "task.hpp"

#include <mishap/chooser.hpp>
#include <mishap/contract.hpp>
#include <mishap/environment.hpp>
#include <mishap/plan.hpp>
#include <mishap/resource.hpp>
#include <mishap/trace.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace mishap::detail {

/// What the name of a counter speaks of: `open`, or `session.open`.
///
/// Errors: throws `input_error` for an unknown quantity.
statistic_record parse_statistic(std::string_view name);

/// One thread's simulation: an `io_context`, a ready queue and virtual time, used for one run after another.
///
/// A run that ends clean leaves the world as new. After one that leaves something suspended, the world
/// destroys what is left and takes a new `io_context`.
class world final : private seam_observer
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

    // For the executor.
    boost::asio::io_context& context() noexcept { return *io_; }
    bool in_handler() const noexcept { return active_seam() == &seam_ && in_handler_; }
    void queue(lane in, task&& what);
    void escaped() noexcept;
    std::uint32_t begin_work(lane in) noexcept;
    void copy_work(std::uint32_t token) noexcept;
    void end_work(std::uint32_t token) noexcept;
    bool was_abandoned(std::uint32_t token) const noexcept;

    // For resources.
    std::uint64_t run_number() const noexcept { return run_number_; }
    index begin_operation(const resource& on, role, symbol name, lane in, bool blocking = false,
        const real_effect* effect = nullptr);
    /// A synchronous operation, from its start to its end; `none` where nothing is recorded any more.
    index perform(const resource& on, role, symbol name);
    bool settled(index operation) const noexcept;
    awaitable<void> wait(index operation);
    void suspend(std::unique_ptr<suspended> handler) { suspended_.push_back(std::move(handler)); }
    /// Queues the handler of an operation that has ended.
    void hand_over(suspended& handler)
    {
        const acting_as its_handler(origins_, root_of_handler(handler.operation), false);
        handler.queue(*this);
    }
    bool accepts_operations() const noexcept { return trace_ && !tearing_down_; }
    bool has_ended(index operation) const noexcept
    {
        return trace_->operations[operation].result != result::pending;
    }
    void request_stop(index operation)
    {
        if (trace_)
            cancel(operation);
    }
    delivered_error error_of(index operation) const;
    /// Records that the manager's code sees the result.
    void deliver(index operation);
    origins& causes() noexcept { return origins_; }
    /// What the handler of an operation that has ended has as its cause.
    root root_of_handler(index operation) const noexcept;
    void finish(index operation);
    void force_close(const resource& on) noexcept;
    void destroyed(const resource& which) noexcept;
    life life_of(const resource& which) const noexcept;
    bool broken(const resource& which) const noexcept;

    /// The trace of the run under way, or null.
    trace* happened() noexcept { return trace_; }

    // For the environment.
    environment& handed_out() noexcept { return environment_; }
    lane running_lane() const noexcept { return running_lane_; }
    bool has_lanes() const noexcept { return has_adapter_; }
    awaitable<void> body(resource* lent, body_work work, lane in);
    awaitable<void> serve(std::function<awaitable<void>(client&)> one);
    /// Emits the cancellation that the plan has right before this operation; returns whether there was one.
    bool strike_before(const resource& on, role what, symbol name, lane in);
    bool has_strikes() const noexcept { return !strikes_.empty(); }
    /// The client did not hear of it: a composition that is only being started has not connected its parts
    /// yet. From outside nothing could come there, so it is said again between two steps.
    void strike_again(lane in);
    /// The handler that runs obeys the cancellation that came last before an operation: whatever it does from
    /// here on comes of that.
    void obey_strike() noexcept { origins_.become({origin::strike, struck_before_event_}); }
    void report(std::exception_ptr error) noexcept;
    void note(std::string_view text);
    void wait_unheard(lane in, int more) { state_of(in).unheard_waits += more; }
    void expectation_failed(expectation_record failed);
    const std::string* find_setting(std::string_view name) const;
    std::uint64_t watch_statistic(statistic_record named, std::function<long()> value);
    void end_statistic(std::uint64_t id) noexcept;
    void freeze_time(bool frozen) noexcept { frozen_ += frozen ? 1 : -1; }
    void allow_outside(bool allowed) noexcept { outside_allowed_ += allowed ? 1 : -1; }

    /// The plan of the run under way on this thread, as a replay token, for messages of a program that is
    /// about to end.
    static std::string describe_running();

    /// Whether stock timers obey virtual time in this program; asked once per process.
    static bool virtual_time_is_linked();

private:
    struct ready
    {
        task what;
        lane in;
        std::uint64_t queued;
        root because;
    };

    struct work_token
    {
        std::uint32_t count = 0;
        std::uint32_t next_free = 0;
        std::uint64_t step = 0;
        duration since{0};
        lane in = 0;
        bool abandoned = false; ///< with its client: what it leads to is dropped
    };

    /// Counters from which operations get their identity, one set per lane.
    struct lane_state
    {
        struct counter
        {
            symbol kind;
            symbol name;
            std::uint32_t count;
        };
        std::vector<counter> uses;
        std::vector<counter> resources;
        std::uint32_t bodies = 0;
        std::uint32_t open_bodies = 0;
        int unheard_waits = 0; ///< for callbacks
    };

    /// An interruption of the plan, waiting for its moment.
    struct strike
    {
        std::size_t plan_index; ///< `none` for one that is said again
        perturbation what;
        bool armed = false;
        std::uint64_t due = 0; ///< the step after which it strikes
    };

    /// An operation whose completion is held back until another lane has taken some steps.
    struct held
    {
        std::size_t plan_index;
        index operation;
        lane first;
        std::uint32_t steps_left;
        std::uint64_t since; ///< the step in which it was started
        std::uint64_t hash;  ///< of the trace then
    };

    /// A counter that is compared with the ledger.
    struct watched
    {
        std::uint64_t id;
        index record;
        lane in; ///< of who gave it
        std::function<long()> value;
    };

    /// What an operation under way does outside the simulation when it takes effect.
    struct real_operation
    {
        index operation;
        const real_effect* effect;
    };

    /// Something that is due at a time: the end of an operation, or the arrival of a client.
    struct alarm
    {
        duration at;
        std::uint64_t order;
        index operation;
        std::size_t client = 0; ///< where `operation` is `none`
    };

    /// What the loop waits for.
    enum class goal
    {
        clients,
        adapter
    };

    enum class pause
    {
        ended,
        stuck,
        livelock,
        abandoned
    };

    /// The run goes no further, whatever stage it is in.
    static bool is_over(pause why) noexcept { return why == pause::livelock || why == pause::abandoned; }

    void go();
    void give_up(bool terminated, const std::exception_ptr& cause);

    // The loop.
    pause drive();
    bool has_ready() const noexcept { return ready_head_ != ready_.size() || !in_flight_.empty(); }
    void run_ready();
    void run_handler(ready next);
    void choose_and_run();
    bool poll_reactor();
    bool advance(duration limit);
    bool pass_grace();
    bool pass_time(duration until);
    bool await_outside(std::chrono::milliseconds patience);
    void take_inbox();
    void list_work(std::vector<work_record>& into) const;
    bool has_ended() const noexcept
    {
        if (goal_ == goal::adapter)
            return adapter_ended_;
        return running_clients_ == 0 && arriving_ == 0 && (!has_adapter_ || serving_ || adapter_ended_);
    }
    void finish_run(pause why);
    bool finish_clients(pause why);
    void extend_horizon() noexcept;
    bool end_what_hangs();
    bool probe();
    bool pass_deadlines();
    bool send_probes(duration until);
    void open_barrier();
    bool finish_adapter();

    // Clients.
    void start_client(std::size_t which);
    void client_ended(std::size_t which, std::exception_ptr error);
    awaitable<void> serve_one(std::size_t which);
    awaitable<void> await_clients();
    bool is_probe(lane in) const noexcept
    {
        return in >= 0 && probing_ && static_cast<std::size_t>(in) >= clients_;
    }

    // Interruptions.
    void arm_strikes(moment when, const operation_id& at);
    void strike_due();
    void complete_unstruck();
    index emit(std::size_t client, cancellation type, std::size_t plan_index, perturbation what);
    void abandon_client(std::size_t client, std::size_t plan_index, perturbation what);
    void abandon_world(std::size_t plan_index, perturbation what);
    void shut_down() noexcept;
    perturbation anchor_now(const interruption&) const;

    // Deviations of the schedule.
    void settle(index operation);
    void release(index operation);
    void count_step(lane in);
    void note_fired(const held&);
    void release_held();
    void add_alarm(alarm);
    void forget(index operation) noexcept;

    // Operations.
    lane_state& state_of(lane in) { return lanes_[static_cast<std::size_t>(in + 1)]; }
    std::uint32_t count_use(lane in, symbol kind, symbol name);
    std::uint32_t next_ordinal(lane in, symbol kind);
    lane lane_of(const resource& on, lane otherwise) const;
    operation_id identify(const resource& on, role what, symbol name, lane in);
    index entry_of(const resource& on, lane in);
    index new_operation(const operation_id& id, role what, index resource);
    void decide(operation_record& op);
    void complete(index operation, result how);
    result take_real_effect(index operation, result how);
    void cancel(index operation);
    void perform_blocking(index operation);
    std::unique_ptr<suspended> take_suspended(index operation) noexcept;
    void fail_hanging();
    void sample(const watched& counter, bool last) noexcept;
    void tear_down() noexcept;
    void reset(const contract&, const limits&, chooser*, const fault_plan&, trace&);

    // seam_observer
    void leaves(const char* call) noexcept override;
    void blocks(const char* call) noexcept override;
    void waits(const char* call, pthread_mutex_t* leaves) noexcept override;
    void runs_own_context() noexcept override;
    void polls(bool timers_are_due) noexcept override { origins_.begin_round(timers_are_due); }
    void record_outside(event_kind kind, const char* call) noexcept;

    awaitable<void> client_main(const adapter& run);
    index record(event_kind kind, lane in, index subject);
    index record_stage(stage reached) { return record(event_kind::stage, 0, static_cast<index>(reached)); }

    /// Its end comes in two parts, since what it has pending must go before objects that outlive that.
    class two_step_context : public boost::asio::io_context
    {
    public:
        using io_context::io_context;
        void drop_pending() { shutdown(); }
    };

    std::unique_ptr<two_step_context> io_;
    seam seam_;
    origins origins_;
    environment environment_;
    std::uint64_t run_number_ = 0;

    // What the run is about; valid during it.
    const contract* contract_ = nullptr;
    const limits* limits_ = nullptr;
    chooser* chooser_ = nullptr;
    const manager* manager_ = nullptr;
    const fault_plan* plan_ = nullptr;
    trace* trace_ = nullptr;
    std::vector<symbol> uses_;
    std::vector<bool> matched_;
    std::uint32_t lazily_fired_ = 0;

    // The ready queue: a ring would save nothing, since it empties every few steps.
    std::vector<ready> ready_;
    std::size_t ready_head_ = 0;
    bool pump_queued_ = false;
    bool pumped_ = false;          ///< the io_context ran the pump, and nothing of its own
    std::vector<index> in_flight_; ///< operations that a chooser may complete
    std::vector<choice> choices_;
    std::vector<std::unique_ptr<suspended>> suspended_;
    std::vector<real_operation> real_operations_;
    std::vector<alarm> alarms_; ///< a heap, earliest first
    std::uint64_t alarm_order_ = 0;

    // What other threads hand in, where they are allowed.
    std::mutex inbox_mutex_;
    std::vector<ready> inbox_;
    std::atomic<bool> inbox_filled_ = false;

    mutable std::mutex work_mutex_; ///< taken only while other threads may hold executors
    std::vector<work_token> work_;
    std::uint32_t free_work_ = none;
    std::uint32_t work_count_ = 0;

    std::vector<lane_state> lanes_;
    std::deque<boost::asio::cancellation_signal> signals_;
    boost::asio::cancellation_signal adapter_signal_;
    std::deque<client> client_objects_;
    std::function<awaitable<void>(client&)> serve_;
    std::vector<strike> strikes_;
    perturbation struck_before_; ///< the last one that came before an operation
    index struck_before_event_ = none;
    std::vector<std::size_t> deviations_; ///< of the plan, by index
    std::vector<held> held_;
    std::vector<index>
        struck_; ///< operations with the fault `cancel`, at whose side the client is cancelled next
    std::vector<index> unstruck_; ///< those that survived it
    std::vector<index> barrier_;  ///< bodies of fresh clients that wait for each other
    std::size_t barrier_size_ = 1;
    task clients_done_;
    std::size_t clients_ = 0; ///< without the probes
    std::size_t running_clients_ = 0;
    std::size_t next_sequential_ = 0;
    std::size_t arriving_ = 0; ///< clients whose time has not come
    bool has_adapter_ = false;
    bool adapter_ended_ = false;
    bool serving_ = false; ///< the clients were started
    bool probing_ = false;
    goal goal_ = goal::clients;
    duration horizon_{0}; ///< how far time may go in this stage
    lane running_lane_ = 0;
    bool in_handler_ = false;
    bool tearing_down_ = false;
    bool usable_ = true;
    bool left_ = false; ///< something that this run started lives outside the simulation
    std::vector<watched> statistics_;
    std::uint64_t next_statistic_ = 0;
    int frozen_ = 0;
    int outside_allowed_ = 0;
    std::uint64_t last_awaited_ = 0;
    duration last_active_{0};
};

} // namespace mishap::detail
