#include "invariants.hpp"
#include "reading.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>

namespace mishap::detail {

namespace {

/// Everything that was pending when the run was found stuck: operations with who asked them to stop, and work
/// that is no operation (a coroutine on a timer or channel of its own, a wait of the manager's).
std::string list_waiting(const evidence& e, index stuck)
{
    std::vector<std::string> items;
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        if (op.started == none || op.started > stuck || (op.completed != none && op.completed < stuck))
            continue;
        std::string item = fmt::format("{} of lane {} since {}", name_of(e, i), lane_name(op.id.lane),
            to_string(e.trace.time_of(op.started)));
        if (op.cancel_requested != none && op.cancel_requested < stuck)
            item += fmt::format(", which lane {} asked to stop at {} and which did not listen",
                lane_name(e.trace.events[op.cancel_requested].lane),
                to_string(e.trace.time_of(op.cancel_requested)));
        items.push_back(std::move(item));
    }
    std::set<std::string> works; // a coroutine alone has several tokens
    for (const work_record& work : e.trace.stuck_work)
        works.insert(fmt::format("a coroutine, timer or handler of lane {} since {} (step {})",
            lane_name(work.lane), to_string(work.since), work.step));
    items.insert(items.end(), works.begin(), works.end());
    return fmt::format("pending: {}", fmt::join(items, "; "));
}

/// How many slots of the capacity were taken at that event: resources that were open, or on their way
/// with somebody waiting for them.
std::uint32_t slots_taken(const evidence& e, index at)
{
    std::uint32_t taken = 0;
    for (const body_record& body : e.trace.bodies)
        taken += body.entered <= at && (body.left == none || body.left > at);
    for (const operation_record& op : e.trace.operations) {
        const bool moves = op.role != role::body && op.role != role::force_close && !op.in_body &&
                           !is_beside_body(e.trace, op);
        taken +=
            moves && op.started != none && op.started <= at && (op.completed == none || op.completed > at);
    }
    return taken;
}

/// Whether a resource was open, whole and in nobody's hands at that event.
bool is_idle(const evidence& e, index resource, index at)
{
    const resource_record& r = e.trace.resources[resource];
    const operation_record* create = r.create == none ? nullptr : &e.trace.operations[r.create];
    if (!create || create->result != result::ok || create->completed > at || yielded_nothing(*create))
        return false;
    for (const operation_record& op : e.trace.operations) {
        if (op.resource != resource || op.started == none || op.started > at)
            continue;
        const bool in_flight = op.completed == none || op.completed > at;
        const bool closes = op.role == role::close || op.role == role::force_close;
        // One that has reported an error is no resource to count on.
        if (in_flight || closes || op.result != result::ok)
            return false;
    }
    for (index i = 0; i < e.trace.events.size() && i <= at; ++i)
        if (e.trace.events[i].kind == event_kind::destroyed && e.trace.events[i].subject == resource)
            return false; // what is gone cannot be lent
    return std::none_of(e.trace.bodies.begin(), e.trace.bodies.end(), [&](const body_record& body) {
        return body.resource == resource && body.entered <= at && (body.left == none || body.left > at);
    });
}

/// A client that gave up at its deadline although it could have been served: a wake-up was lost. Judged at
/// the last instant before the deadline, when everything had come to rest.
void judge_starved(const evidence& e, lane in, violations& found)
{
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    const index end = end_of_acquire(e.trace, in);
    if (end == none || end != client.ended || !is_timeout(e.contract, client.error) ||
        client.cancelled != none)
        return;
    const duration given_up = e.trace.time_of(end);
    const duration limit = e.trace.time_of(client.started) + *e.contract.acquire_timeout;
    if (given_up < limit)
        return;
    index before = none;
    for (index i = 0; i < e.trace.events.size() && e.trace.events[i].at < limit; ++i)
        before = i;
    if (before == none || before < client.started)
        return;
    bool created_in_vain = false;
    for (const operation_record& op : e.trace.operations) {
        const bool pending =
            op.started != none && op.started <= before && (op.completed == none || op.completed > before);
        if (op.id.lane == in && pending)
            return; // busy, not asleep
        if (e.plan.step_cost != duration(0) && op.id.lane == in && op.started != none &&
            e.trace.time_of(op.started) + tolerance(e, client.started, end) >= limit)
            return; // woken at the last moment
        // A pool may open one at a time; and it may well wait before it tries again what has just failed, but
        // not for most of the time that a client has.
        created_in_vain = created_in_vain || (op.role == role::create && pending) ||
                          (op.role == role::create && op.result != result::ok && op.completed != none &&
                              op.completed <= before &&
                              e.trace.time_of(op.completed) > limit - *e.contract.acquire_timeout / 2);
    }
    index idle = none;
    for (index r = 0; r < e.trace.resources.size() && idle == none; ++r)
        if (is_idle(e, r, before))
            idle = r;
    const bool slot_is_free = slots_taken(e, before) < *e.contract.capacity;
    if (idle == none && (!slot_is_free || created_in_vain))
        return;
    found.push_back({
        .sentence = fmt::format("{} waited until its deadline although {}", name_of_client(e, in),
            idle != none ? fmt::format("{} was idle", name_of_resource(e, idle))
                         : std::string("a slot was free")),
        .lane = in,
        .role = role::acquire,
        .proof = {{client.started, "waits"}, {end, "gives up"}},
        .expected = "who waits is woken when a resource or a slot becomes free",
        .actual = "nobody woke it",
    });
}

/// When nothing could happen any more for the first time, or `none`. What comes after it, mishap helped on.
index first_rest(const evidence& e)
{
    for (index i = 0; i < e.trace.events.size(); ++i)
        if (e.trace.events[i].kind == event_kind::stage &&
            e.trace.events[i].subject == static_cast<index>(stage::stuck))
            return i;
    return none;
}

bool is_pending(const operation_record& op, index at)
{
    return op.started != none && op.started <= at && (op.completed == none || op.completed > at);
}

bool nothing_is_pending(const evidence& e, index at)
{
    return std::none_of(e.trace.operations.begin(), e.trace.operations.end(),
        [&](const operation_record& op) { return is_pending(op, at); });
}

/// A client that waits for a resource when nothing can happen any more, although it could be served: a
/// wake-up was lost, whatever others make happen when they give up. Returns whether there was something to
/// blame.
bool judge_asleep(const evidence& e, lane in, violations& found)
{
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    const index rest = first_rest(e);
    if (rest == none || !e.contract.capacity || e.contract.keyed || client.started > rest ||
        client.ended < rest || (client.cancelled != none && client.cancelled < rest) ||
        end_of_acquire(e.trace, in) < rest)
        return false;
    bool creates_in_vain = false;
    for (const operation_record& op : e.trace.operations) {
        if (op.id.lane == in && is_pending(op, rest))
            return false; // busy, not asleep
        // A pool may open one at a time, and may wait before it tries again what has just failed.
        creates_in_vain = creates_in_vain ||
                          (op.role == role::create && op.started < rest && op.result != result::ok) ||
                          (op.role == role::create && is_pending(op, rest));
    }
    index idle = none;
    for (index r = 0; r < e.trace.resources.size() && idle == none; ++r)
        if (is_idle(e, r, rest))
            idle = r;
    const bool slot_is_free = slots_taken(e, rest) < *e.contract.capacity && !creates_in_vain;
    if (idle == none && !slot_is_free)
        return false;
    found.push_back({
        .sentence = fmt::format("{} waits for ever although {}", name_of_client(e, in),
            idle != none ? fmt::format("{} is idle", name_of_resource(e, idle))
                         : std::string("a slot is free")),
        .lane = in,
        .role = role::acquire,
        .proof = {{client.started, "waits"}, {rest, "nobody wakes it"}},
        .expected = "who waits is woken when a resource or a slot becomes free",
        .actual = list_waiting(e, rest),
    });
    return true;
}

void judge_adapter(const evidence& e, violations& found)
{
    const outcome& adapter = e.trace.adapter;
    if (!e.trace.has_adapter || (adapter.stuck == none && adapter.ended != none))
        return;
    if (adapter.stuck == none)
        return; // cut short by a limit, which is a verdict of its own
    const auto waits = waits_at(e.trace, background_lane, adapter.stuck);
    const bool permitted = std::all_of(waits.begin(), waits.end(),
        [&](const waiting& wait) { return wait.operation != none && e.contract.is_unbounded(wait.in); });
    if (permitted && (adapter.ended != none || e.trace.cut_off != none))
        return;
    found.push_back({
        .sentence =
            "the adapter never came to its end: preparing or shutting down the manager waits for ever",
        .lane = background_lane,
        .proof = {{adapter.stuck, "stuck"}},
        .expected = "the manager is shut down when its clients have ended",
        .actual = list_waiting(e, adapter.stuck),
    });
}

} // namespace

void judge_completes(const evidence& e, violations& found)
{
    if (!e.excused(background_lane))
        judge_adapter(e, found);
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const auto in = static_cast<lane>(i);
        if (client.probe || e.excused(in))
            continue; // fresh clients are the business of `recovers`
        if (e.contract.acquire_timeout && e.contract.capacity && !e.contract.keyed && client.ended != none &&
            client.error)
            judge_starved(e, in, found);
        if (judge_asleep(e, in, found))
            continue;
        if (client.stuck != none) {
            bool blamed = false;
            for (const waiting& wait : waits_at(e.trace, in, client.stuck)) {
                // The body's own work may hang: nobody but the body promised anything about it.
                const bool bounded =
                    e.contract.whole_timeout ||
                    (wait.operation != none && deadline_of(e.contract, e.trace.operations[wait.operation]));
                if ((wait.in == phase::body && !bounded) || e.contract.is_unbounded(wait.in)) {
                    // What is to be waited for in the body must be something that can happen.
                    const bool stranded = e.trace.has_adapter && wait.in == phase::body &&
                                          wait.operation == none && client.stuck == first_rest(e) &&
                                          nothing_is_pending(e, client.stuck);
                    if (!stranded)
                        continue;
                }
                const bool by_operation = wait.operation != none;
                const std::string what =
                    by_operation ? name_of(e, wait.operation) : "something that is no operation";
                violation v{
                    .sentence = fmt::format("{} waits for {} for ever", name_of_client(e, in), what),
                    .lane = in,
                    .expected = "every client ends",
                    .actual = fmt::format("it was still waiting when nothing was left that could happen; {}",
                        list_waiting(e, client.stuck)),
                };
                if (by_operation) {
                    const operation_record& op = e.trace.operations[wait.operation];
                    v.resource = op.resource;
                    v.role = op.role;
                    v.proof.push_back({op.started, "never ends"});
                }
                v.proof.push_back({client.stuck, "stuck"});
                found.push_back(std::move(v));
                blamed = true;
                break;
            }
            if (blamed)
                continue;
        }
        if (client.started == none)
            continue;
        const bool cut_short = client.ending == ending::running ||
                               e.trace.cut_off != none; // by a limit, which is a verdict of its own
        if (client.ended == none && !cut_short)
            found.push_back({
                .sentence = fmt::format(
                    "{} never ended, although it was cancelled and everything it waited for failed",
                    name_of_client(e, in)),
                .lane = in,
                .proof = {{client.stuck, "stuck"}},
                .expected = "a cancelled client ends",
                .actual = "it is still suspended",
            });
    }
}

} // namespace mishap::detail
