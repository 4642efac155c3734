// SPDX-License-Identifier: MIT
#include "ending.hpp"

#include "connections.hpp"

#include "vocabulary/causes.hpp"
#include "vocabulary/deadlines.hpp"

#include <algorithm>
#include <utility>

namespace mishap::detail {

void last_stages::go_through(world::pause why)
{
    if (end_clients(why) && end_what_hangs() && try_fresh_clients() && end_adapter() && end_what_hangs() &&
        pass_grace())
        judge_what_is_left();
    else if (world_.is_abandoned())
        shut_down();
    else
        world_.record_.add(stage::livelock);
}

bool last_stages::end_clients(world::pause why)
{
    recorder& record = world_.record_;
    if (world::is_over(why))
        return false;
    if (why == world::pause::ended) {
        record.add(stage::all_ended);
        return true;
    }
    while (world_.clients_.running() != 0) {
        const index found = record.add(stage::stuck);
        if (record->stuck_work.empty())
            list_pending();
        const std::vector<std::size_t> chosen = choose_stuck_clients();
        if (chosen.empty())
            break;
        record.add(stage::clients_cancelled);
        world_.agenda_.extend_horizon();
        for (const std::size_t client : chosen) {
            record->outcomes[client].stuck = found;
            record->outcomes[client].ending = ending::hung;
            give_up(client);
        }
        if (world::is_over(world_.drive()))
            return false;
    }
    if (!world_.clients_.has_adapter() || world_.clients_.adapter_has_ended() || world_.clients_.are_served())
        return true;
    // The adapter itself never came to serve anybody.
    record->adapter.stuck = record.add(stage::stuck);
    record->adapter.ending = ending::hung;
    if (record->stuck_work.empty())
        list_pending();
    world_.handlers_.queue(
        background_lane, task([this] { world_.clients_.stop_adapter(world_.record_->adapter.stuck); }));
    return !world::is_over(world_.drive());
}

/// What could still have come when the run was found stuck.
void last_stages::list_pending()
{
    trace& happened = *world_.record_;
    happened.stuck_work.clear();
    happened.ticks.clear();
    happened.stuck_calls.clear();
    world_.handlers_.list_work(happened.stuck_work);
    world_.rhythm_.list(happened.ticks, happened);
    if (world_.connections_)
        world_.connections_->describe_waiting(happened.stuck_calls);
}

/// Those whose body hangs go first: nobody promised anything about them, and others may only be waiting for
/// them. Whoever is then still stuck waits for nothing that could come.
std::vector<std::size_t> last_stages::choose_stuck_clients() const
{
    const auto& outcomes = world_.record_->outcomes;
    std::vector<std::size_t> chosen;
    for (const bool in_body : {true, false}) {
        for (std::size_t i = 0; i < outcomes.size() && (in_body || chosen.empty()); ++i) {
            const outcome& client = outcomes[i];
            const bool waits = client.ended == none && client.started != none && client.stuck == none;
            if (waits && (!in_body || world_.clients_.is_inside_body(static_cast<lane>(i))))
                chosen.push_back(i);
        }
    }
    return chosen;
}

/// The caller gives up: no caller waits for ever.
void last_stages::give_up(std::size_t client)
{
    world_.handlers_.queue(static_cast<lane>(client), task([where = &world_, client] {
        if (where->record_->outcomes[client].ended == none)
            where->clients_.cancel(client, cancellation::terminal, none, {});
    }));
}

/// What hangs fails, and what is under way arrives.
bool last_stages::end_what_hangs()
{
    // A manager that keeps starting operations is bounded by the limit of steps, and one that starts hanging
    // ones for ever by the number of rounds.
    constexpr int rounds_max = 64;
    if (!pass_deadlines())
        return false;
    const auto is_under_way = [&] {
        return world_.operations_.suspended_count() != 0 || !world_.agenda_.empty() ||
               (world_.connections_ && world_.connections_->any_waiting(world_.somebody_waits()));
    };
    for (int round = 0; round < rounds_max && is_under_way(); ++round) {
        world_.record_.add(stage::peers_gone);
        world_.agenda_.extend_horizon();
        fail_hanging();
        world::pause next = world_.drive();
        while (!world::is_over(next) && !world_.agenda_.empty() && !world_.is_at_rest() &&
               world_.advance(world_.agenda_.horizon()))
            next = world_.drive();
        if (world::is_over(next))
            return false;
    }
    return true;
}

/// What hangs has until its own deadline to be given up, or until the grace is over.
bool last_stages::pass_deadlines()
{
    const contract& promises = *world_.contract_;
    const duration now = world_.seam_.now;
    duration last = now;
    world_.operations_.for_each_suspended([&](index operation) {
        const operation_record& op = world_.record_->operations[operation];
        auto timeout = timeout_of(promises, op);
        if (!timeout && op.role == role::close)
            timeout = promises.time.clean_up;
        if (op.cancel_requested != none)
            return;
        if (timeout)
            last = std::max(last, world_.record_->time_of(op.started) + *timeout + 2 * timer_precision);
        else if (promises.time.grace != duration(0))
            last = std::max(last, now + promises.time.grace + 2 * timer_precision);
    });
    if (world_.connections_)
        for (const index waiting : world_.connections_->waiting()) {
            const operation_record& op = world_.record_->operations[waiting];
            if (const auto timeout = timeout_of(promises, op))
                last = std::max(last, world_.record_->time_of(op.started) + *timeout + 2 * timer_precision);
        }
    if (last == now)
        return true;
    world_.agenda_.extend_horizon();
    return world_.pass_time(std::min(last, world_.agenda_.horizon()));
}

/// As many fresh clients as there is capacity must each get a resource, all at once. Where some are refused,
/// as the contract permits, as many come again later.
bool last_stages::try_fresh_clients()
{
    recorder& record = world_.record_;
    if (!world_.clients_.are_served() || world_.clients_.running() != 0 ||
        world_.clients_.adapter_has_ended())
        return true;
    record.add(stage::probing);
    const contract& promises = *world_.contract_;
    const duration patience =
        promises.time.recovery.value_or(promises.time.acquire.value_or(std::chrono::seconds(60)));
    world_.clients_.set_probing(true);
    world_.operations_.set_probing(true);
    // A breaker that is half open lets one of them pass, and the others the next time.
    constexpr int rounds_max = 8;
    bool goes_on = true;
    for (int round = 0; goes_on && round < rounds_max; ++round) {
        const auto first = static_cast<std::ptrdiff_t>(record->outcomes.size());
        goes_on = send_fresh_clients(world_.seam_.now + patience);
        const auto count = [&](auto is) {
            return std::count_if(record->outcomes.begin() + first, record->outcomes.end(), is);
        };
        const auto refused = count([&](const outcome& fresh) {
            return fresh.error && is_one_of(promises.errors.refuses, fresh.error);
        });
        const auto served = count([](const outcome& fresh) { return fresh.ended != none && !fresh.error; });
        if (!goes_on || refused == 0 || (round > 0 && served == 0))
            break;
        world_.agenda_.extend_horizon();
        goes_on = world_.pass_time(world_.seam_.now + patience);
    }
    world_.clients_.set_probing(false);
    world_.operations_.set_probing(false);
    return goes_on;
}

/// One fresh client for each resource that may exist, and those that wait.
bool last_stages::send_fresh_clients(duration until)
{
    recorder& record = world_.record_;
    agenda& times = world_.agenda_;
    world_.barrier_size_ = world_.contract_->capacity.resources.value_or(1);
    const std::size_t first = world_.clients_.start_probes(world_.contract_->fresh_clients());
    times.extend_horizon();
    const duration farthest = times.narrow_horizon(until);
    world::pause next = world_.drive();
    times.restore_horizon(farthest);
    // Those that have not been served by now never will be; those that hold a resource wait for them.
    for (int round = 0; !world::is_over(next) && world_.clients_.running() != 0 && round < 4; ++round) {
        const index found = record.add(stage::stuck);
        world_.open_barrier();
        for (std::size_t i = first; i < record->outcomes.size(); ++i) {
            outcome& fresh = record->outcomes[i];
            if (fresh.ended != none || world_.clients_.was_inside_body(static_cast<lane>(i)))
                continue;
            fresh.stuck = found;
            give_up(i);
        }
        next = world_.drive();
        if (world::is_over(next))
            break;
        fail_hanging();
        next = world_.drive();
    }
    return !world::is_over(next);
}

bool last_stages::end_adapter()
{
    recorder& record = world_.record_;
    if (!world_.clients_.has_adapter() || world_.clients_.adapter_has_ended())
        return true;
    const index shutting_down = record.add(stage::shutting_down);
    world_.agenda_.extend_horizon();
    {
        const acting_as end(record.causes, {origin::environment, shutting_down}, false);
        world_.clients_.let_adapter_go();
    }
    world_.goal_ = world::goal::adapter;
    if (world::is_over(world_.drive()))
        return false;
    if (world_.clients_.adapter_has_ended())
        return true;
    record->adapter.stuck = record.add(stage::stuck);
    record->adapter.ending = ending::hung;
    list_pending();
    world_.handlers_.queue(background_lane, task([where = &world_] {
        const index cancelled = where->record_.add(event_kind::client_cancelled, background_lane, none);
        where->record_->adapter.cancelled = cancelled;
        where->clients_.stop_adapter(cancelled);
    }));
    return !world::is_over(world_.drive());
}

void last_stages::fail_hanging()
{
    if (world_.connections_)
        world_.connections_->fail_waiting(world_.somebody_waits());
    world_.complete_all(waits_for::nothing, result::peer_gone);
}

bool last_stages::pass_grace()
{
    const duration grace = world_.contract_->time.grace;
    if (grace == duration(0))
        return true;
    if (!world_.pass_time(world_.seam_.now + grace + timer_precision))
        return false;
    world_.record_.add(stage::grace_over);
    return true;
}

/// What Asio holds of abandoned clients, such as a timer that was shielded from being cancelled, is dropped
/// where it comes up, and with it frames whose resources go with them.
void last_stages::let_abandoned_go()
{
    agenda& times = world_.agenda_;
    times.extend_horizon();
    while (world_.handlers_.has_abandoned_work() && !world::is_over(world_.drive()) && !world_.is_at_rest() &&
           world_.advance(times.horizon())) {
    }
}

void last_stages::judge_what_is_left()
{
    handlers& executors = world_.handlers_;
    bool asio_has_work = executors.asio_has_work();
    if (asio_has_work) {
        world_.poll_reactor();
        asio_has_work = executors.asio_has_work();
    }
    executors.list_work(world_.record_->stray_work);
    if (executors.has_abandoned_work())
        let_abandoned_go();
    // What an abandoned client waited for is dropped when it comes.
    // A socket's wait is work of its client's, or of a peer's.
    const bool has_sockets = world_.connections_ && world_.connections_->in_use();
    world_.record_->stray_reactor = asio_has_work && !executors.has_abandoned_work() && !has_sockets;
    world_.record_.add(stage::judged);
    world_.end_peers();
}

/// The end of an abandoned world: everything is destroyed, on record.
void last_stages::shut_down() noexcept
{
    const acting_as strike(world_.record_.causes, {origin::strike, world_.record_->world_abandoned});
    world_.tear_down();
    world_.clients_.mark_adapter_ended();
    world_.record_.add(stage::judged);
}

} // namespace mishap::detail
