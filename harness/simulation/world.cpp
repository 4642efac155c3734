#include "world.hpp"

#include "executor.hpp"

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
#include <stdexcept>

namespace asio = boost::asio;

namespace mishap::detail {

namespace {

constinit thread_local world* running_world = nullptr;

/// While it lives, this thread's time and reactors are simulated.
class simulating
{
public:
    explicit simulating(seam& with) noexcept { active_seam() = &with; }
    ~simulating() { active_seam() = nullptr; }
    simulating(const simulating&) = delete;
    simulating& operator=(const simulating&) = delete;
};

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) noexcept
{
    // The finaliser of SplitMix64 (G. L. Steele et al., OOPSLA 2014) over a running value.
    hash += 0x9e3779b97f4a7c15ull + value;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ull;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebull;
    return hash ^ (hash >> 31);
}

std::uint64_t hash_of(const operation_id& id) noexcept
{
    return mix(mix(mix(id.kind.stable_hash(), id.name.stable_hash()), id.occurrence),
        (std::uint64_t(id.attempt) << 16) ^ static_cast<std::uint16_t>(id.lane));
}

const std::exception_ptr& aborted_error()
{
    static const auto error = std::make_exception_ptr(
        boost::system::system_error(asio::error::make_error_code(asio::error::operation_aborted)));
    return error;
}

const std::exception_ptr& peer_gone_error()
{
    static const auto error = std::make_exception_ptr(
        boost::system::system_error(asio::error::make_error_code(asio::error::connection_aborted)));
    return error;
}

bool later(const auto& a, const auto& b) noexcept
{
    return a.at != b.at ? a.at > b.at : a.order > b.order;
}

} // namespace

/// A handler that waits for its operation to end.
class world::suspended
{
public:
    explicit suspended(index operation) noexcept : operation(operation) {}
    virtual ~suspended() = default;
    virtual void queue(world& in) = 0;

    index operation;
};

namespace {

/// Queues a handler on its own executor; directly, where that is this world's, since going through the
/// type-erased interface would cost more than the rest of the step.
template <class Handler, class Deliver>
void queue_handler(world& in, Handler&& handler, Deliver deliver)
{
    const auto home = asio::get_associated_executor(handler);
    auto resume = [deliver, handler = std::forward<Handler>(handler)]() mutable {
        asio::get_associated_cancellation_slot(handler).clear();
        deliver();
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
    lanes_.resize(2);
}

world::~world()
{
    tear_down();
}

world* world::current() noexcept
{
    return running_world;
}

void world::run(const manager& under_test, const contract& promises, const limits& bounds,
    const fault_plan& plan, trace& happened, std::vector<std::size_t>& inert)
{
    if (active_seam())
        throw std::logic_error("mishap::run was called inside a run: a manager under test must not start one");
    const simulating now_virtual(seam_);
    running_world = this;
    struct restore
    {
        ~restore() { running_world = nullptr; }
    } const restore;

    reset(promises, bounds, plan, happened);

    happened.outcomes.resize(1);
    happened.outcomes[0].started = record(event_kind::client_started, 0, 0);
    running_clients_ = 1;
    signals_.emplace_back();
    running_lane_ = 0;
    asio::co_spawn(asio::any_io_executor(executor(*this, 0)), client_main(under_test.run),
        asio::bind_cancellation_slot(signals_[0].slot(), [this](std::exception_ptr error) {
            outcome& mine = trace_->outcomes[0];
            if (mine.ending == ending::running)
                mine.ending = error ? ending::threw : ending::returned;
            mine.error = std::move(error);
            mine.ended = record(event_kind::client_ended, 0, 0);
            --running_clients_;
        }));

    finish_run(drive());

    for (std::size_t i = 0; i < matched_.size(); ++i)
        if (!matched_[i])
            inert.push_back(i);

    ++run_number_;
    // Anything still under way (a suspended coroutine, a pending timer) would leak into the next run.
    if (running_clients_ != 0 || work_count_ != 0 || !suspended_.empty() || !io_->stopped())
        tear_down();
    signals_.clear();
    trace_ = nullptr;
}

awaitable<void> world::client_main(const adapter& run)
{
    // A client starts behind one post, with its cancellation state set here and not in the manager: Asio 1.26
    // lets the exception escape when a coroutine is cancelled before its first suspension.
    co_await asio::post(asio::use_awaitable);
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_await run(environment_);
}

void world::reset(const contract& promises, const limits& bounds, const fault_plan& plan, trace& happened)
{
    contract_ = &promises;
    limits_ = &bounds;
    plan_ = &plan;
    trace_ = &happened;
    happened.clear();
    matched_.assign(plan.perturbations.size(), false);
    lazily_fired_ = 0;
    uses_.assign(promises.uses.begin(), promises.uses.end());
    for (lane_state& state : lanes_) {
        state.uses.clear();
        state.resources.clear();
        state.bodies = state.open_bodies = 0;
    }
    seam_.now = duration(0);
    last_active_ = duration(0);
    alarms_.clear();
    alarm_order_ = 0;
    if (!io_) {
        seam_.reactors.clear();
        io_ = std::make_unique<asio::io_context>(1);
        // Makes the reactor now, so that the world's own is the first one the seam knows.
        asio::steady_timer reactor_maker(*io_);
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
    io_.reset();
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

// The loop ---------------------------------------------------------------------------------------------------

world::pause world::drive()
{
    for (;;) {
        run_ready();
        if (trace_->steps >= limits_->steps_max)
            return pause::livelock;
        if (poll_reactor())
            continue;
        if (has_ended())
            return pause::ended;
        if (!advance())
            return pause::stuck;
    }
}

void world::run_ready()
{
    while (ready_head_ != ready_.size() && trace_->steps < limits_->steps_max) {
        ready next = std::move(ready_[ready_head_++]);
        if (ready_head_ == ready_.size()) {
            ready_.clear();
            ready_head_ = 0;
        }
        ++trace_->steps;
        last_active_ = seam_.now;
        running_lane_ = next.in;
        in_handler_ = true;
        try {
            next.what();
        } catch (...) {
            escaped();
        }
        in_handler_ = false;
        // What this handler left in the io_context's own queue, such as the end of a timer that it cancelled,
        // comes next in line: posts without end must not put it off for ever.
        if (ready_head_ != ready_.size())
            poll_reactor();
    }
}

bool world::poll_reactor()
{
    io_->restart();
    try {
        if (io_->poll_one() == 0)
            return ready_head_ != ready_.size();
        ++trace_->steps;
    } catch (...) {
        escaped();
    }
    return true;
}

bool world::advance()
{
    // Where Asio has nothing pending, an armed timerfd means nothing: a cancelled timer leaves it armed.
    reactor& own = seam_.reactors.front();
    const bool timer_armed = !io_->stopped() && own.expiry >= duration(0);
    const bool alarm_first = !alarms_.empty() && (!timer_armed || alarms_.front().at <= own.expiry);
    if (!alarm_first && !timer_armed)
        return false;
    const duration next = alarm_first ? alarms_.front().at : std::max(own.expiry, seam_.now);
    if (next > limits_->horizon) {
        // Walking towards a timer that is never due changed nothing, so the clock goes back to when something
        // last happened.
        seam_.now = last_active_;
        return false;
    }
    seam_.now = std::max(next, seam_.now);
    if (!alarm_first) {
        own.expiry = duration(-1);
        own.due = true;
        return true;
    }
    const auto is_later = [](const alarm& a, const alarm& b) { return later(a, b); };
    while (!alarms_.empty() && alarms_.front().at == next) {
        std::pop_heap(alarms_.begin(), alarms_.end(), is_later);
        const index operation = alarms_.back().operation;
        alarms_.pop_back();
        complete(operation, result::ok);
    }
    return true;
}

void world::finish_run(pause why)
{
    if (why == pause::livelock) {
        record_stage(stage::livelock);
        return;
    }
    if (why == pause::ended) {
        record_stage(stage::all_ended);
    } else {
        const index found = record_stage(stage::stuck);
        for (outcome& client : trace_->outcomes)
            if (client.ending == ending::running) {
                client.ending = ending::hung;
                client.stuck = found;
            }
        // The caller gives up: no caller waits for ever.
        record_stage(stage::clients_cancelled);
        for (std::size_t i = 0; i < trace_->outcomes.size(); ++i)
            if (trace_->outcomes[i].ending == ending::hung)
                queue(static_cast<lane>(i), task([this, i] {
                    trace_->outcomes[i].cancelled =
                        record(event_kind::client_cancelled, static_cast<lane>(i), static_cast<index>(i));
                    signals_[i].emit(asio::cancellation_type::terminal);
                }));
        drive();
    }
    // Each round ends operations that were under way; a manager that keeps starting new ones is bounded by the
    // limit of steps, and one that starts hanging ones for ever by the number of rounds.
    constexpr int rounds_max = 64;
    for (int round = 0; round < rounds_max && (!suspended_.empty() || !alarms_.empty()); ++round) {
        record_stage(stage::peers_gone);
        fail_hanging();
        drive();
        while (!alarms_.empty() && advance())
            drive();
    }
    record_stage(stage::judged);
}

void world::fail_hanging()
{
    // By index: completing one may start others.
    for (index i = 0; i < trace_->operations.size(); ++i) {
        const operation_record& op = trace_->operations[i];
        const bool hangs = op.result == result::pending && op.fault.kind == fault_kind::hang;
        if (hangs)
            complete(i, result::peer_gone);
    }
}

// The executor's side ----------------------------------------------------------------------------------------

void world::queue(lane in, task&& what)
{
    if (tearing_down_) {
        const task dropped = std::move(what);
        return;
    }
    ready_.push_back({std::move(what), in});
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
    std::uint32_t token = free_work_;
    if (token == none) {
        token = static_cast<std::uint32_t>(work_.size());
        work_.emplace_back();
    } else {
        free_work_ = work_[token].next_free;
    }
    work_[token] = {.count = 1, .next_free = none, .step = trace_ ? trace_->steps : 0, .in = in};
    ++work_count_;
    return token;
}

void world::end_work(std::uint32_t token) noexcept
{
    if (token >= work_.size() || --work_[token].count != 0)
        return;
    work_[token].next_free = free_work_;
    free_work_ = token;
    --work_count_;
}

// Operations -------------------------------------------------------------------------------------------------

index world::record(event_kind kind, lane in, index subject)
{
    trace_->events.push_back({seam_.now, kind, in, subject});
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
    trace_->hash = mix(trace_->hash, hash_of(id));
    return which;
}

std::optional<fault> world::draw(const operation_record& op)
{
    const lazy_faults& lazy = *plan_->lazy;
    if (lazily_fired_ >= lazy.at_most)
        return std::nullopt;
    const std::uint64_t hash = mix(lazy.seed, hash_of(op.id));
    if (hash % 1000 >= lazy.per_mille)
        return std::nullopt;
    std::uint64_t total = 0;
    for (std::size_t kind = 1; kind < fault_kinds; ++kind)
        total += lazy.weights[kind];
    if (total == 0)
        return std::nullopt;
    std::uint64_t pick = mix(hash, 1) % total;
    std::size_t kind = 1;
    while (pick >= lazy.weights[kind])
        pick -= lazy.weights[kind++];
    const std::uint64_t parameter = mix(hash, 2);
    switch (static_cast<fault_kind>(kind)) {
    case fault_kind::ok:
        break;
    case fault_kind::ok_now:
        return fault::ok_now();
    case fault_kind::hang:
        return fault::hang();
    case fault_kind::fail: {
        static const symbol errors[] = {
            "io_error", "io_error", "connection_reset", "timed_out", "value_error", "foreign"};
        return fault::fail(errors[parameter % std::size(errors)]);
    }
    case fault_kind::delay: {
        const auto& deadline = op.role == role::close ? contract_->close_timeout : contract_->create_timeout;
        const duration near = deadline.value_or(std::chrono::seconds(1));
        const duration choices[] = {near - std::chrono::microseconds(1), near,
            near + std::chrono::microseconds(1), near / 2, std::chrono::milliseconds(1 + parameter % 1000)};
        return fault::delay(choices[(parameter >> 32) % std::size(choices)]);
    }
    }
    return std::nullopt;
}

void world::decide(operation_record& op)
{
    if (const perturbation* chosen = plan_->find(op.id)) {
        matched_[static_cast<std::size_t>(chosen - plan_->perturbations.data())] = true;
        op.fault = chosen->fault;
        op.fails_body = chosen->fails_body;
        op.perturbed = op.fault.kind != fault_kind::ok;
    } else if (plan_->lazy) {
        if (const auto drawn = draw(op)) {
            ++lazily_fired_;
            op.fault = *drawn;
            op.perturbed = true;
        }
    }
}

index world::begin_operation(const resource& on, role what, symbol name)
{
    const lane in = running_lane_;
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
    op.in_body = !by_ordinal && state_of(in).open_bodies > 0;
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
    decide(op);
    switch (op.fault.kind) {
    case fault_kind::ok:
    case fault_kind::ok_now:
        complete(which, result::ok);
        break;
    case fault_kind::fail:
        complete(which, op.fails_body ? result::ok : result::failed);
        break;
    case fault_kind::delay: {
        alarms_.push_back({seam_.now + op.fault.after, alarm_order_++, which});
        std::push_heap(
            alarms_.begin(), alarms_.end(), [](const alarm& a, const alarm& b) { return later(a, b); });
        break;
    }
    case fault_kind::hang:
        break;
    }
    return which;
}

void world::complete(index operation, result how)
{
    operation_record& op = trace_->operations[operation];
    if (op.result != result::pending)
        return;
    op.result = how;
    if (op.resource != none) {
        resource_record& target = trace_->resources[op.resource];
        if (op.role == role::create) {
            target.life = how == result::ok ? life::open : life::absent;
            target.ever_open = target.ever_open || how == result::ok;
        } else if (op.role == role::close && (how == result::ok || how == result::failed)) {
            if (target.ever_open)
                target.life = life::closed;
        }
    }
    if (how == result::failed || op.fails_body)
        op.error = get_error(op.fault.error).make();
    else if (how == result::aborted)
        op.error = aborted_error();
    else if (how == result::peer_gone)
        op.error = peer_gone_error();
    trace_->hash = mix(trace_->hash,
        static_cast<std::uint64_t>(how) ^ (how == result::failed ? op.fault.error.stable_hash() : 0));
    op.completed = record(event_kind::completed, op.id.lane, operation);
    if (auto waiting = take_suspended(operation))
        waiting->queue(*this);
}

void world::cancel(index operation)
{
    operation_record& op = trace_->operations[operation];
    if (op.cancel_requested == none)
        op.cancel_requested = record(event_kind::cancel_requested, running_lane_, operation);
    if (op.result != result::pending)
        return;
    std::erase_if(alarms_, [&](const alarm& a) { return a.operation == operation; });
    std::make_heap(
        alarms_.begin(), alarms_.end(), [](const alarm& a, const alarm& b) { return later(a, b); });
    complete(operation, result::aborted);
}

bool world::settled(index operation) const noexcept
{
    return trace_->operations[operation].fault.kind == fault_kind::ok_now;
}

std::unique_ptr<world::suspended> world::take_suspended(index operation) noexcept
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
            const auto deliver = [this, operation] {
                if (trace_)
                    trace_->operations[operation].delivered = record(
                        event_kind::delivered, trace_->operations[operation].id.lane, operation);
            };
            if (trace_->operations[operation].result != result::pending) {
                queue_handler(*this, std::forward<Handler>(handler), deliver);
                return;
            }

            class waiting final : public suspended
            {
            public:
                waiting(index operation, Handler&& handler, decltype(deliver) deliver)
                    : suspended(operation), work_(asio::get_associated_executor(handler)), deliver_(deliver),
                      handler_(std::forward<Handler>(handler))
                {}
                void queue(world& in) override { queue_handler(in, std::move(handler_), deliver_); }

            private:
                // As any pending operation does, keep the handler's executor from running out of work.
                asio::executor_work_guard<asio::associated_executor_t<std::decay_t<Handler>>> work_;
                decltype(deliver) deliver_;
                std::decay_t<Handler> handler_;
            };

            auto slot = asio::get_associated_cancellation_slot(handler);
            if (slot.is_connected())
                slot.assign([this, operation, run = run_number_](asio::cancellation_type) {
                    if (run == run_number_ && trace_)
                        cancel(operation);
                });
            suspended_.push_back(
                std::make_unique<waiting>(operation, std::forward<Handler>(handler), deliver));
        },
        asio::use_awaitable);
}

void world::finish(index operation)
{
    operation_record& op = trace_->operations[operation];
    if (op.delivered == none)
        op.delivered = record(event_kind::delivered, op.id.lane, operation);
    if (op.error)
        std::rethrow_exception(op.error);
}

void world::force_close(const resource& on) noexcept
{
    if (!trace_ || on.run_ != run_number_)
        return;
    const lane in = running_lane_;
    const index entry = entry_of(on, in);
    resource_record& target = trace_->resources[entry];
    const index which = new_operation(
        {.lane = in, .kind = on.kind(), .name = "force_close", .occurrence = count_use(in, on.kind(), "force_close")},
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
    if (!trace_ || which.run_ != run_number_ || which.index_ == none || tearing_down_)
        return;
    const resource_record& target = trace_->resources[which.index_];
    if (target.life == life::open)
        record(event_kind::destroyed, running_lane_, which.index_);
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
        if (op.resource == which.index_ && op.result == result::failed && op.delivered != none)
            if (const error* known = find_error(op.fault.error); known && known->breaking)
                return true;
    return false;
}

// The environment's side -------------------------------------------------------------------------------------

awaitable<void> world::body(resource* lent, body_work work)
{
    const lane in = running_lane_;
    lane_state& state = state_of(in);
    const auto mine = static_cast<index>(trace_->bodies.size());
    trace_->bodies.push_back({.lane = in, .resource = lent ? entry_of(*lent, in) : none});
    trace_->bodies[mine].entered = record(event_kind::body_entered, in, mine);
    ++state.open_bodies;
    const std::uint32_t occurrence = ++state.bodies;

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
            body.left = where.record(event_kind::body_left, body.lane, which);
        }
    };
    const leaving mark{*this, mine, run_number_};

    try {
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
            if (op.fault.kind == fault_kind::delay) {
                alarms_.push_back({seam_.now + op.fault.after, alarm_order_++, end});
                std::push_heap(alarms_.begin(), alarms_.end(),
                    [](const alarm& a, const alarm& b) { return later(a, b); });
            } else if (op.fault.kind == fault_kind::fail) {
                complete(end, result::failed);
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

bool world::virtual_time_is_linked()
{
    static const bool linked = [] {
        world trial;
        const simulating now_virtual(trial.seam_);
        trial.seam_.now = std::chrono::hours(1);
        using std::chrono::duration_cast;
        const auto steady = std::chrono::steady_clock::now().time_since_epoch();
        const auto system = std::chrono::system_clock::now().time_since_epoch();
        if (duration_cast<duration>(steady) != steady_epoch + trial.seam_.now ||
            duration_cast<duration>(system) != system_epoch + trial.seam_.now)
            return false;
        // One stock timer, an hour long, must be armed in memory and fire there.
        asio::io_context io(1);
        asio::steady_timer timer(io, std::chrono::minutes(1));
        bool fired = false;
        timer.async_wait([&](boost::system::error_code error) { fired = !error; });
        io.poll();
        if (fired || trial.seam_.reactors.empty())
            return false;
        reactor& armed = trial.seam_.reactors.front();
        if (armed.expiry != trial.seam_.now + std::chrono::minutes(1))
            return false;
        trial.seam_.now = armed.expiry;
        armed.due = true;
        io.poll();
        return fired;
    }();
    return linked;
}

awaitable<void> run_body(world& where, resource* lent, body_work work)
{
    return where.body(lent, std::move(work));
}

} // namespace mishap::detail
