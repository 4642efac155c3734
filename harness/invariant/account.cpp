// SPDX-License-Identifier: MIT
#include "vocabulary/causes.hpp"
#include "vocabulary/deadlines.hpp"

#include <mishap/account.hpp>

#include <algorithm>

namespace mishap {

namespace {

bool closes(const operation_record& op) { return op.role == role::close || op.role == role::force_close; }

/// Where an operation stands in its lane's list: what the body failed instead of starting has no start.
index position_of(const operation_record& op) { return op.started != none ? op.started : op.completed; }

} // namespace

template <class GroupOf>
void account::groups::build(std::size_t count, std::size_t size, GroupOf group_of)
{
    // Counted two places ahead: filling its group moves each start on to where the next group begins.
    starts.assign(count + 2, 0);
    for (index i = 0; i < size; ++i)
        if (const std::size_t group = group_of(i); group < count)
            ++starts[group + 2];
    for (std::size_t group = 2; group <= count; ++group)
        starts[group + 1] += starts[group];
    items.resize(starts[count + 1]);
    for (index i = 0; i < size; ++i)
        if (const std::size_t group = group_of(i); group < count)
            items[starts[group + 1]++] = i;
}

std::span<const index> account::groups::operator[](std::size_t group) const noexcept
{
    return std::span(items).subspan(starts[group], starts[group + 1] - starts[group]);
}

void account::build(const mishap::contract& promises, const fault_plan& plan, const mishap::trace& happened)
{
    contract_ = &promises;
    plan_ = &plan;
    trace_ = &happened;
    supply_is_known_ = false;
    operations_.assign(happened.operations.size(), {});
    resources_.assign(happened.resources.size(), {});
    stays_.resize(happened.bodies.size());
    clients_.assign(happened.outcomes.size() + 1, {});
    list_by_lane_and_resource();
    read_events();
    read_lingering();
    read_stays();
    read_creates();
    read_resources();
    read_clients();
    read_errors();
    read_waits();
    read_reasons();
}

/// Whether this attempt had failed by that event: its create, or a step of the manager's on what was created,
/// such as a handshake. What succeeded had not, unless it had been given up before.
bool account::has_failed_by(index create, index event) const
{
    const auto& all = trace_->operations;
    const operation_record& op = all[create];
    if (op.started == none)
        return false;
    if (op.cancel_requested < op.completed || (op.result != result::ok && op.result != result::pending))
        return true;
    const auto lent = stays_by_resource_[op.resource];
    if (!lent.empty() && trace_->bodies[lent.front()].entered < event)
        return false;
    const auto on_it = by_resource_[op.resource];
    return std::any_of(on_it.begin(), on_it.end(), [&](index i) {
        const operation_record& step = all[i];
        return !step.in_body && !closes(step) && step.role != role::create && step.id.lane == op.id.lane &&
               step.result != result::ok && std::min(step.delivered, step.cancel_requested) < event;
    });
}

void account::list_by_lane_and_resource()
{
    const auto& all = trace_->operations;
    const auto& bodies = trace_->bodies;
    const std::size_t lanes = clients_.size();
    const std::size_t resources = resources_.size();
    by_lane_.build(lanes, all.size(), [&](index i) { return row_of(all[i].id.lane); });
    by_resource_.build(resources, all.size(), [&](index i) -> std::size_t { return all[i].resource; });
    closes_.build(resources, all.size(),
        [&](index i) -> std::size_t { return closes(all[i]) ? all[i].resource : none; });
    stays_by_lane_.build(lanes, bodies.size(), [&](index i) { return row_of(bodies[i].lane); });
    stays_by_resource_.build(
        resources, bodies.size(), [&](index i) -> std::size_t { return bodies[i].resource; });
}

void account::read_events()
{
    rests_.clear();
    blocked_.clear();
    for (index i = 0; i < trace_->events.size(); ++i) {
        const event& at = trace_->events[i];
        if (at.kind == event_kind::stage && at.subject == static_cast<index>(stage::stuck))
            rests_.push_back(i);
        if (at.kind == event_kind::completed && trace_->operations[at.subject].blocking) {
            const duration took = at.at - trace_->time_of(trace_->operations[at.subject].started);
            if (took > duration(0))
                blocked_.emplace_back(i, took + (blocked_.empty() ? duration(0) : blocked_.back().second));
        }
        if (at.kind == event_kind::destroyed && at.subject < resources_.size()) {
            resource_account& gone = resources_[at.subject];
            gone.first_destroyed = std::min(gone.first_destroyed, i);
            gone.last_destroyed = i;
        }
    }
}

/// Frames of abandoned clients that were not destroyed at once.
void account::read_lingering()
{
    lingering_.clear();
    for (const outcome& client : trace_->outcomes) {
        if (client.abandoned == none || client.abandoned == trace_->world_abandoned)
            continue;
        // What the tearing down of the run destroys was there to its end.
        const auto end = static_cast<index>(trace_->events.size());
        const index last = std::min(client.gone, end) - 1;
        const bool rested =
            !rests_.empty() && interval{client.abandoned, client.gone}.contains(rests_.front());
        if (client.gone >= end || rested ||
            trace_->time_of(last) - trace_->time_of(client.abandoned) > slack(client.abandoned, last))
            lingering_.push_back({client.abandoned, client.gone});
    }
}

bool account::is_held_by_abandoned(const interval& during) const
{
    return std::any_of(lingering_.begin(), lingering_.end(),
        [&](const interval& one) { return one.from < during.to && during.from < one.to; });
}

bool account::lingers(lane in) const
{
    if (lingering_.empty() || !has_client(in))
        return false;
    const outcome& client = trace_->outcomes[static_cast<std::size_t>(in)];
    return client.abandoned != none && client.gone >= trace_->events.size();
}

void account::read_stays()
{
    for (std::size_t row = 0; row < clients_.size(); ++row) {
        index last = none;
        for (const index i : stays_by_lane_[row]) {
            const body_record& body = trace_->bodies[i];
            stay& mine = stays_[i] = {{body.entered, body.left}, none, false};
            for (index outer = last; outer != none; outer = stays_[outer].around) {
                if (stays_[outer].during.to <= body.entered)
                    continue;
                if (mine.around == none)
                    mine.around = outer;
                mine.nested = mine.nested || body.left <= stays_[outer].during.to;
            }
            last = i;
        }
    }
}

void account::read_creates()
{
    const auto& all = trace_->operations;
    for (std::size_t row = 0; row < clients_.size(); ++row) {
        index before = none;
        for (const index i : by_lane_[row]) {
            const operation_record& op = all[i];
            operation_account& mine = operations_[i];
            mine.clock = i;
            mine.served = op.id.lane;
            if (op.role != role::create && op.resource != none)
                if (const index create = trace_->resources[op.resource].create; create != none)
                    mine.came_late = all[create].cancel_requested < all[create].completed;
            if (op.role == role::maintenance && op.started != none)
                mine.beside_body = is_inside(op.id.lane, op.started);
            if (op.role != role::create)
                continue;
            if (before != none && contract_->attempts.create > 1 && has_failed_by(before, op.started)) {
                mine.attempt = operations_[before].attempt + 1;
                mine.clock = contract_->time.per_attempt ? i : operations_[before].clock;
            }
            before = i;
        }
    }
    if (contract_->attempts.create > 1)
        for (index i = 0; i < all.size(); ++i)
            if (all[i].role != role::create && all[i].resource != none)
                if (const index create = trace_->resources[all[i].resource].create; create != none)
                    operations_[i].attempt = operations_[create].attempt;
    turns_.build(clients_.size(), all.size(), [&](index i) {
        return (all[i].role == role::create || closes(all[i])) && all[i].started != none &&
                       !operations_[i].came_late
                   ? row_of(all[i].id.lane)
                   : clients_.size();
    });
    rivals_.resize(turns_.items.size());
    for (std::size_t row = 0; row < clients_.size(); ++row) {
        index longest = 0;
        for (index at = turns_.starts[row]; at < turns_.starts[row + 1]; ++at) {
            const operation_record& op = all[turns_.items[at]];
            if (op.role == role::create)
                longest = std::max(longest, std::min(op.delivered, op.cancel_requested));
            rivals_[at] = longest;
        }
    }
}

void account::read_resources()
{
    for (index r = 0; r < resources_.size(); ++r) {
        resource_account& mine = resources_[r];
        mine.operations = by_resource_[r];
        mine.closes = closes_[r];
        mine.stays = stays_by_resource_[r];
        for (const index i : mine.operations) {
            const operation_record& op = trace_->operations[i];
            const bool broke = op.result == result::peer_gone ||
                               (op.result == result::aborted && contract_->work.cancelled_use_breaks) ||
                               (op.result == result::failed && detail::has_broken(op));
            if (broke)
                mine.broke = std::min(mine.broke, op.delivered);
        }
        const index create = trace_->resources[r].create;
        if (create == none)
            continue;
        const operation_record& op = trace_->operations[create];
        if ((op.result == result::ok || op.fault.kind == fault_kind::fail_after_effect) &&
            op.completed != none) {
            mine.open.from = op.completed;
            if (!mine.closes.empty())
                mine.open.to = trace_->operations[mine.closes.front()].started;
        }
    }
}

void account::read_clients()
{
    for (std::size_t row = 0; row < clients_.size(); ++row) {
        client_account& mine = clients_[row];
        mine.who = static_cast<lane>(row) - 1;
        mine.operations = by_lane_[row];
        mine.stays = stays_by_lane_[row];
        const outcome* const client = row == 0 ? nullptr : &trace_->outcomes[row - 1];
        for (const index i : mine.operations) {
            const operation_record& op = trace_->operations[i];
            if (op.started == none)
                continue;
            if (op.role == role::create)
                mine.last_create = op.started;
            if (op.role == role::create || op.role == role::begin || op.role == role::acquire)
                mine.last_attempt = op.started;
        }
        mine.acquired =
            mine.stays.empty() ? (client ? client->ended : none) : stays_[mine.stays.front()].during.from;
        if (client)
            mine.acquired = std::min(mine.acquired, client->ended);
        if (mine.stays.empty()) {
            mine.worked = mine.acquired;
            continue;
        }
        index end = 0;
        for (const index i : mine.stays)
            end = std::max(end, stays_[i].during.to);
        // Where another attempt was begun, and did not come to its body.
        const bool tries_again = end != none && mine.last_create != none && mine.last_create > end;
        mine.worked = tries_again && client ? client->ended : end;
    }
}

void account::find_end_of_wait(index operation)
{
    const mishap::trace& happened = *trace_;
    const operation_record& op = happened.operations[operation];
    operation_account& mine = operations_[operation];
    const auto bound = [&](const std::optional<duration>& timeout, index first) {
        const index clock = happened.operations[first].started;
        if (!timeout || clock == none || (mine.due && *mine.due <= happened.time_of(clock) + *timeout))
            return;
        mine.due = happened.time_of(clock) + *timeout;
        mine.limit = *timeout;
        mine.clock = first;
    };
    bound(detail::timeout_of(*contract_, op), mine.clock);
    if (contract_->time.clean_up)
        if (const index first = first_clean_up(operation); first != none)
            bound(contract_->time.clean_up, first);
    index end = std::min(op.delivered, op.cancel_requested); // `none` is the greatest index
    if (end != none)
        mine.how = op.delivered == end ? wait_end::answered : wait_end::given_up;
    if (mine.due && (end == none || happened.time_of(end) >= *mine.due)) {
        const auto supersede = [&](index event) {
            if (event == none || event <= op.started || event >= end || happened.time_of(event) < *mine.due)
                return;
            end = event;
            mine.how = wait_end::superseded;
        };
        if (has_client(op.id.lane))
            supersede(happened.outcomes[static_cast<std::size_t>(op.id.lane)].ended);
        // Before its deadline, a lane that goes on may well do several things at once.
        const auto first_since = [&](std::span<const index> list) {
            return std::partition_point(list.begin(), list.end(), [&](index i) {
                const index started = happened.operations[i].started;
                return started <= op.started || happened.time_of(started) < *mine.due;
            });
        };
        const auto turns = turns_[row_of(op.id.lane)];
        if (const auto next = first_since(turns); next != turns.end())
            supersede(happened.operations[*next].started);
        if (op.resource != none) {
            const auto list = resources_[op.resource].closes;
            for (auto next = first_since(list); next != list.end(); ++next)
                if (happened.operations[*next].id.lane == op.id.lane) {
                    supersede(happened.operations[*next].started);
                    break;
                }
        }
    }
    mine.waited = {op.started, end};
    if (mine.how == wait_end::given_up)
        mine.how = how_given_up(op, end);
}

/// The first step of the clean-up of this client's that the operation is part of, or `none`. Clean-up lasts
/// until its client does something else.
index account::first_clean_up(index operation) const
{
    const auto mine = by_lane_[row_of(trace_->operations[operation].id.lane)];
    if (!has_client(trace_->operations[operation].id.lane))
        return none;
    const auto cleans_up = [&](index i) {
        const operation_record& op = trace_->operations[i];
        return !op.in_body && op.started != none &&
               (closes(op) || op.role == role::rollback || op.role == role::release ||
                   (op.role == role::use && has_left_body(op.id.lane, op.started)));
    };
    index first = none;
    for (auto at = std::lower_bound(mine.begin(), mine.end(), operation); at != mine.end() && cleans_up(*at);
         --at) {
        first = *at;
        if (at == mine.begin())
            break;
    }
    return first;
}

bool account::has_left_body(lane in, index event) const
{
    const auto stays = stays_by_lane_[row_of(in)];
    return !stays.empty() && trace_->bodies[stays.front()].entered < event && !is_inside(in, event);
}

wait_end account::how_given_up(const operation_record& op, index asked) const
{
    // The background has no caller: when the adapter is cancelled, it is mishap that gives up.
    if (!has_client(op.id.lane))
        return wait_end::given_up;
    const event& at = trace_->events[asked];
    if (at.why == origin::timer)
        return wait_end::timed_out;
    if (at.why == origin::strike && at.cause != none) {
        const event& cause = trace_->events[at.cause];
        return cause.kind == event_kind::client_cancelled && cause.lane == op.id.lane ? wait_end::struck
                                                                                      : wait_end::given_up;
    }
    if (at.why != origin::unknown || !was_cancelled(op.id.lane, asked))
        return wait_end::given_up;
    // Where causes are merged, what follows a cancellation at once came of it.
    const index cancelled = trace_->outcomes[static_cast<std::size_t>(op.id.lane)].cancelled;
    const index since = std::max(op.started, cancelled);
    const duration delay = trace_->time_of(asked) - trace_->time_of(since);
    return delay <= slack(since, asked) - detail::timer_precision ? wait_end::struck : wait_end::given_up;
}

void account::read_waits()
{
    for (std::size_t row = 0; row < clients_.size(); ++row)
        for (const index i : by_lane_[row])
            find_end_of_wait(i);
    waits_.clear();
    const auto add_of_clients = [&](wait::kind of, const std::optional<duration>& timeout) {
        for (std::size_t i = 0; timeout && i < trace_->outcomes.size(); ++i) {
            const client_account& mine = clients_[i + 1];
            const index end = of == wait::kind::acquire ? mine.acquired : mine.worked;
            const index started = trace_->outcomes[i].started;
            if (end != none && started != none)
                waits_.push_back({of, mine.who, none, started, end, *timeout});
        }
    };
    add_of_clients(wait::kind::acquire, contract_->time.acquire);
    add_of_clients(wait::kind::whole, contract_->time.whole);
    for (index i = 0; i < operations_.size(); ++i) {
        const operation_account& mine = operations_[i];
        const operation_record& op = trace_->operations[i];
        if (mine.due && op.started != none && mine.waited.to != none)
            waits_.push_back({wait::kind::operation, op.id.lane, i, trace_->operations[mine.clock].started,
                mine.waited.to, mine.limit});
    }
}

const client_account& account::client(lane in) const noexcept { return clients_[row_of(in)]; }

bool account::has_client(lane in) const noexcept { return in >= 0 && row_of(in) < clients_.size(); }

const reason* client_account::first_owed() const noexcept
{
    const auto found =
        std::find_if(reasons.begin(), reasons.end(), [](const reason& r) { return r.is_owed(); });
    return found == reasons.end() ? nullptr : &*found;
}

index account::stay_at(lane in, index event) const
{
    const auto mine = stays_by_lane_[row_of(in)];
    const auto after = std::partition_point(
        mine.begin(), mine.end(), [&](index i) { return trace_->bodies[i].entered < event; });
    for (index i = after == mine.begin() ? none : *(after - 1); i != none; i = stays_[i].around)
        if (stays_[i].during.to > event)
            return i;
    return none;
}

bool account::was_cancelled(lane in, index event) const
{
    if (!has_client(in))
        return false;
    const index cancelled = trace_->outcomes[static_cast<std::size_t>(in)].cancelled;
    return cancelled != none && cancelled <= event;
}

bool account::is_on_the_side(index operation, index end) const
{
    const operation_record& op = trace_->operations[operation];
    if (operations_[operation].beside_body)
        return true;
    if (!has_client(op.id.lane) || op.in_body || op.role == role::body)
        return false;
    if (trace_->outcomes[static_cast<std::size_t>(op.id.lane)].ended < end)
        return true;
    const auto mine = stays_by_lane_[row_of(op.id.lane)];
    const auto next = std::partition_point(
        mine.begin(), mine.end(), [&](index i) { return trace_->bodies[i].entered <= op.started; });
    return next != mine.end() && trace_->bodies[*next].entered < end;
}

bool account::outlasts_body(index operation, index end) const
{
    const operation_record& op = trace_->operations[operation];
    for (index i = stay_at(op.id.lane, op.started); i != none; i = stays_[i].around)
        if (stays_[i].during.to > op.started && stays_[i].during.to <= end)
            return true;
    return false;
}

bool account::was_left_behind(index operation, index event) const
{
    const operation_record& op = trace_->operations[operation];
    if (op.cancel_requested == none || op.cancel_requested > event)
        return false;
    const auto mine = by_lane_[row_of(op.id.lane)];
    auto next = std::partition_point(mine.begin(), mine.end(),
        [&](index i) { return position_of(trace_->operations[i]) <= op.cancel_requested; });
    while (next != mine.end() && (operations_[*next].came_late || trace_->operations[*next].started == none))
        ++next;
    if (next != mine.end() && trace_->operations[*next].started < event)
        return true;
    const auto stays = stays_by_lane_[row_of(op.id.lane)];
    const auto later = std::partition_point(stays.begin(), stays.end(),
        [&](index i) { return trace_->bodies[i].entered <= op.cancel_requested; });
    return later != stays.end() && trace_->bodies[*later].entered < event;
}

bool account::has_rival(index create, index event) const
{
    if (contract_->attempts.create == 1)
        return false;
    const std::size_t row = row_of(trace_->operations[create].id.lane);
    const auto turns = turns_[row];
    const auto after = std::partition_point(
        turns.begin(), turns.end(), [&](index i) { return trace_->operations[i].started < event; });
    return after != turns.begin() &&
           rivals_[turns_.starts[row] + static_cast<std::size_t>(after - turns.begin()) - 1] > event;
}

bool account::is_tried_again(lane in, index failed) const
{
    if (contract_->attempts.body == 1)
        return false;
    const auto stays = stays_by_lane_[row_of(in)];
    const auto later = std::partition_point(
        stays.begin(), stays.end(), [&](index i) { return trace_->bodies[i].entered <= failed; });
    if (static_cast<std::uint32_t>(later - stays.begin()) >= contract_->attempts.body)
        return false;
    const index begun = client(in).last_attempt;
    return later != stays.end() || (begun != none && begun > failed);
}

duration account::slack(index since, index event) const
{
    const auto step_of = [&](index at) { return at == none ? 0 : trace_->events[at].step; };
    const std::uint32_t steps = step_of(event) - std::min(step_of(since), step_of(event)) + 1;
    return detail::timer_precision + plan_->step_cost * steps + blocked_until(event) - blocked_until(since);
}

duration account::blocked_until(index event) const
{
    const auto after = std::partition_point(
        blocked_.begin(), blocked_.end(), [&](const auto& call) { return call.first <= event; });
    return after == blocked_.begin() ? duration(0) : (after - 1)->second;
}

std::vector<pending> account::pending_at(lane in, index event) const
{
    std::vector<pending> found;
    const bool inside = is_inside(in, event);
    for (const index i : client(in).operations) {
        const operation_record& op = trace_->operations[i];
        const bool waits = op.started != none && op.started < event &&
                           (op.completed == none || op.completed > event) && !was_left_behind(i, event);
        // A body that was never waited for, since its client was cancelled, hangs for nobody.
        if (!waits || (op.role == role::body && !inside))
            continue;
        const bool of_body = op.in_body || (operations_[i].beside_body && inside);
        found.push_back({op.role == role::create  ? phase::create
                         : op.role == role::close ? phase::close
                         : of_body                ? phase::body
                                                  : phase::other,
            i});
    }
    if (!found.empty())
        return found;
    const auto stays = client(in).stays;
    const bool was_inside = !stays.empty() && trace_->bodies[stays.front()].entered < event;
    const phase in_line = !was_inside && trace_->has_adapter ? phase::acquire : phase::other;
    return {{inside ? phase::body : in_line, none}};
}

} // namespace mishap
