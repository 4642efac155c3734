// SPDX-License-Identifier: MIT
#include "world.hpp"

#include "connections.hpp"
#include "ending.hpp"
#include "executor.hpp"
#include "helpers.hpp"
#include "refuge.hpp"
#include "running.hpp"

#include "fault/behaviour.hpp"
#include "fault/fired.hpp"
#include "vocabulary/expectations.hpp"
#include "vocabulary/mix.hpp"

#include <mishap/reached.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include <time.h>
#include <unistd.h>

namespace mishap::detail {

namespace {

constinit thread_local world* running_world = nullptr;

/// The world whose run was begun last, on any thread, while it is under way: what a thread that dies is told
/// by, which has no run of its own.
constinit std::atomic<world*> latest_world = nullptr;

/// A run is under way on this thread, and checks of the test are watched.
class under_way
{
public:
    explicit under_way(world& what)
    {
        running_world = &what;
        latest_world.store(&what, std::memory_order_relaxed);
        if (watch)
            watch->begin();
    }
    ~under_way()
    {
        if (watch)
            watch->end();
        // Another thread's run may have begun since, and is still the latest one.
        world* mine = std::exchange(running_world, nullptr);
        latest_world.compare_exchange_strong(mine, nullptr, std::memory_order_relaxed);
    }
    under_way(const under_way&) = delete;
    under_way& operator=(const under_way&) = delete;
};

} // namespace

// One run
// --------------------------------------------------------------------------------------------------

/// On whichever of the simulation's threads it is.
static void note_reached(const reached_site& place)
{
    if (seam* const here = active_seam(); here && here->observer)
        here->observer->reaches(place.what);
}

world::world() : environment_(*this)
{
    seam_.observer = &outside_;
    reached_hook.store(&note_reached, std::memory_order_relaxed);
}

world::~world() { tear_down(); }

world* world::current() noexcept { return running_world; }

const manager* running_manager() noexcept
{
    world* const here = running_world ? running_world : latest_world.load(std::memory_order_relaxed);
    return here && here->happened() ? &here->under_test() : nullptr;
}

std::string describe_running()
{
    world* const here = running_world ? running_world : latest_world.load(std::memory_order_relaxed);
    if (!here || !here->happened())
        return {};
    return to_string(replay_token{here->under_test().name, drawn_so_far(*here->happened(), here->plan())});
}

void world::run(const manager& under_test, const contract& promises, const limits& bounds, chooser* order,
    const fault_plan& plan, trace& happened, std::vector<std::size_t>& inert)
{
    if (active_seam())
        throw std::logic_error(
            "mishap::run was called inside a run: a manager under test must not start one");
    const simulating now_virtual(seam_);
    const under_way noted(*this);
    begin(under_test, promises, bounds, order, plan, happened);

    const rescue found = take_refuge([](void* self) { static_cast<world*>(self)->go(); }, this);
    if (seam_.in_child)
        ::_exit(0);
    if (found.left)
        give_up(found.terminated, found.cause);

    record_.list_inert(inert);
    ++run_number_;
    record_.end();
}

void world::begin(const manager& under_test, const contract& promises, const limits& bounds, chooser* order,
    const fault_plan& plan, trace& happened)
{
    chooser_ = order;
    if (chooser_)
        chooser_->begin();
    manager_ = &under_test;
    contract_ = &promises;
    limits_ = &bounds;
    plan_ = &plan;
    uses_.assign(promises.work.uses.begin(), promises.work.uses.end());
    pump_queued_ = false;
    goal_ = goal::clients;
    barrier_size_ = 1;
    record_.begin(happened, plan.perturbations.size());
    happened.unwrap = promises.errors.unwrap;
    agenda_.begin(*bounds.horizon);
    rhythm_.begin(promises);
    instant_ = duration(0);
    steps_at_instant_ = 0;
    judged_ = false;
    seam_.network = nullptr;
    if (connections_)
        connections_->begin_run();
    if (helpers_)
        helpers_->forget_ended();
    seam_.run = run_number_;
    operations_.begin(promises, plan, run_number_);
    interruptions_.begin(plan, promises);
    outside_.begin();
    handlers_.begin();
    clients_.begin(promises, plan, under_test.run, environment_);
}

void world::go()
{
    record_.causes.begin();
    last_stages(*this).go_through(drive());
    // Anything still under way (a suspended coroutine, a pending timer) would leak into the next run.
    if (handlers_.has_context() &&
        (clients_.anything_runs() || handlers_.has_work() || has_ready() ||
            operations_.suspended_count() != 0 || handlers_.asio_has_work() || handlers_.is_shared() ||
            seam_.reactors.size() > 1 || (helpers_ && helpers_->any_busy())))
        tear_down();
    clients_.end();
    record_.forget_counters();
}

void world::give_up(bool terminated, const std::exception_ptr& cause)
{
    usable_ = false;
    if (terminated)
        record_.add_terminate(cause);
    seam_.left_run = describe_running();
    record_->cut_off = static_cast<index>(record_->events.size() - 1);
    if (seam_.reactors.empty())
        return;
    // Nothing is destroyed, but descriptors are few.
    const reactor& own = seam_.reactors.front();
    for (const int descriptor : {own.timer, own.interrupter, own.epoll})
        if (descriptor >= 0)
            ::close(descriptor);
}

void world::tear_down() noexcept
{
    // Destroying a handler destroys the coroutines it would have resumed, and that may queue, post and cancel
    // again; what is queued from here on is dropped at once.
    handlers_.begin_tear_down();
    // The resolver's thread is joined, so it must get an answer.
    if (connections_)
        connections_->end_resolutions();
    seam* const was_active = std::exchange(active_seam(), &seam_);
    const auto drop_all = [this] {
        for (;;) {
            if (const auto last = operations_.take_last_suspended())
                continue;
            if (!handlers_.drop_one())
                break;
        }
    };
    drop_all();
    handlers_.drop_pending();
    drop_all();
    // The adapter encloses its clients, and so does what it owns.
    clients_.drop_adapter();
    drop_all();
    handlers_.drop_context();
    clients_.end();
    clients_.mark_none_running();
    handlers_.end_tear_down();
    active_seam() = was_active;
}

// The loop
// --------------------------------------------------------------------------------------------------

world::pause world::drive()
{
    for (;;) {
        // Handlers run inside the io_context's own loop: Asio then recycles their memory, and code that takes
        // an io_context& finds itself where it would be in production.
        if (has_ready() && !pump_queued_) {
            pump_queued_ = true;
            boost::asio::post(handlers_.context(), pump{this});
        }
        if (is_out_of_steps())
            return pause::livelock;
        if (handlers_.inbox_is_filled())
            handlers_.take_inbox();
        const bool polled = poll_reactor();
        if (is_abandoned())
            return pause::abandoned;
        if (polled || has_ready())
            continue;
        if (helpers_ && helpers_->run())
            continue;
        if (interruptions_.holds_any()) {
            release(interruptions_.take_first());
            continue;
        }
        if (operations_.count(waits_for::rest) != 0) {
            // What outlived being cancelled, because its client is shielded, goes on, and succeeds unless it
            // is done on what is broken. First everything happens that the cancellation had set in motion,
            // for it may be passed on by way of handlers.
            complete_all(waits_for::rest);
            continue;
        }
        if (interruptions_.any_left()) {
            strike_due();
            if (is_abandoned())
                return pause::abandoned;
            if (has_ready())
                continue;
            // What it struck may be something of Asio's.
            if (poll_reactor() || has_ready() || operations_.count(waits_for::rest) != 0)
                continue;
        }
        record_.read_counters();
        if (has_reached_goal())
            return pause::ended;
        // What runs outside takes real time: it gets some before virtual time passes, and more before all is
        // lost.
        const bool outside = outside_.may_be_awaited();
        if (outside && outside_.await_once() && await_outside(std::chrono::milliseconds(10)))
            continue;
        if (!outside_.time_is_frozen() && !is_at_rest() && advance(agenda_.horizon()))
            continue;
        if (outside && await_outside(std::chrono::seconds(1)))
            continue;
        return pause::stuck;
    }
}

void world::run_pump()
{
    pump_queued_ = false;
    pumped_ = true;
    record_.causes.leave();
    run_ready();
}

/// One handler at a time, so that the io_context's own get a turn: what a handler leaves in the io_context's
/// queue, such as the end of a timer that it cancelled, comes next in line.
void world::run_ready()
{
    if (!has_ready() || is_out_of_steps() || is_abandoned())
        return;
    if (chooser_)
        choose_and_run();
    else if (interruptions_.permutes_handlers())
        run_handler(handlers_.take(interruptions_.choose(
            handlers_.count(), [this](std::size_t which) { return handlers_.at(which).in; })));
    else
        run_handler(handlers_.take());
}

void world::run_handler(handlers::ready next)
{
    if (interruptions_.any_left()) {
        const auto before = static_cast<index>(record_->events.size());
        strike_due();
        if (is_abandoned())
            return; // dropped with all the others
        const bool of_client = next.in >= 0 && static_cast<std::size_t>(next.in) < record_->outcomes.size();
        if (of_client) {
            const index abandoned = record_->outcomes[static_cast<std::size_t>(next.in)].abandoned;
            if (abandoned != none && abandoned >= before)
                return; // and so is what was about to run
        }
    }
    ++record_->steps;
    agenda_.note_activity();
    seam_.now += plan_->step_cost;
    handlers_.run(next);
    if (interruptions_.holds_any())
        release_stepped(next.in);
}

void world::choose_and_run()
{
    choices_.clear();
    const bool any = contract_->work.executor == executor_model::concurrent;
    const std::size_t ready = any ? handlers_.count() : std::min<std::size_t>(1, handlers_.count());
    for (std::size_t i = 0; i < ready; ++i) {
        const handlers::ready& one = handlers_.at(i);
        choices_.push_back({.what = choice::kind::handler, .lane = one.in, .queued = one.queued});
    }
    operations_.list(waits_for::chooser, chosen_from_);
    for (const index operation : chosen_from_)
        choices_.push_back({.what = choice::kind::completion,
            .lane = record_->operations[operation].id.lane,
            .operation = operation});
    const std::size_t chosen = std::min(chooser_->choose(choices_, *record_), choices_.size() - 1);
    if (chosen >= ready)
        complete(chosen_from_[chosen - ready]);
    else
        run_handler(handlers_.take(chosen));
}

bool world::poll_reactor()
{
    const std::uint64_t steps = record_->steps;
    bool ran = true;
    pumped_ = false;
    record_.causes.enter_queue();
    try {
        ran = handlers_.poll_asio();
        // A handler of the io_context's own is a step too.
        if (ran && record_->steps == steps)
            ++record_->steps;
    } catch (...) {
        record_.add_escape();
    }
    if (ran && !pumped_)
        record_.causes.ran_from_queue();
    record_.causes.leave();
    return ran;
}

bool world::advance(duration limit)
{
    const bool timers_count = handlers_.asio_has_work();
    record_.note_armed(timers_count ? seam_.reactors.front().expiry : seam_.now);
    const agenda::next next = agenda_.step(limit, timers_count, next_of_others());
    if (seam_.now > instant_) {
        instant_ = seam_.now;
        steps_at_instant_ = record_->steps;
    }
    if (next == agenda::next::nothing)
        return false;
    record_.note_instant();
    if (next == agenda::next::timer)
        return true;
    if (next == agenda::next::others) {
        advance_network();
        return true;
    }
    while (const auto due = agenda_.take_due()) {
        if (due->operation == none) {
            clients_.arrive(due->client);
            continue;
        }
        // What is late comes together with a timer of that instant: when its handler runs, the timer's is on
        // its way, and cancelling the timer does nothing any more. So does whatever fails then.
        if (record_->operations[due->operation].fault.kind != fault_kind::delay)
            agenda_.ring_too();
        complete(due->operation);
    }
    return true;
}

void world::advance_network()
{
    if (seam_.network)
        seam_.network->advance();
    if (helpers_)
        helpers_->signal(helper_threads::reason::network, nullptr, true);
}

/// When the network or another thread next does something by itself.
duration world::next_of_others() const noexcept
{
    const duration next = seam_.network ? seam_.network->next_due() : duration::max();
    return helpers_ ? std::min(next, helpers_->next_deadline()) : next;
}

connections& world::connected()
{
    if (!connections_)
        connections_ = std::make_unique<connections>(*this);
    seam_.network = &connections_->kernel();
    return *connections_;
}

helper_threads& world::helpers()
{
    if (!helpers_)
        helpers_ = std::make_unique<helper_threads>(seam_);
    handlers_.let_asio_stop();
    seam_.helpers = helpers_.get();
    return *helpers_;
}

/// Peers would serve for ever.
void world::end_peers()
{
    judged_ = true;
    if (!connections_ || !connections_->has_peers())
        return;
    connections_->stop_peers();
    constexpr int rounds_max = 10'000;
    for (int round = 0; round < rounds_max && connections_->has_peers(); ++round) {
        while (handlers_.has_ready()) {
            handlers::ready next = handlers_.take();
            handlers_.run(next);
        }
        if (!poll_reactor() && !handlers_.has_ready())
            break;
    }
}

/// Whatever happens by itself until then happens. Returns whether the world still stands.
bool world::pass_time(duration until)
{
    do {
        if (drive() == pause::abandoned)
            return false;
    } while (advance(until) && !is_out_of_steps());
    agenda_.pass(until);
    return true;
}

bool world::await_outside(std::chrono::milliseconds patience)
{
    for (auto waited = std::chrono::milliseconds(0); waited < patience; ++waited) {
        if (handlers_.inbox_is_filled()) {
            handlers_.take_inbox();
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

// Operations
// --------------------------------------------------------------------------------------------------

index world::begin_operation(
    const resource& on, role what, symbol name, lane running, bool blocking, const real_effect* effect)
{
    const handle target = handle_of(on);
    const bool inside_body = clients_.is_inside_body(operations_.lane_of(target, running));
    const index operation = operations_.start(target, what, name, running, blocking, inside_body);
    const operation_record& op = record_->operations[operation];
    if (op.result != result::pending)
        return operation;
    if (!blocking) {
        set_going(operation, effect);
        return operation;
    }
    if (op.fault.takes_time()) {
        // A blocked thread lets time pass, and timers are late.
        seam_.now += op.fault.after;
        agenda_.note_activity();
    } else if (behaviour_of(op.fault.kind).when == ends::after_a_strike) {
        interruptions_.owe(operation);
    }
    complete(operation);
    return operation;
}

void world::set_going(index operation, const real_effect* effect)
{
    const fault& decided = record_->operations[operation].fault;
    if (decided.takes_time()) {
        operations_.put_under_way(operation, waits_for::time, effect);
        agenda_.add_end(seam_.now + decided.after, operation);
        return;
    }
    switch (behaviour_of(decided.kind).when) {
    case ends::within_its_start:
        if (effect)
            operations_.put_under_way(operation, waits_for::nothing, effect);
        complete(operation);
        break;
    case ends::soon:
        settle(operation, effect);
        break;
    case ends::never:
        operations_.put_under_way(operation, waits_for::nothing, effect);
        break;
    case ends::after_a_strike:
        operations_.put_under_way(operation, waits_for::strike, effect);
        interruptions_.owe(operation);
        break;
    }
}

/// The operation could complete now: at once, when it is chosen, or when the plan lets it.
void world::settle(index operation, const real_effect* effect)
{
    if (interruptions_.hold(operation)) {
        operations_.put_under_way(operation, waits_for::turns, effect);
    } else if (chooser_) {
        operations_.put_under_way(operation, waits_for::chooser, effect);
    } else {
        if (effect)
            operations_.put_under_way(operation, waits_for::nothing, effect);
        complete(operation);
    }
}

index world::perform(const resource& on, role what, symbol name)
{
    if (!accepts_operations())
        return none;
    const lane in = record_.running;
    strike_before(on, what, name, in);
    return begin_operation(on, what, name, in, true);
}

void world::act_on(operations::ended&& done, index operation)
{
    if (!done.now)
        return;
    interruptions_.note(moment::queued, record_->operations[operation].id);
    if (done.handler)
        hand_over(*done.handler);
}

void world::hand_over(suspended& handler)
{
    const acting_as its_handler(record_.causes, operations_.root_of_handler(handler.operation), false);
    handler.queue(*this);
}

void world::complete_all(waits_for what, std::optional<result> how)
{
    operations_.list(what, listed_);
    for (const index operation : listed_)
        if (record_->operations[operation].wire == wire_call::none)
            complete(operation, how ? *how : operations_.planned_result(operation));
        else
            connections_->let_go(operation, false);
}

void world::request_stop(index operation)
{
    if (!record_.is_on() || !operations_.ask_to_stop(operation))
        return;
    forget(operation);
    complete(operation, result::aborted);
}

/// Takes an operation out of everything that would complete it.
void world::forget(index operation) noexcept
{
    switch (operations_.waiting_for(operation)) {
    case waits_for::time:
        agenda_.remove_end(operation);
        break;
    case waits_for::turns:
        interruptions_.forget_held(operation);
        break;
    case waits_for::strike:
        interruptions_.forget_owed(operation);
        break;
    case waits_for::nothing:
    case waits_for::chooser:
    case waits_for::rest:
    case waits_for::barrier:
    case waits_for::socket:
        break;
    }
}

void world::deliver(index operation)
{
    if (record_.is_on() && operations_.deliver(operation))
        interruptions_.note(moment::after, record_->operations[operation].id);
}

void world::finish(index operation)
{
    deliver(operation);
    if (const std::exception_ptr error = record_->operations[operation].error)
        std::rethrow_exception(error);
}

void world::destroyed(const resource& which) noexcept
{
    if (!record_.is_on() || (handlers_.is_tearing_down() && !is_abandoned()))
        return;
    operations_.destroyed(handle_of(which), is_abandoned());
}

/// The fresh clients that hold a resource go on; one that comes to hold one later does not wait.
void world::open_barrier()
{
    barrier_size_ = 1;
    complete_all(waits_for::barrier, result::ok);
}

} // namespace mishap::detail
