#include "world.hpp"

#include "executor.hpp"
#include "misuse.hpp"
#include "refuge.hpp"

#include "fault/draw.hpp"
#include "fault/fired.hpp"
#include "vocabulary/causes.hpp"
#include "vocabulary/deadlines.hpp"
#include "vocabulary/expectations.hpp"
#include "vocabulary/mix.hpp"
#include "vocabulary/site.hpp"

#include <mishap/error.hpp>
#include <mishap/input_error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <stdexcept>

#include <time.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace mishap::detail {

namespace {

constinit thread_local world* running_world = nullptr;

/// The world whose run was begun last, on any thread, while it is under way: what a thread that dies is told
/// by, which has no run of its own.
constinit std::atomic<const world*> latest_world = nullptr;

/// Handlers of the simulation that run before the io_context's own get a turn. What a handler leaves in the
/// io_context's queue, such as the end of a timer that it cancelled, comes next in line.
constexpr int batch_max = 1;

/// Virtual time after the horizon for those who were stuck until then.
constexpr duration clean_up_time = std::chrono::hours(1);

/// While it lives, this thread's time and reactors are simulated.
class simulating
{
public:
    explicit simulating(seam& with) noexcept { active_seam() = &with; }
    ~simulating() { active_seam() = nullptr; }
    simulating(const simulating&) = delete;
    simulating& operator=(const simulating&) = delete;
};

const std::exception_ptr& aborted_error()
{
    static const auto error = std::make_exception_ptr(
        boost::system::system_error(asio::error::make_error_code(asio::error::operation_aborted)));
    return error;
}

/// A new one for each operation: where an error came from is told by its identity.
std::exception_ptr peer_gone_error()
{
    return std::make_exception_ptr(boost::system::system_error(peer_gone_code()));
}

/// Locks only while other threads may be about, since the executor is copied many times in a run.
std::unique_lock<std::mutex> lock_if(bool needed, std::mutex& mutex)
{
    return needed ? std::unique_lock(mutex) : std::unique_lock<std::mutex>();
}

/// What an operation comes to that ends by itself.
result planned_result(const operation_record& op) noexcept
{
    const bool fails = (op.fault.kind == fault_kind::fail && !op.fails_body) ||
                       op.fault.kind == fault_kind::fail_after_effect ||
                       op.fault.kind == fault_kind::bad_alloc;
    return fails ? result::failed : result::ok;
}

/// What the operation throws. A plain code is marked, so that whoever copies it is still found out.
std::exception_ptr make_injected(symbol name, index operation)
{
    const error& known = get_error(name);
    return known.is_plain_code
               ? std::make_exception_ptr(boost::system::system_error(marked(known.code, operation)))
               : known.make();
}

bool later(const auto& a, const auto& b) noexcept { return a.at != b.at ? a.at > b.at : a.order > b.order; }

} // namespace

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
        in.queue(own->in(), task(std::move(resume)));
    else
        asio::post(home, std::move(resume));
}

} // namespace

world::world() : environment_(*this)
{
    name_what_dies({.describe = []() -> const char* {
                        static thread_local std::string line;
                        line = describe_running();
                        return line.c_str();
                    },
        .progress = []() -> std::uint64_t {
            const world* const here = running_world;
            return here && here->trace_ ? mix(here->run_number_, here->trace_->steps) | 1 : 0;
        }});
    seam_.observer = this;
    lanes_.resize(2);
}

world::~world() { tear_down(); }

world* world::current() noexcept { return running_world; }

void world::run(const manager& under_test, const contract& promises, const limits& bounds, chooser* order,
    const fault_plan& plan, trace& happened, std::vector<std::size_t>& inert)
{
    if (active_seam())
        throw std::logic_error(
            "mishap::run was called inside a run: a manager under test must not start one");
    const simulating now_virtual(seam_);
    running_world = this;
    latest_world.store(this, std::memory_order_relaxed);
    struct restore
    {
        restore()
        {
            if (watch)
                watch->begin();
        }
        ~restore()
        {
            if (watch)
                watch->end();
            running_world = nullptr;
            latest_world.store(nullptr, std::memory_order_relaxed);
        }
    } const restore;

    reset(promises, bounds, order, plan, happened);
    manager_ = &under_test;

    has_adapter_ = promises.serves_clients() || plan.clients > 1;
    happened.has_adapter = has_adapter_;
    running_lane_ = has_adapter_ ? background_lane : 0;
    outcome& mine = has_adapter_ ? happened.adapter : happened.outcomes.emplace_back();
    mine.started = record(event_kind::client_started, running_lane_, 0);
    if (!has_adapter_)
        running_clients_ = 1;
    auto& signal = has_adapter_ ? adapter_signal_ : signals_.emplace_back();
    origins_.become({origin::start, mine.started});
    asio::co_spawn(asio::any_io_executor(executor(*this, running_lane_)), client_main(under_test.run),
        asio::bind_cancellation_slot(signal.slot(), [this](std::exception_ptr error) {
            if (!has_adapter_)
                return client_ended(0, std::move(error));
            adapter_ended_ = true;
            trace_->adapter.ending = error ? ending::threw : ending::returned;
            trace_->adapter.error = std::move(error);
            trace_->adapter.ended = record(event_kind::client_ended, background_lane, none);
        }));

    const rescue found = take_refuge([](void* self) { static_cast<world*>(self)->go(); }, this);
    if (seam_.in_child)
        ::_exit(0);
    if (found.left)
        give_up(found.terminated, found.cause);

    for (std::size_t i = 0; i < matched_.size(); ++i)
        if (!matched_[i])
            inert.push_back(i);

    ++run_number_;
    trace_ = nullptr;
}

void world::go()
{
    origins_.begin();
    finish_run(drive());
    // Anything still under way (a suspended coroutine, a pending timer) would leak into the next run.
    if (io_ &&
        (running_clients_ != 0 || (has_adapter_ && !adapter_ended_) || work_count_ != 0 || has_ready() ||
            !suspended_.empty() || !io_->stopped() || left_ || seam_.reactors.size() > 1))
        tear_down();
    signals_.clear();
    client_objects_.clear();
    serve_ = nullptr;
    statistics_.clear();
}

void world::give_up(bool terminated, const std::exception_ptr& cause)
{
    usable_ = false;
    if (terminated) {
        trace_->escapes.push_back(cause);
        record(event_kind::terminated, running_lane_, static_cast<index>(trace_->escapes.size() - 1));
    }
    trace_->cut_off = static_cast<index>(trace_->events.size() - 1);
    // Nothing is destroyed, but descriptors are few.
    const reactor& own = seam_.reactors.front();
    for (const int descriptor : {own.timer, own.interrupter, own.epoll})
        if (descriptor >= 0)
            ::close(descriptor);
}

awaitable<void> world::client_main(const adapter& run)
{
    // A client starts behind one post, with its cancellation state set here and not in the manager: Asio 1.26
    // lets the exception escape when a coroutine is cancelled before its first suspension.
    co_await asio::post(asio::use_awaitable);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    if (!has_adapter_)
        trace_->outcomes[0].began = static_cast<std::uint32_t>(trace_->steps);
    co_await run(environment_);
}

void world::reset(
    const contract& promises, const limits& bounds, chooser* order, const fault_plan& plan, trace& happened)
{
    chooser_ = order;
    if (chooser_)
        chooser_->begin();
    contract_ = &promises;
    limits_ = &bounds;
    plan_ = &plan;
    trace_ = &happened;
    happened.clear();
    happened.unwrap = promises.unwrap;
    matched_.assign(plan.perturbations.size(), false);
    lazily_fired_ = 0;
    uses_.assign(promises.uses.begin(), promises.uses.end());
    for (lane_state& state : lanes_) {
        state.uses.clear();
        state.resources.clear();
        state.bodies = state.open_bodies = 0;
        state.unheard_waits = 0;
    }
    seam_.now = duration(0);
    seam_.horizon = bounds.horizon;
    last_active_ = duration(0);
    left_ = false;
    origins_.begin();
    frozen_ = outside_allowed_ = 0;
    last_awaited_ = std::numeric_limits<std::uint64_t>::max();
    in_flight_.clear();
    real_operations_.clear();
    pump_queued_ = false;
    strikes_.clear();
    deviations_.clear();
    held_.clear();
    for (std::size_t i = 0; i < plan.perturbations.size(); ++i) {
        const perturbation& p = plan.perturbations[i];
        if (p.interrupts())
            strikes_.push_back({.plan_index = i,
                .what = p,
                .armed = p.interrupts()->when == moment::steps,
                .due = p.interrupts()->steps});
        else if (p.yields())
            deviations_.push_back(i);
    }
    struck_.clear();
    barrier_.clear();
    unstruck_.clear();
    clients_ = 1;
    running_clients_ = arriving_ = 0;
    next_sequential_ = clients_;
    adapter_ended_ = serving_ = probing_ = false;
    goal_ = goal::clients;
    horizon_ = bounds.horizon;
    alarms_.clear();
    alarm_order_ = 0;
    if (!io_) {
        seam_.reactors.clear();
        io_ = std::make_unique<two_step_context>(1);
        // Makes the reactor now, so that the world's own is the first one the seam knows. Its registration
        // with epoll is none of the code under test's.
        asio::steady_timer reactor_maker(*io_);
        io_->poll();
    }
    seam_.reactors.resize(1);
    seam_.reactors.front().expiry = duration(-1);
    seam_.reactors.front().due = false;
}

void world::tear_down() noexcept
{
    // Destroying a handler destroys the coroutines it would have resumed, and that may queue, post and cancel
    // again; what is queued from here on is dropped at once.
    tearing_down_ = true;
    const bool was_simulating = active_seam() != nullptr;
    active_seam() = &seam_;
    const auto drop_all = [this] {
        while (!suspended_.empty() || ready_head_ != ready_.size()) {
            if (!suspended_.empty()) {
                const auto last = std::move(suspended_.back());
                suspended_.pop_back();
            } else {
                const task dropped = std::move(ready_[ready_head_++].what);
            }
        }
        ready_.clear();
        ready_head_ = 0;
    };
    drop_all();
    in_flight_.clear();
    if (io_)
        io_->drop_pending();
    drop_all();
    // The adapter encloses its clients, and so does what it owns.
    clients_done_ = task();
    drop_all();
    // Threads that the code under test left in services of the io_context are joined here.
    io_.reset();
    client_objects_.clear();
    inbox_.clear();
    inbox_filled_ = false;
    signals_.clear();
    seam_.reactors.clear();
    work_.clear();
    free_work_ = none;
    work_count_ = 0;
    running_clients_ = 0;
    if (!was_simulating)
        active_seam() = nullptr;
    tearing_down_ = false;
}

// The loop
// ---------------------------------------------------------------------------------------------------

world::pause world::drive()
{
    for (;;) {
        // Handlers run inside the io_context's own loop: Asio then recycles their memory, and code that takes
        // an io_context& finds itself where it would be in production.
        if (has_ready() && !pump_queued_) {
            pump_queued_ = true;
            asio::post(*io_, [this] {
                pump_queued_ = false;
                pumped_ = true;
                origins_.leave();
                run_ready();
            });
        }
        if (trace_->steps >= limits_->steps_max)
            return pause::livelock;
        if (inbox_filled_.load(std::memory_order_acquire))
            take_inbox();
        const bool polled = poll_reactor();
        if (trace_->world_abandoned != none)
            return pause::abandoned;
        if (polled || has_ready())
            continue;
        if (!held_.empty()) {
            release_held();
            continue;
        }
        if (!unstruck_.empty()) {
            complete_unstruck();
            continue;
        }
        if (!strikes_.empty() || !struck_.empty()) {
            strike_due();
            if (trace_->world_abandoned != none)
                return pause::abandoned;
            if (has_ready())
                continue;
            // What it struck may be something of Asio's.
            if (poll_reactor() || has_ready() || !unstruck_.empty())
                continue;
        }
        for (const watched& counter : statistics_)
            sample(counter, false);
        if (has_ended())
            return pause::ended;
        // What runs outside takes real time: it gets some before virtual time passes, and more before all is
        // lost.
        const bool outside = left_ && outside_allowed_ > 0;
        if (outside && last_awaited_ != trace_->steps) {
            last_awaited_ = trace_->steps;
            if (await_outside(std::chrono::milliseconds(10)))
                continue;
        }
        if (frozen_ == 0 && advance(horizon_))
            continue;
        if (outside && await_outside(std::chrono::seconds(1)))
            continue;
        return pause::stuck;
    }
}

void world::run_ready()
{
    for (int i = 0; i < batch_max && has_ready() && trace_->steps < limits_->steps_max &&
                    trace_->world_abandoned == none;
         ++i) {
        if (chooser_) {
            choose_and_run();
            continue;
        }
        ready next = std::move(ready_[ready_head_++]);
        if (ready_head_ == ready_.size()) {
            ready_.clear();
            ready_head_ = 0;
        }
        run_handler(std::move(next));
    }
}

void world::run_handler(ready next)
{
    if (!strikes_.empty() || !struck_.empty()) {
        const auto before = static_cast<index>(trace_->events.size());
        strike_due();
        if (trace_->world_abandoned != none)
            return; // dropped with all the others
        const bool of_client = next.in >= 0 && static_cast<std::size_t>(next.in) < trace_->outcomes.size();
        if (of_client) {
            const index abandoned = trace_->outcomes[static_cast<std::size_t>(next.in)].abandoned;
            if (abandoned != none && abandoned >= before)
                return; // and so is what was about to run
        }
    }
    ++trace_->steps;
    last_active_ = seam_.now;
    seam_.now += plan_->step_cost;
    running_lane_ = next.in;
    in_handler_ = true;
    origins_.become(next.because);
    try {
        next.what();
    } catch (...) {
        escaped();
    }
    origins_.leave();
    in_handler_ = false;
    if (!held_.empty())
        count_step(next.in);
}

void world::choose_and_run()
{
    choices_.clear();
    const bool any = contract_->executor == executor_model::concurrent;
    const std::size_t handlers =
        any ? ready_.size() - ready_head_ : std::min<std::size_t>(1, ready_.size() - ready_head_);
    for (std::size_t i = 0; i < handlers; ++i) {
        const ready& one = ready_[ready_head_ + i];
        choices_.push_back({.what = choice::kind::handler, .lane = one.in, .queued = one.queued});
    }
    for (const index operation : in_flight_)
        choices_.push_back({.what = choice::kind::completion,
            .lane = trace_->operations[operation].id.lane,
            .operation = operation});
    const std::size_t chosen = std::min(chooser_->choose(choices_, *trace_), choices_.size() - 1);
    if (chosen >= handlers) {
        const index operation = in_flight_[chosen - handlers];
        in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(chosen - handlers));
        complete(operation, planned_result(trace_->operations[operation]));
        return;
    }
    const auto at = ready_.begin() + static_cast<std::ptrdiff_t>(ready_head_ + chosen);
    ready next = std::move(*at);
    ready_.erase(at);
    if (ready_head_ == ready_.size()) {
        ready_.clear();
        ready_head_ = 0;
    }
    run_handler(std::move(next));
}

bool world::poll_reactor()
{
    io_->restart();
    const std::uint64_t steps = trace_->steps;
    bool ran = true;
    pumped_ = false;
    origins_.enter_queue();
    try {
        ran = io_->poll_one() != 0;
        // A handler of the io_context's own is a step too.
        if (ran && trace_->steps == steps)
            ++trace_->steps;
    } catch (...) {
        escaped();
    }
    if (ran && !pumped_)
        origins_.ran_from_queue();
    origins_.leave();
    return ran;
}

bool world::advance(duration limit)
{
    // Where Asio has nothing pending, an armed timerfd means nothing: a cancelled timer leaves it armed.
    reactor& own = seam_.reactors.front();
    const bool timer_armed = !io_->stopped() && own.expiry >= duration(0);
    const bool alarm_first = !alarms_.empty() && (!timer_armed || alarms_.front().at <= own.expiry);
    if (!alarm_first && !timer_armed)
        return false;
    const duration next = std::max(alarm_first ? alarms_.front().at : own.expiry, seam_.now);
    if (next > limit) {
        // Walking towards a timer that is never due changed nothing, so the clock goes back to when something
        // last happened.
        seam_.now = last_active_;
        return false;
    }
    seam_.now = next;
    if (!alarm_first) {
        own.expiry = duration(-1);
        own.due = true;
        return true;
    }
    const auto is_later = [](const alarm& a, const alarm& b) { return later(a, b); };
    last_active_ = next; // an arrival is an event, also where no handler waits for it
    while (!alarms_.empty() && alarms_.front().at <= next) {
        std::pop_heap(alarms_.begin(), alarms_.end(), is_later);
        const alarm due = alarms_.back();
        alarms_.pop_back();
        if (due.operation != none) {
            // Whoever is late comes together with a timer of that instant: when its handler runs, the timer's
            // is on its way, and cancelling the timer does nothing any more. So does whatever fails then.
            if (timer_armed && own.expiry == next &&
                trace_->operations[due.operation].fault.kind != fault_kind::delay) {
                own.expiry = duration(-1);
                own.due = true;
            }
            complete(due.operation, planned_result(trace_->operations[due.operation]));
        } else {
            --arriving_;
            start_client(due.client);
        }
    }
    return true;
}

/// Stage 5. Returns whether the run goes on.
bool world::pass_grace()
{
    if (contract_->grace == duration(0))
        return true;
    if (!pass_time(seam_.now + contract_->grace + timer_precision))
        return false;
    record_stage(stage::grace_over);
    return true;
}

/// Whatever happens by itself until then happens. Returns whether the world still stands.
bool world::pass_time(duration until)
{
    do {
        if (drive() == pause::abandoned)
            return false;
    } while (advance(until) && trace_->steps < limits_->steps_max);
    seam_.now = std::max(seam_.now, until);
    return true;
}

bool world::await_outside(std::chrono::milliseconds patience)
{
    for (auto waited = std::chrono::milliseconds(0); waited < patience; ++waited) {
        if (inbox_filled_.load(std::memory_order_acquire)) {
            take_inbox();
            return true;
        }
        if (poll_reactor() || has_ready())
            return true;
        active_seam() = nullptr;
        const timespec one_millisecond{.tv_sec = 0, .tv_nsec = 1'000'000};
        ::nanosleep(&one_millisecond, nullptr);
        active_seam() = &seam_;
    }
    return false;
}

void world::take_inbox()
{
    const std::scoped_lock lock(inbox_mutex_);
    for (ready& one : inbox_)
        ready_.push_back(std::move(one));
    inbox_.clear();
    inbox_filled_ = false;
}

void world::list_work(std::vector<work_record>& into) const
{
    const auto lock = lock_if(left_, work_mutex_);
    for (const work_token& token : work_)
        if (token.count != 0 && !token.abandoned)
            into.push_back({token.in, token.step, token.since});
}

void world::finish_run(pause why)
{
    if (!finish_clients(why) || !end_what_hangs() || !probe() || !finish_adapter() || !end_what_hangs() ||
        !pass_grace()) {
        if (trace_->world_abandoned == none)
            record_stage(stage::livelock);
        else
            shut_down();
        return;
    }
    poll_reactor();
    list_work(trace_->stray_work);
    // What an abandoned client waited for is dropped when it comes.
    const bool waits_for_abandoned = std::any_of(work_.begin(), work_.end(),
        [](const work_token& token) { return token.count != 0 && token.abandoned; });
    trace_->stray_reactor = !io_->stopped() && !waits_for_abandoned;
    record_stage(stage::judged);
}

/// Stages 1 and 2. Returns whether the run goes on: the limit of steps was kept, and the world still stands.
bool world::finish_clients(pause why)
{
    if (is_over(why))
        return false;
    if (why == pause::ended) {
        record_stage(stage::all_ended);
        return true;
    }
    // Those whose body hangs go first: nobody promised anything about them, and others may only be waiting
    // for them. Who is then still stuck waits for nothing that could come.
    while (running_clients_ != 0) {
        const index found = record_stage(stage::stuck);
        if (trace_->stuck_work.empty())
            list_work(trace_->stuck_work);
        std::vector<std::size_t> chosen;
        for (const bool in_body : {true, false}) {
            for (std::size_t i = 0; i < trace_->outcomes.size() && (in_body || chosen.empty()); ++i) {
                const outcome& client = trace_->outcomes[i];
                const bool waits = client.ended == none && client.started != none && client.stuck == none;
                if (waits && (!in_body || state_of(static_cast<lane>(i)).open_bodies > 0))
                    chosen.push_back(i);
            }
        }
        if (chosen.empty())
            break;
        record_stage(stage::clients_cancelled);
        extend_horizon();
        for (const std::size_t i : chosen) {
            trace_->outcomes[i].stuck = found;
            trace_->outcomes[i].ending = ending::hung;
            // The caller gives up: no caller waits for ever.
            queue(static_cast<lane>(i), task([this, i] {
                if (trace_->outcomes[i].ended == none)
                    emit(i, cancellation::terminal, none, {});
            }));
        }
        if (is_over(drive()))
            return false;
    }
    if (has_adapter_ && !adapter_ended_ && !serving_) {
        // The adapter itself never came to serve anybody.
        trace_->adapter.stuck = record_stage(stage::stuck);
        trace_->adapter.ending = ending::hung;
        if (trace_->stuck_work.empty())
            list_work(trace_->stuck_work);
        queue(background_lane, task([this] {
            const acting_as strike(origins_, {origin::strike, trace_->adapter.stuck});
            adapter_signal_.emit(asio::cancellation_type::terminal);
        }));
        if (is_over(drive()))
            return false;
    }
    return true;
}

/// Clean-up takes its time even where the horizon was reached.
void world::extend_horizon() noexcept
{
    horizon_ = seam_.horizon = std::max(horizon_, seam_.now + clean_up_time);
}

/// Stages 3 and 4: what hangs fails, what is under way arrives.
bool world::end_what_hangs()
{
    // A manager that keeps starting operations is bounded by the limit of steps, and one that starts hanging
    // ones for ever by the number of rounds.
    constexpr int rounds_max = 64;
    if (!pass_deadlines())
        return false;
    for (int round = 0; round < rounds_max && (!suspended_.empty() || !alarms_.empty()); ++round) {
        record_stage(stage::peers_gone);
        extend_horizon();
        fail_hanging();
        pause next = drive();
        while (!is_over(next) && !alarms_.empty() && advance(horizon_))
            next = drive();
        if (is_over(next))
            return false;
    }
    return true;
}

/// What hangs has until its own deadline to be given up, or until the grace is over. Returns whether the
/// world still stands.
bool world::pass_deadlines()
{
    duration last = seam_.now;
    for (const auto& waiting : suspended_) {
        const operation_record& op = trace_->operations[waiting->operation];
        const auto timeout = timeout_of(*contract_, op.role, op.in_body);
        if (op.cancel_requested != none)
            continue;
        if (timeout)
            last = std::max(last, trace_->time_of(op.started) + *timeout + 2 * timer_precision);
        else if (contract_->grace != duration(0))
            last = std::max(last, seam_.now + contract_->grace + 2 * timer_precision);
    }
    if (last == seam_.now)
        return true;
    extend_horizon();
    return pass_time(std::min(last, horizon_));
}

/// Stage 6: as many fresh clients as there is capacity must each get a resource, all at once. Where some are
/// refused, as the contract permits, as many come again later.
bool world::probe()
{
    if (!serving_ || running_clients_ != 0 || adapter_ended_)
        return true;
    record_stage(stage::probing);
    const duration patience =
        contract_->recovery_time.value_or(contract_->acquire_timeout.value_or(std::chrono::seconds(60)));
    probing_ = true;
    // A breaker that is half open lets one of them pass, and the others the next time.
    constexpr int rounds_max = 8;
    bool goes_on = true;
    for (int round = 0; goes_on && round < rounds_max; ++round) {
        const auto first = static_cast<std::ptrdiff_t>(trace_->outcomes.size());
        goes_on = send_probes(seam_.now + patience);
        const auto count = [&](auto is) {
            return std::count_if(trace_->outcomes.begin() + first, trace_->outcomes.end(), is);
        };
        const auto refused = count(
            [&](const outcome& fresh) { return fresh.error && is_one_of(contract_->refuses, fresh.error); });
        const auto served = count([](const outcome& fresh) { return fresh.ended != none && !fresh.error; });
        if (!goes_on || refused == 0 || (round > 0 && served == 0))
            break;
        extend_horizon();
        goes_on = pass_time(seam_.now + patience);
    }
    probing_ = false;
    return goes_on;
}

/// One fresh client for each resource that may exist, and those who wait. Returns whether the run goes on.
bool world::send_probes(duration until)
{
    const std::size_t first = trace_->outcomes.size();
    const std::size_t probes = contract_->fresh_clients();
    barrier_size_ = contract_->capacity.value_or(1);
    trace_->outcomes.resize(first + probes);
    while (lanes_.size() < first + probes + 1)
        lanes_.emplace_back();
    for (std::size_t i = first; i < first + probes; ++i) {
        trace_->outcomes[i].probe = true;
        start_client(i);
    }
    extend_horizon();
    const duration farthest = std::exchange(horizon_, std::min(until, horizon_));
    pause next = drive();
    horizon_ = farthest;
    // Who has not been served by now never will be; who holds a resource waits for those.
    for (int round = 0; !is_over(next) && running_clients_ != 0 && round < 4; ++round) {
        const index found = record_stage(stage::stuck);
        open_barrier();
        for (std::size_t i = first; i < first + probes; ++i) {
            outcome& fresh = trace_->outcomes[i];
            if (fresh.ended != none || state_of(static_cast<lane>(i)).bodies > 0)
                continue;
            fresh.stuck = found;
            queue(static_cast<lane>(i), task([this, i] {
                if (trace_->outcomes[i].ended == none)
                    emit(i, cancellation::terminal, none, {});
            }));
        }
        next = drive();
        if (is_over(next))
            break;
        fail_hanging();
        next = drive();
    }
    return !is_over(next);
}

/// Those fresh clients who hold a resource go on; who comes to hold one later does not wait.
void world::open_barrier()
{
    barrier_size_ = 1;
    for (const index body : std::exchange(barrier_, {}))
        complete(body, result::ok);
}

/// Stage 7: the adapter returns.
bool world::finish_adapter()
{
    if (!has_adapter_ || adapter_ended_)
        return true;
    const index shutting_down = record_stage(stage::shutting_down);
    extend_horizon();
    if (clients_done_) {
        const acting_as end(origins_, {origin::environment, shutting_down}, false);
        queue(background_lane, std::exchange(clients_done_, task()));
    }
    goal_ = goal::adapter;
    if (is_over(drive()))
        return false;
    if (!adapter_ended_) {
        trace_->adapter.stuck = record_stage(stage::stuck);
        trace_->adapter.ending = ending::hung;
        trace_->stuck_work.clear();
        list_work(trace_->stuck_work);
        queue(background_lane, task([this] {
            trace_->adapter.cancelled = record(event_kind::client_cancelled, background_lane, none);
            const acting_as strike(origins_, {origin::strike, trace_->adapter.cancelled});
            adapter_signal_.emit(asio::cancellation_type::terminal);
        }));
        if (is_over(drive()))
            return false;
    }
    return true;
}

// Clients
// ----------------------------------------------------------------------------------------------------

awaitable<void> world::serve(std::function<awaitable<void>(client&)> one)
{
    if (!has_adapter_)
        misused<std::logic_error>(
            "environment::clients was called, but the contract sets neither capacity nor clients");
    if (serving_)
        misused<std::logic_error>("environment::clients was called twice in one run");
    serving_ = true;
    serve_ = std::move(one);
    const std::uint32_t by_contract =
        contract_->clients != 0 ? contract_->clients : contract_->capacity.value_or(0) + 2;
    clients_ = plan_->clients != 0 ? plan_->clients : by_contract;
    trace_->outcomes.resize(clients_);
    while (lanes_.size() < clients_ + 1)
        lanes_.emplace_back();
    next_sequential_ = plan_->sequential ? 1 : plan_->relay && clients_ > 1 ? clients_ - 1 : clients_;
    for (std::size_t i = 0; i < next_sequential_; ++i) {
        const auto arrives = plan_->arrivals.find(static_cast<lane>(i));
        if (plan_->sequential || arrives == plan_->arrivals.end() || arrives->second == duration(0)) {
            start_client(i);
        } else {
            ++arriving_;
            add_alarm({.at = seam_.now + arrives->second, .order = 0, .operation = none, .client = i});
        }
    }
    co_await await_clients();
}

awaitable<void> world::await_clients()
{
    return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [this]<class Handler>(Handler&& handler) {
            clients_done_ = task([this, handler = std::forward<Handler>(handler)]() mutable {
                asio::post(executor(*this, background_lane), std::move(handler));
            });
        },
        asio::use_awaitable);
}

void world::start_client(std::size_t which)
{
    while (signals_.size() <= which)
        signals_.emplace_back();
    while (client_objects_.size() <= which)
        client_objects_.emplace_back(*this, static_cast<int>(client_objects_.size()));
    ++running_clients_;
    const auto in = static_cast<lane>(which);
    const index started = record(event_kind::client_started, in, static_cast<index>(which));
    trace_->outcomes[which].started = started;
    const acting_as start(origins_, {origin::start, started}, false);
    asio::co_spawn(asio::any_io_executor(executor(*this, in)), serve_one(which),
        asio::bind_cancellation_slot(signals_[which].slot(),
            [this, which](std::exception_ptr error) { client_ended(which, std::move(error)); }));
}

awaitable<void> world::serve_one(std::size_t which)
{
    co_await asio::post(asio::use_awaitable);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    trace_->outcomes[which].began = static_cast<std::uint32_t>(trace_->steps);
    co_await serve_(client_objects_[which]);
}

void world::client_ended(std::size_t which, std::exception_ptr error)
{
    outcome& mine = trace_->outcomes[which];
    if (mine.ending == ending::abandoned)
        return;
    if (mine.ending == ending::running)
        mine.ending = error ? ending::threw : ending::returned;
    mine.error = std::move(error);
    mine.ended = record(event_kind::client_ended, static_cast<lane>(which), static_cast<index>(which));
    --running_clients_;
    if (next_sequential_ < clients_)
        start_client(next_sequential_++);
}

// Cancellations
// ----------------------------------------------------------------------------------------------

void world::arm_strikes(moment when, const operation_id& at)
{
    for (strike& waiting : strikes_)
        if (!waiting.armed && waiting.what.interrupts()->when == when && waiting.what.at == at) {
            waiting.armed = true;
            waiting.due = trace_->steps + waiting.what.interrupts()->steps;
        }
}

void world::strike_due()
{
    // By hand, since what is struck may arm others.
    for (std::size_t i = 0; i < strikes_.size();) {
        // Nobody is cancelled before he has begun: that would test Asio, not the manager.
        const lane whom = strikes_[i].what.interrupts()->client;
        const auto client = static_cast<std::size_t>(whom);
        const bool begun =
            whom == whole_world || (client < trace_->outcomes.size() && trace_->outcomes[client].began != 0);
        if (!strikes_[i].armed || trace_->steps < strikes_[i].due || !begun) {
            ++i;
            continue;
        }
        const strike due = strikes_[i];
        strikes_.erase(strikes_.begin() + static_cast<std::ptrdiff_t>(i));
        const interruption& point = *due.what.interrupts();
        const perturbation what = point.when == moment::steps ? anchor_now(point) : due.what;
        if (point.what == interruption::action::cancel)
            emit(client, point.type, due.plan_index, what);
        else if (whom == whole_world)
            return abandon_world(due.plan_index, what);
        else
            abandon_client(client, due.plan_index, what);
    }
    while (!struck_.empty()) {
        const index operation = struck_.back();
        struck_.pop_back();
        const lane client = trace_->operations[operation].id.lane;
        const cancellation type = trace_->operations[operation].fault.type;
        if (client >= 0)
            emit(static_cast<std::size_t>(client), type, none, {});
        if (trace_->operations[operation].result == result::pending)
            unstruck_.push_back(operation);
    }
}

/// What survived being cancelled, because its client is shielded, goes on and succeeds; but not before
/// everything was done that the cancellation had set in motion, for it may be passed on by way of handlers.
void world::complete_unstruck()
{
    for (const index operation : std::exchange(unstruck_, {}))
        complete(operation, result::ok);
}

/// Returns the event, or `none` where nobody was there to be cancelled.
index world::emit(std::size_t client, cancellation type, std::size_t plan_index, perturbation what)
{
    if (client >= signals_.size() || client >= trace_->outcomes.size() ||
        trace_->outcomes[client].ended != none)
        return none; // it never came, or it has gone
    const auto in = static_cast<lane>(client);
    const index struck = record(event_kind::client_cancelled, in, static_cast<index>(client));
    outcome& mine = trace_->outcomes[client];
    const bool unheard = state_of(in).unheard_waits > 0;
    mine.unheard = unheard && (mine.unheard || mine.cancelled == none);
    if (mine.cancelled == none)
        mine.cancelled = struck;
    if (plan_index != none) {
        matched_[plan_index] = true;
        trace_->strikes.push_back({plan_index, what, struck});
    }
    const acting_as strike(origins_, {origin::strike, struck});
    const bool was_in_handler = std::exchange(in_handler_, true);
    const lane was_running = std::exchange(running_lane_, in);
    try {
        signals_[client].emit(type == cancellation::terminal  ? asio::cancellation_type::terminal
                              : type == cancellation::partial ? asio::cancellation_type::partial
                                                              : asio::cancellation_type::total);
    } catch (...) {
        escaped();
    }
    running_lane_ = was_running;
    in_handler_ = was_in_handler;
    return struck;
}

perturbation world::anchor_now(const interruption& struck) const
{
    perturbation what{.at = {}, .what = struck};
    interruption& point = std::get<interruption>(what.what);
    for (auto e = trace_->events.rbegin(); e != trace_->events.rend(); ++e) {
        if (e->kind != event_kind::completed && e->kind != event_kind::delivered)
            continue;
        point.when = e->kind == event_kind::completed ? moment::queued : moment::after;
        point.steps = static_cast<std::uint32_t>(trace_->steps - e->step);
        what.at = trace_->operations[e->subject].id;
        return what;
    }
    point.when = moment::steps;
    point.steps = static_cast<std::uint32_t>(trace_->steps);
    return what;
}

/// Destroys what this client has suspended or queued. Its coroutines' frames are then destroyed through its
/// executor, in steps of their own, as Asio does it; whatever their destructors start runs.
void world::abandon_client(std::size_t client, std::size_t plan_index, perturbation what)
{
    if (client >= signals_.size() || client >= trace_->outcomes.size() ||
        trace_->outcomes[client].ended != none)
        return;
    const auto in = static_cast<lane>(client);
    outcome& mine = trace_->outcomes[client];
    mine.abandoned = record(event_kind::client_abandoned, in, static_cast<index>(client));
    mine.ended = mine.abandoned;
    mine.ending = ending::abandoned;
    matched_[plan_index] = true;
    trace_->strikes.push_back({plan_index, what, mine.abandoned});
    --running_clients_;

    // What Asio itself holds, such as a timer, is dropped where it arrives at this executor.
    {
        const auto lock = lock_if(left_, work_mutex_);
        for (work_token& token : work_)
            token.abandoned = token.abandoned || (token.count != 0 && token.in == in);
    }
    std::vector<std::unique_ptr<suspended>> dropped;
    for (std::size_t i = 0; i < suspended_.size();) {
        operation_record& op = trace_->operations[suspended_[i]->operation];
        if (op.id.lane != in) {
            ++i;
            continue;
        }
        const index operation = suspended_[i]->operation;
        forget(operation);
        op.result = result::abandoned;
        op.completed = record(event_kind::completed, in, operation);
        dropped.push_back(std::move(suspended_[i]));
        suspended_.erase(suspended_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    std::vector<ready> unwanted;
    for (std::size_t i = ready_head_; i < ready_.size();) {
        if (ready_[i].in != in) {
            ++i;
            continue;
        }
        unwanted.push_back(std::move(ready_[i]));
        ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(i));
    }

    const acting_as strike(origins_, {origin::strike, mine.abandoned});
    const bool was_in_handler = std::exchange(in_handler_, true);
    const lane was_running = std::exchange(running_lane_, in);
    dropped.clear();
    unwanted.clear();
    // This makes Asio give up what it holds for the client, so that it arrives and is dropped now.
    try {
        signals_[client].emit(asio::cancellation_type::terminal);
    } catch (...) {
        escaped();
    }
    running_lane_ = was_running;
    in_handler_ = was_in_handler;
    if (next_sequential_ < clients_)
        start_client(next_sequential_++);
}

void world::abandon_world(std::size_t plan_index, perturbation what)
{
    trace_->world_abandoned = record(event_kind::client_abandoned, background_lane, none);
    matched_[plan_index] = true;
    trace_->strikes.push_back({plan_index, what, trace_->world_abandoned});
    const auto end = [&](outcome& one) {
        if (one.started == none || one.ended != none)
            return;
        one.abandoned = one.ended = trace_->world_abandoned;
        one.ending = ending::abandoned;
    };
    for (outcome& client : trace_->outcomes)
        end(client);
    if (has_adapter_)
        end(trace_->adapter);
}

/// The end of an abandoned world: everything is destroyed, on record.
void world::shut_down() noexcept
{
    const acting_as strike(origins_, {origin::strike, trace_->world_abandoned});
    tear_down();
    adapter_ended_ = true;
    record_stage(stage::judged);
}

bool world::strike_before(const resource& on, role what, symbol name, lane in)
{
    if (strikes_.empty())
        return false;
    const operation_id id = identify(on, what, name, in);
    for (std::size_t i = 0; i < strikes_.size(); ++i) {
        const strike waiting = strikes_[i];
        if (waiting.armed || waiting.what.interrupts()->when != moment::before || !(waiting.what.at == id) ||
            waiting.what.interrupts()->what != interruption::action::cancel)
            continue;
        strikes_.erase(strikes_.begin() + static_cast<std::ptrdiff_t>(i));
        struck_before_event_ = emit(static_cast<std::size_t>(waiting.what.interrupts()->client),
            waiting.what.interrupts()->type, waiting.plan_index, waiting.what);
        struck_before_ = waiting.what;
        return true;
    }
    return false;
}

void world::strike_again(lane in)
{
    if (struck_before_.interrupts() && struck_before_.interrupts()->client == in)
        strikes_.push_back(
            {.plan_index = none, .what = struck_before_, .armed = true, .due = trace_->steps + 1});
}

void world::fail_hanging()
{
    // By index: completing one may start others.
    for (index i = 0; i < trace_->operations.size(); ++i) {
        const operation_record& op = trace_->operations[i];
        const bool hangs = op.result == result::pending &&
                           (op.fault.kind == fault_kind::hang || op.fault.kind == fault_kind::deaf) &&
                           std::find(barrier_.begin(), barrier_.end(), i) == barrier_.end();
        if (hangs)
            complete(i, result::peer_gone);
    }
}

// The executor's side
// ----------------------------------------------------------------------------------------

void world::queue(lane in, task&& what)
{
    if (left_ && active_seam() != &seam_) {
        const std::scoped_lock lock(inbox_mutex_);
        inbox_.push_back({std::move(what), in, 0, {origin::unknown}});
        inbox_filled_.store(true, std::memory_order_release);
        return;
    }
    if (tearing_down_) {
        const task dropped = std::move(what);
        return;
    }
    ready_.push_back({std::move(what), in, trace_ ? trace_->steps : 0, origins_.now()});
}

void world::escaped() noexcept
{
    if (!trace_)
        return;
    trace_->escapes.push_back(std::current_exception());
    record(event_kind::escaped, running_lane_, static_cast<index>(trace_->escapes.size() - 1));
}

std::uint32_t world::begin_work(lane in) noexcept
{
    const auto lock = lock_if(left_, work_mutex_);
    std::uint32_t token = free_work_;
    if (token == none) {
        token = static_cast<std::uint32_t>(work_.size());
        work_.emplace_back();
    } else {
        free_work_ = work_[token].next_free;
    }
    work_[token] = {
        .count = 1, .next_free = none, .step = trace_ ? trace_->steps : 0, .since = seam_.now, .in = in};
    ++work_count_;
    return token;
}

void world::copy_work(std::uint32_t token) noexcept
{
    const auto lock = lock_if(left_, work_mutex_);
    ++work_[token].count;
}

bool world::was_abandoned(std::uint32_t token) const noexcept
{
    const auto lock = lock_if(left_, work_mutex_);
    return token < work_.size() && work_[token].abandoned;
}

void world::end_work(std::uint32_t token) noexcept
{
    const auto lock = lock_if(left_, work_mutex_);
    if (token >= work_.size() || work_[token].count == 0 || --work_[token].count != 0)
        return;
    work_[token].next_free = free_work_;
    free_work_ = token;
    --work_count_;
}

// The seam's side
// --------------------------------------------------------------------------------------------

void world::record_outside(event_kind kind, const char* call) noexcept
{
    if (!trace_ || tearing_down_)
        return;
    trace_->outside_calls.push_back({call, trace_->steps});
    record(kind, running_lane_, static_cast<index>(trace_->outside_calls.size() - 1));
}

void world::leaves(const char* call) noexcept
{
    if (!left_) // threads that were started before may be reading it
        left_ = true;
    if (outside_allowed_ == 0)
        record_outside(event_kind::left, call);
}

void world::blocks(const char* call) noexcept { record_outside(event_kind::blocked, call); }

void world::waits(const char* call, pthread_mutex_t* leaves) noexcept
{
    if (left_ || tearing_down_)
        return; // what was started outside can wake this thread
    if (trace_) {
        blocks(call);
        if (leaves)
            pthread_mutex_unlock(leaves); // as the wait would
        leave_run();
    }
    std::fprintf(stderr,
        "mishap: the code under test blocks the thread in %s, and in a simulation nobody else could wake it. "
        "Wait with co_await instead, or keep this part out of the adapter. This repeats the run:\n  %s\n",
        call, describe_running().c_str());
    std::fflush(stderr);
    std::abort();
}

void world::runs_own_context() noexcept
{
    record_outside(event_kind::blocked, "run() on the io_context of the simulation itself");
    io_->stop();
}

std::string world::describe_running()
{
    const world* const here = running_world ? running_world : latest_world.load(std::memory_order_relaxed);
    if (!here || !here->trace_)
        return {};
    const fault_plan plan = drawn_so_far(*here->trace_, *here->plan_);
    return to_string(replay_token{here->manager_->name, plan});
}

// Operations
// -------------------------------------------------------------------------------------------------

index world::record(event_kind kind, lane in, index subject)
{
    const root because = origins_.now();
    trace_->events.push_back({.at = seam_.now,
        .kind = kind,
        .why = because.why,
        .lane = in,
        .subject = subject,
        .step = static_cast<std::uint32_t>(trace_->steps),
        .cause = because.event});
    trace_->hash = mix(trace_->hash ^ static_cast<std::uint64_t>(seam_.now.count()),
        (std::uint64_t(subject) << 24) ^ (std::uint64_t(static_cast<std::uint16_t>(in)) << 8) ^
            static_cast<std::uint64_t>(kind));
    return static_cast<index>(trace_->events.size() - 1);
}

std::uint32_t world::count_use(lane in, symbol kind, symbol name)
{
    for (auto& counter : state_of(in).uses)
        if (counter.kind == kind && counter.name == name)
            return ++counter.count;
    state_of(in).uses.push_back({kind, name, 1});
    return 1;
}

std::uint32_t world::next_ordinal(lane in, symbol kind)
{
    for (auto& counter : state_of(in).resources)
        if (counter.kind == kind)
            return ++counter.count;
    state_of(in).resources.push_back({kind, {}, 1});
    return 1;
}

lane world::lane_of(const resource& on, lane otherwise) const
{
    // Who borrows a resource speaks through it, whoever runs; of several, it is who runs.
    if (!contract_->shared && on.run_ == run_number_ && on.index_ != none &&
        trace_->resources[on.index_].borrower != nobody)
        return trace_->resources[on.index_].borrower;
    return otherwise;
}

operation_id world::identify(const resource& on, role what, symbol name, lane running)
{
    const lane in = lane_of(on, running);
    operation_id id{.lane = in, .kind = on.kind(), .name = name};
    const auto count = [&](const std::vector<lane_state::counter>& counters, symbol of) {
        for (const auto& counter : counters)
            if (counter.kind == id.kind && counter.name == of)
                return counter.count;
        return 0u;
    };
    const lane_state& state = state_of(in);
    if (what == role::close && on.index_ != none && trace_->resources[on.index_].ordinal != 0)
        id.occurrence = trace_->resources[on.index_].ordinal;
    else if (what == role::create || what == role::close)
        id.occurrence = count(state.resources, {}) + 1;
    else
        id.occurrence = count(state.uses, name) + 1;
    return id;
}

index world::entry_of(const resource& on, lane in)
{
    if (on.run_ != run_number_)
        throw std::logic_error("a mishap::resource of kind '" + std::string(on.kind().text()) +
                               "' outlived the run in which it was made");
    if (on.index_ == none) {
        on.index_ = static_cast<index>(trace_->resources.size());
        trace_->resources.push_back({.kind = on.kind(), .home = in});
    }
    return on.index_;
}

index world::new_operation(const operation_id& id, role what, index resource)
{
    const auto which = static_cast<index>(trace_->operations.size());
    auto& op = trace_->operations.emplace_back();
    op.id = id;
    op.role = what;
    op.resource = resource;
    op.prefix_hash = trace_->hash;
    op.position = static_cast<index>(trace_->events.size());
    // Whatever starts then serves the fresh clients, also what a pool does in the background.
    op.in_probe = probing_;
    trace_->hash = mix(trace_->hash, hash_of(id));
    return which;
}

void world::decide(operation_record& op)
{
    // Fresh clients are there to see whether the manager still serves, not to be hurt.
    if (op.in_probe)
        return;
    // A synchronous call cannot hang: the program would, for ever.
    const auto fits = [&](const fault& chosen) {
        return !op.blocking || (chosen.kind != fault_kind::hang && chosen.kind != fault_kind::deaf);
    };
    if (const perturbation* chosen = plan_->find(op.id);
        chosen && (op.in_body || !chosen->fails_body()) &&
        (op.role == role::create || chosen->fault().kind != fault_kind::empty)) {
        if (!fits(chosen->fault()))
            return;
        matched_[static_cast<std::size_t>(chosen - plan_->perturbations.data())] = true;
        op.fault = chosen->fault();
        if (const auto* failure = chosen->fails_body()) {
            op.fails_body = true;
            op.fails_before = failure->before;
        }
        op.perturbed = op.fault.kind != fault_kind::ok;
    } else if (plan_->lazy && lazily_fired_ < plan_->lazy->at_most) {
        if (const auto drawn = draw(*plan_->lazy, *contract_, op); drawn && fits(*drawn)) {
            ++lazily_fired_;
            op.fault = *drawn;
            op.perturbed = true;
        }
    }
}

index world::begin_operation(
    const resource& on, role what, symbol name, lane running, bool blocking, const real_effect* effect)
{
    const lane in = lane_of(on, running);
    index entry = entry_of(on, in);
    {
        // A second create, after one that failed or was closed, opens a new entry.
        const resource_record& known = trace_->resources[entry];
        if (what == role::create && known.create != none) {
            on.index_ = none;
            entry = entry_of(on, in);
        }
    }
    resource_record& target = trace_->resources[entry];
    operation_id id{.lane = in, .kind = on.kind(), .name = name};
    const bool by_ordinal = what == role::create || what == role::close;
    if (by_ordinal) {
        if (target.ordinal == 0) {
            target.ordinal = next_ordinal(in, target.kind);
            target.home = in;
        }
        // Taken over from another lane: its number there is this lane's next.
        id.occurrence = target.home == in ? target.ordinal : next_ordinal(in, target.kind);
        if (what == role::close) {
            if (target.first_close != none) {
                id.occurrence = trace_->operations[target.first_close].id.occurrence;
                id.attempt = 2;
                while (std::any_of(trace_->operations.begin(), trace_->operations.end(),
                    [&](const operation_record& op) { return op.id == id; }))
                    ++id.attempt;
            }
        }
    } else {
        id.occurrence = count_use(in, id.kind, name);
    }

    const index which = new_operation(id, what, entry);
    operation_record& op = trace_->operations[which];
    op.in_body = !by_ordinal && what != role::maintenance && state_of(in).open_bodies > 0;
    op.blocking = blocking;
    decide(op);
    if (op.fails_before) {
        // The body has something else to do: it fails.
        op.result = result::failed;
        op.error = make_injected(op.fault.error, which);
        op.completed = record(event_kind::completed, in, which);
        return which;
    }
    op.started = record(event_kind::started, in, which);
    if (what == role::create) {
        target.create = which;
        target.life = life::creating;
    } else if (what == role::close) {
        if (target.first_close == none)
            target.first_close = which;
        if (target.life == life::open)
            target.life = life::closing;
    }
    if (effect)
        real_operations_.push_back({which, effect});
    if (blocking) {
        perform_blocking(which);
        return which;
    }
    if (op.fault.takes_time()) {
        add_alarm({.at = seam_.now + op.fault.after, .order = 0, .operation = which});
        return which;
    }
    switch (op.fault.kind) {
    case fault_kind::ok:
    case fault_kind::fail:
    case fault_kind::fail_after_effect:
        settle(which);
        break;
    case fault_kind::ok_now:
        complete(which, result::ok);
        break;
    case fault_kind::empty:
        settle(which);
        break;
    case fault_kind::bad_alloc:
        complete(which, result::failed);
        break;
    case fault_kind::cancel:
        struck_.push_back(which);
        break;
    case fault_kind::delay:
    case fault_kind::late:
    case fault_kind::hang:
    case fault_kind::deaf:
        break;
    }
    return which;
}

index world::perform(const resource& on, role what, symbol name)
{
    if (!accepts_operations())
        return none;
    const lane in = running_lane_;
    strike_before(on, what, name, in);
    return begin_operation(on, what, name, in, true);
}

void world::perform_blocking(index operation)
{
    const fault& chosen = trace_->operations[operation].fault;
    if (chosen.takes_time()) {
        // A blocked thread lets time pass, and timers are late.
        seam_.now += chosen.after;
        last_active_ = seam_.now;
    } else if (chosen.kind == fault_kind::cancel) {
        struck_.push_back(operation);
    }
    complete(operation, planned_result(trace_->operations[operation]));
}

void world::complete(index operation, result how)
{
    operation_record& op = trace_->operations[operation];
    if (op.result != result::pending)
        return;
    if (!real_operations_.empty())
        how = take_real_effect(operation, how);
    op.result = how;
    if (op.resource != none) {
        resource_record& target = trace_->resources[op.resource];
        // With a reply that was lost, the resource may exist, but nobody has a handle to close it by.
        if (op.role == role::create) {
            const bool exists = how == result::ok && op.fault.kind != fault_kind::empty;
            target.life = exists ? life::open : life::absent;
            target.ever_open = target.ever_open || exists;
        } else if (op.role == role::close && (how == result::ok || how == result::failed)) {
            if (target.ever_open)
                target.life = life::closed;
        } else if (op.role == role::close && contract_->closed_by != closing::operation) {
            // The object is left to close it.
            target.life = target.life == life::closing ? life::open : target.life;
        }
    }
    if (op.error) {
        // Its real effect failed by itself.
    } else if (how == result::failed && op.fault.kind == fault_kind::bad_alloc)
        op.error = std::make_exception_ptr(std::bad_alloc());
    else if (how == result::failed || op.fails_body)
        op.error = make_injected(op.fault.error, operation);
    else if (how == result::aborted)
        op.error = aborted_error();
    else if (how == result::peer_gone)
        op.error = peer_gone_error();
    trace_->hash = mix(trace_->hash,
        static_cast<std::uint64_t>(how) ^ (how == result::failed ? op.failed_with().stable_hash() : 0));
    op.completed = record(event_kind::completed, op.id.lane, operation);
    if (!strikes_.empty())
        arm_strikes(moment::queued, op.id);
    if (auto waiting = take_suspended(operation))
        hand_over(*waiting);
}

void world::cancel(index operation)
{
    operation_record& op = trace_->operations[operation];
    if (op.result == result::abandoned)
        return;
    if (op.cancel_requested == none)
        op.cancel_requested = record(event_kind::cancel_requested, running_lane_, operation);
    const bool listens = op.fault.kind != fault_kind::deaf && op.fault.kind != fault_kind::late;
    if (op.result != result::pending || !listens)
        return;
    forget(operation);
    complete(operation, result::aborted);
}

/// Takes an operation out of everything that would complete it.
void world::forget(index operation) noexcept
{
    std::erase(in_flight_, operation);
    std::erase(struck_, operation);
    std::erase(unstruck_, operation);
    std::erase(barrier_, operation);
    std::erase_if(held_, [&](const held& h) {
        if (h.operation != operation)
            return false;
        note_fired(h);
        return true;
    });
    const auto ended =
        std::erase_if(alarms_, [&](const alarm& a) { return a.operation == operation && operation != none; });
    if (ended != 0)
        std::make_heap(
            alarms_.begin(), alarms_.end(), [](const alarm& a, const alarm& b) { return later(a, b); });
}

void world::add_alarm(alarm what)
{
    what.order = alarm_order_++;
    alarms_.push_back(what);
    std::push_heap(
        alarms_.begin(), alarms_.end(), [](const alarm& a, const alarm& b) { return later(a, b); });
}

/// The operation could complete now: at once, when it is chosen, or when the plan lets it.
void world::settle(index operation)
{
    for (const std::size_t i : deviations_) {
        const perturbation& p = plan_->perturbations[i];
        if (p.at != trace_->operations[operation].id)
            continue;
        held_.push_back({i, operation, p.yields()->first, p.yields()->steps, trace_->steps, trace_->hash});
        return;
    }
    release(operation);
}

void world::release(index operation)
{
    if (chooser_)
        in_flight_.push_back(operation);
    else
        complete(operation, planned_result(trace_->operations[operation]));
}

void world::count_step(lane in)
{
    for (std::size_t i = 0; i < held_.size();) {
        if (held_[i].first != in || --held_[i].steps_left != 0) {
            ++i;
            continue;
        }
        const held done = held_[i];
        held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(i));
        note_fired(done);
        release(done.operation);
    }
}

void world::note_fired(const held& done)
{
    matched_[done.plan_index] = true;
    trace_->strikes.push_back({done.plan_index, plan_->perturbations[done.plan_index],
        static_cast<index>(trace_->events.size() - 1)});
}

/// Nothing else is ready.
void world::release_held()
{
    for (const held& one : std::exchange(held_, {})) {
        // Whether that lane took all its steps or not: something else went first, if anything happened at
        // all. If not, it changed no order, but a canonical plan leaves out nothing that was done.
        const bool was_matched = matched_[one.plan_index];
        note_fired(one);
        if (trace_->steps == one.since && trace_->hash == one.hash)
            matched_[one.plan_index] = was_matched;
        release(one.operation);
    }
}

bool world::settled(index operation) const noexcept
{
    const operation_record& op = trace_->operations[operation];
    return op.fault.kind == fault_kind::ok_now || op.fault.kind == fault_kind::bad_alloc || op.fails_before;
}

std::unique_ptr<suspended> world::take_suspended(index operation) noexcept
{
    for (auto& waiting : suspended_)
        if (waiting->operation == operation) {
            auto found = std::move(waiting);
            suspended_.erase(suspended_.begin() + (&waiting - suspended_.data()));
            return found;
        }
    return nullptr;
}

awaitable<void> world::wait(index operation)
{
    return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [this, operation]<class Handler>(Handler&& handler) {
            if (trace_->operations[operation].result != result::pending) {
                const acting_as its_handler(origins_, root_of_handler(operation), false);
                queue_handler(*this, operation, std::forward<Handler>(handler));
                return;
            }

            class waiting final : public suspended
            {
            public:
                waiting(index operation, Handler&& handler)
                    : suspended(operation), work_(asio::get_associated_executor(handler)),
                      handler_(std::forward<Handler>(handler))
                {}
                void queue(world& in) override { queue_handler(in, operation, std::move(handler_)); }

            private:
                // As any pending operation does, keep the handler's executor from running out of work.
                asio::executor_work_guard<asio::associated_executor_t<std::decay_t<Handler>>> work_;
                std::decay_t<Handler> handler_;
            };

            auto slot = asio::get_associated_cancellation_slot(handler);
            if (slot.is_connected())
                slot.assign([this, operation, run = run_number_](asio::cancellation_type) {
                    if (run == run_number_ && trace_)
                        cancel(operation);
                });
            suspended_.push_back(std::make_unique<waiting>(operation, std::forward<Handler>(handler)));
        },
        asio::use_awaitable);
}

delivered_error world::error_of(index operation) const
{
    const operation_record& op = trace_->operations[operation];
    if (!op.error)
        return {};
    // Where codes are asked for, nothing is thrown from where it is started.
    if (op.fault.kind == fault_kind::bad_alloc)
        return {op.error, marked(code_of(get_error("bad_alloc")), operation)};
    switch (op.result) {
    case result::aborted:
        return {op.error, asio::error::make_error_code(asio::error::operation_aborted)};
    case result::peer_gone:
        return {op.error, marked(peer_gone_code(), operation)};
    default:
        return {op.error, marked(code_of(get_error(op.fault.error)), operation)};
    }
}

root world::root_of_handler(index operation) const noexcept
{
    if (!trace_)
        return {origin::unknown};
    const operation_record& op = trace_->operations[operation];
    if (op.result != result::aborted)
        return {origin::completion, op.completed};
    const event& ended = trace_->events[op.completed];
    return {ended.why, ended.cause};
}

void world::deliver(index operation)
{
    if (!trace_ || trace_->operations[operation].delivered != none)
        return;
    operation_record& op = trace_->operations[operation];
    op.delivered = record(event_kind::delivered, op.id.lane, operation);
    if (!strikes_.empty())
        arm_strikes(moment::after, op.id);
}

void world::finish(index operation)
{
    deliver(operation);
    if (const std::exception_ptr error = trace_->operations[operation].error)
        std::rethrow_exception(error);
}

void world::force_close(const resource& on) noexcept
{
    if (!trace_ || on.run_ != run_number_)
        return;
    const lane in = running_lane_;
    const index entry = entry_of(on, in);
    resource_record& target = trace_->resources[entry];
    const index which = new_operation({.lane = in,
                                          .kind = on.kind(),
                                          .name = "force_close",
                                          .occurrence = count_use(in, on.kind(), "force_close")},
        role::force_close, entry);
    operation_record& op = trace_->operations[which];
    op.started = record(event_kind::started, in, which);
    op.result = result::ok;
    op.completed = record(event_kind::completed, in, which);
    op.delivered = op.completed;
    if (target.ever_open)
        target.life = life::closed;
}

void world::destroyed(const resource& which) noexcept
{
    if (!trace_ || which.run_ != run_number_ || which.index_ == none ||
        (tearing_down_ && trace_->world_abandoned == none))
        return;
    resource_record& target = trace_->resources[which.index_];
    // A close that is under way goes on without the object, unless nobody is left to run it.
    if (target.life != life::open && !(target.life == life::closing && trace_->world_abandoned != none))
        return;
    record(event_kind::destroyed, running_lane_, which.index_);
    if (contract_->closed_by != closing::operation)
        target.life = life::closed;
}

life world::life_of(const resource& which) const noexcept
{
    if (!trace_ || which.run_ != run_number_ || which.index_ == none)
        return life::absent;
    return trace_->resources[which.index_].life;
}

bool world::broken(const resource& which) const noexcept
{
    if (!trace_ || which.index_ == none)
        return false;
    for (const operation_record& op : trace_->operations)
        if (op.resource == which.index_ && op.delivered != none && has_broken(op))
            return true;
    return false;
}

// The environment's side
// -------------------------------------------------------------------------------------

awaitable<void> world::body(resource* lent, body_work work, lane client)
{
    const lane in = client == current_lane ? running_lane_ : client;
    const auto mine = static_cast<index>(trace_->bodies.size());
    const index entry = lent ? entry_of(*lent, in) : none;
    trace_->bodies.push_back({.lane = in, .resource = entry});
    trace_->bodies[mine].entered = record(event_kind::body_entered, in, mine);
    if (entry != none)
        trace_->resources[entry].borrower = in;
    ++state_of(in).open_bodies;
    const std::uint32_t occurrence = ++state_of(in).bodies;

    /// Marks the body as left, also when its frame is destroyed while it is suspended.
    struct leaving
    {
        world& where;
        index which;
        std::uint64_t run;
        ~leaving()
        {
            if (where.run_number_ != run || !where.trace_)
                return;
            body_record& body = where.trace_->bodies[which];
            --where.state_of(body.lane).open_bodies;
            if (body.resource != none && where.trace_->resources[body.resource].borrower == body.lane)
                where.trace_->resources[body.resource].borrower = nobody;
            body.left = where.record(event_kind::body_left, body.lane, which);
        }
    };
    const leaving mark{*this, mine, run_number_};

    try {
        if (is_probe(in)) {
            // A fresh client holds what it got until all hold one.
            const index holding = new_operation(body_operation(in, occurrence), role::body, none);
            trace_->operations[holding].in_body = true;
            trace_->operations[holding].started = record(event_kind::started, in, holding);
            barrier_.push_back(holding);
            if (barrier_.size() >= barrier_size_)
                open_barrier();
            co_await wait(holding);
            finish(holding);
            co_return;
        }
        if (work) {
            co_await work();
        } else if (lent) {
            for (std::size_t i = 0; i < uses_.size(); ++i)
                co_await lent->use(uses_[i]);
        }
        // The body's own fate, decided at its end.
        const index end = new_operation(body_operation(in, occurrence), role::body, none);
        operation_record& op = trace_->operations[end];
        op.in_body = true;
        decide(op);
        if (!op.perturbed || op.fault.kind == fault_kind::ok_now) {
            op.result = result::ok;
        } else {
            op.started = record(event_kind::started, in, end);
            if (op.fault.takes_time()) {
                add_alarm({.at = seam_.now + op.fault.after, .order = 0, .operation = end});
            } else if (op.fault.kind == fault_kind::fail || op.fault.kind == fault_kind::fail_after_effect ||
                       op.fault.kind == fault_kind::bad_alloc) {
                complete(end, result::failed);
            } else if (op.fault.kind == fault_kind::cancel) {
                struck_.push_back(end);
            }
            if (op.result == result::pending)
                co_await wait(end);
            finish(end);
        }
    } catch (...) {
        trace_->bodies[mine].error = std::current_exception();
        throw;
    }
}

void world::report(std::exception_ptr error) noexcept
{
    if (!trace_)
        return;
    trace_->reports.push_back({running_lane_, std::move(error)});
    record(event_kind::reported, running_lane_, static_cast<index>(trace_->reports.size() - 1));
}

void world::expectation_failed(expectation_record failed)
{
    // What is destroyed after the end never got what it expects.
    if (!accepts_operations())
        return;
    failed.lane = running_lane_;
    trace_->expectations.push_back(std::move(failed));
    record(
        event_kind::expectation_failed, running_lane_, static_cast<index>(trace_->expectations.size() - 1));
}

void world::note(std::string_view text)
{
    if (!trace_)
        return;
    trace_->notes.emplace_back(text);
    record(event_kind::note, running_lane_, static_cast<index>(trace_->notes.size() - 1));
}

const std::string* world::find_setting(std::string_view name) const
{
    const auto found = plan_->settings.find(name);
    return found == plan_->settings.end() ? nullptr : &found->second;
}

std::uint64_t world::watch_statistic(statistic_record named, std::function<long()> value)
{
    const auto& known = trace_->statistics;
    if (std::any_of(known.begin(), known.end(),
            [&](const statistic_record& other) { return other.name == named.name; }))
        misused("the statistic " + named.name + " was given twice: add the counters up");
    trace_->statistics.push_back(std::move(named));
    statistics_.push_back({next_statistic_, static_cast<index>(trace_->statistics.size() - 1), running_lane_,
        std::move(value)});
    return next_statistic_++;
}

void world::end_statistic(std::uint64_t id) noexcept
{
    const auto ended = std::find_if(
        statistics_.begin(), statistics_.end(), [&](const watched& counter) { return counter.id == id; });
    if (ended == statistics_.end())
        return;
    // What an abandoned client leaves is destroyed in no order that its counters could show.
    const auto client = static_cast<std::size_t>(ended->in);
    const bool gone = tearing_down_ || (ended->in >= 0 && client < trace_->outcomes.size() &&
                                           trace_->outcomes[client].abandoned != none);
    if (trace_ && !gone)
        sample(*ended, true);
    statistics_.erase(ended);
}

void world::sample(const watched& counter, bool last) noexcept
{
    try {
        const long value = counter.value();
        const auto position = static_cast<index>(trace_->events.size());
        for (auto before = trace_->samples.rbegin(); !last && before != trace_->samples.rend(); ++before) {
            if (before->statistic != counter.record)
                continue;
            if (before->value == value && before->position == position)
                return; // nothing happened since
            break;
        }
        trace_->samples.push_back({counter.record, value, position, last});
        trace_->hash = mix(trace_->hash, static_cast<std::uint64_t>(value));
    } catch (...) {
        escaped();
    }
}

bool world::virtual_time_is_linked()
{
    static const bool linked = [] {
        seam trial;
        const simulating now_virtual(trial);
        trial.now = std::chrono::hours(1);
        using std::chrono::duration_cast;
        const auto steady = std::chrono::steady_clock::now().time_since_epoch();
        const auto system = std::chrono::system_clock::now().time_since_epoch();
        if (duration_cast<duration>(steady) != steady_epoch + trial.now ||
            duration_cast<duration>(system) != system_epoch + trial.now)
            return false;
        // One stock timer, an hour long, must be armed in memory and fire there.
        asio::io_context io(1);
        asio::steady_timer timer(io, std::chrono::minutes(1));
        bool fired = false;
        timer.async_wait([&](boost::system::error_code error) { fired = !error; });
        io.poll();
        if (fired || trial.reactors.empty())
            return false;
        reactor& armed = trial.reactors.front();
        if (armed.expiry != trial.now + std::chrono::minutes(1))
            return false;
        trial.now = armed.expiry;
        armed.due = true;
        io.poll();
        return fired;
    }();
    return linked;
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

namespace mishap::detail {

awaitable<void> run_body(world& where, resource* lent, body_work work, lane in)
{
    return where.body(lent, std::move(work), in);
}

} // namespace mishap::detail
