// SPDX-License-Identifier: MIT
#include "invariants.hpp"
#include "servable.hpp"
#include "waivers.hpp"
#include "wording.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mishap::detail {

namespace {

/// An operation by its name, or what a call on a socket waits for.
std::string name_of_wait(const evidence& e, index operation)
{
    for (const call_record& call : e.trace.stuck_calls)
        if (call.operation == operation)
            return fmt::format("{} ({})", call.what, name_of(e, operation));
    return name_of(e, operation);
}

bool is_pending(const operation_record& op, index at)
{
    return op.started != none && op.started <= at && (op.completed == none || op.completed > at);
}

/// Of what is pending, so much is listed.
constexpr std::size_t listed_max = 20;

/// What the rule asks about the run as a whole, each found out once.
class scene
{
public:
    explicit scene(const evidence& e) : e_(e)
    {
        const index rest = e.account.first_rest();
        nothing_is_pending_ =
            rest != none && std::none_of(e.trace.operations.begin(), e.trace.operations.end(),
                                [&](const operation_record& op) { return is_pending(op, rest); });
    }

    /// Whether no operation at all was in flight when the run first came to rest.
    bool nothing_is_pending() const { return nothing_is_pending_; }

    /// Everything that was pending when the run was found stuck: operations with who asked them to stop, and
    /// work that is no operation (a coroutine on a timer or channel of its own, a wait of the manager's).
    const std::string& pending_at(index stuck)
    {
        if (stuck == listed_at_)
            return list_;
        std::vector<std::string> items;
        for (index i = 0; i < e_.trace.operations.size(); ++i) {
            const operation_record& op = e_.trace.operations[i];
            if (op.started == none || op.started > stuck || (op.completed != none && op.completed < stuck))
                continue;
            std::string item = fmt::format("{} of lane {} since {}", name_of_wait(e_, i),
                lane_name(op.id.lane), to_string(e_.trace.time_of(op.started)));
            if (op.cancel_requested != none && op.cancel_requested < stuck)
                item += fmt::format(", which lane {} asked to stop at {} and which did not listen",
                    lane_name(e_.trace.events[op.cancel_requested].lane),
                    to_string(e_.trace.time_of(op.cancel_requested)));
            items.push_back(std::move(item));
        }
        // What others wait for is often held by a client inside its body.
        for (const body_record& body : e_.trace.bodies)
            if (e_.trace.outcomes.size() > 1 && body.resource != none && body.entered < stuck &&
                (body.left == none || body.left > stuck))
                items.push_back(fmt::format("{} holds {} since {}", name_of_client(e_, body.lane),
                    name_of_resource(e_, body.resource), to_string(e_.trace.time_of(body.entered))));
        std::set<std::string> works; // a coroutine alone has several tokens
        for (const work_record& work : e_.trace.stuck_work)
            if (!has_gone(work.lane, stuck))
                works.insert(fmt::format("a coroutine, timer or handler of lane {} since {} (step {})",
                    lane_name(work.lane), to_string(work.since), work.step));
        items.insert(items.end(), works.begin(), works.end());
        const std::size_t left_out = items.size() - std::min(items.size(), listed_max);
        items.resize(items.size() - left_out);
        if (left_out != 0)
            items.push_back(fmt::format("and {} more", left_out));
        list_ = fmt::format("pending: {}", fmt::join(items, "; "));
        for (const tick_record& tick : e_.trace.ticks)
            list_ += fmt::format("; only {} every {} is left (the last of {} times)",
                name_of(e_, tick.operation), to_string(tick.every), tick.times);
        listed_at_ = stuck;
        return list_;
    }

private:
    /// Whether the client of that lane had ended by that event: nobody waits for what it left behind.
    bool has_gone(lane in, index at) const
    {
        return e_.account.has_client(in) && e_.trace.outcomes[static_cast<std::size_t>(in)].ended < at;
    }

    const evidence& e_;
    bool nothing_is_pending_ = false;
    std::string list_;
    index listed_at_ = none;
};

bool is_busy(const evidence& e, lane in, index at)
{
    const auto& mine = e.account.client(in).operations;
    return std::any_of(
        mine.begin(), mine.end(), [&](index i) { return is_pending(e.trace.operations[i], at); });
}

/// A client that gave up at its deadline although it could have been served: a wake-up was lost. Judged at
/// the last instant before the deadline, when everything had come to rest. Returns whether there was
/// something to blame.
bool judge_starved(const evidence& e, lane in, const servable& could, violations& found)
{
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    const client_account& mine = e.account.client(in);
    const index end = mine.acquired;
    if (end == none || end != client.ended || !mine.told.timeout || client.cancelled != none)
        return false;
    const auto& events = e.trace.events;
    const duration limit = e.trace.time_of(client.started) + *e.contract.time.acquire;
    const auto after =
        std::partition_point(events.begin(), events.end(), [&](const event& at) { return at.at < limit; });
    if (e.trace.time_of(end) < limit || after == events.begin())
        return false;
    const auto before = static_cast<index>(after - events.begin() - 1);
    if (before < client.started || is_busy(e, in, before))
        return false;
    // Where steps take time, it may be woken at the last moment.
    const auto is_woken = [&](index i) {
        const index started = e.trace.operations[i].started;
        return started != none && e.trace.time_of(started) + e.account.slack(client.started, end) >= limit;
    };
    if (e.plan.step_cost != duration(0) &&
        std::any_of(mine.operations.begin(), mine.operations.end(), is_woken))
        return false;
    // A pool may open one at a time; and it may well wait before it tries again what has just failed, but not
    // for most of the time that a client has.
    const index failed = could.last_failure_by(before);
    const bool waits_to_retry =
        failed != none && e.trace.time_of(failed) > limit - *e.contract.time.acquire / 2;
    const std::string what =
        could.name(in, before, waits_to_retry || e.account.supply_at(before).creating > 0, "was");
    if (what.empty())
        return false;
    found.push_back(blame(in, role::acquire,
        fmt::format("{} waited until its deadline although {}", name_of_client(e, in), what),
        {{client.started, "waits"}, {end, "gives up"}},
        "a client that waits is woken when a resource or a slot becomes free", "nobody woke it"));
    return true;
}

/// A client that waits for a resource when nothing can happen any more, although it could be served: a
/// wake-up was lost, whatever others make happen when they give up. Returns whether there was something to
/// blame.
bool judge_asleep(const evidence& e, lane in, const servable& could, scene& run, violations& found)
{
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    const index rest = e.account.first_rest();
    if (rest == none || client.started > rest || client.ended < rest ||
        (client.cancelled != none && client.cancelled < rest) || e.account.client(in).acquired < rest ||
        is_busy(e, in, rest))
        return false;
    // What failed last may have been its own, or its leader's.
    const std::string what = could.name(
        in, rest, could.last_failure_by(rest) != none || e.account.supply_at(rest).creating > 0, "is");
    if (what.empty())
        return false;
    found.push_back(
        blame(in, role::acquire, fmt::format("{} waits for ever although {}", name_of_client(e, in), what),
            {{client.started, "waits"}, {rest, "nobody wakes it"}},
            "a client that waits is woken when a resource or a slot becomes free", run.pending_at(rest)));
    return true;
}

void judge_adapter(const evidence& e, scene& run, violations& found)
{
    const outcome& adapter = e.trace.adapter;
    if (!e.trace.has_adapter || (adapter.stuck == none && adapter.ended != none))
        return;
    if (adapter.stuck == none)
        return; // cut short by a limit, which is a verdict of its own
    if (may_be_kept(e.account, {adapter.stuck, adapter.stuck + 1}))
        return;
    const auto waits = e.account.pending_at(background_lane, adapter.stuck);
    const bool permitted = std::all_of(waits.begin(), waits.end(),
        [&](const pending& wait) { return wait.operation != none && e.contract.is_unbounded(wait.in); });
    if (permitted && (adapter.ended != none || e.trace.cut_off != none))
        return;
    found.push_back(blame(background_lane, role::body,
        "the adapter never came to its end: preparing or shutting down the manager waits for ever",
        {{adapter.stuck, "stuck"}}, "the manager is shut down when its clients have ended",
        run.pending_at(adapter.stuck)));
}

/// A client that waits for something that the contract does not let it wait for without end. Returns whether
/// there was something to blame.
bool judge_stuck(const evidence& e, lane in, scene& run, violations& found)
{
    const index stuck = e.trace.outcomes[static_cast<std::size_t>(in)].stuck;
    if (stuck == none)
        return false;
    for (const pending& wait : e.account.pending_at(in, stuck)) {
        const bool by_operation = wait.operation != none;
        // The body's own work may hang: nobody but the body promised anything about it.
        const bool bounded =
            e.contract.time.whole || (by_operation && e.account.operations()[wait.operation].due);
        const bool permitted =
            (wait.in == phase::body && !bounded) || e.contract.is_unbounded(wait.in) ||
            (wait.in == phase::acquire && !by_operation && may_wait_for_ever(e.account, in, stuck));
        // But what is to be waited for in the body must be something that can happen.
        const bool stranded = e.trace.has_adapter && wait.in == phase::body && !by_operation &&
                              stuck == e.account.first_rest() && run.nothing_is_pending();
        if (permitted && !stranded)
            continue;
        violation v = blame(in, role::body,
            fmt::format("{} waits for {} for ever", name_of_client(e, in),
                by_operation ? name_of_wait(e, wait.operation) : "something that is no operation"),
            {}, "every client ends",
            fmt::format(
                "it was still waiting when nothing was left that could happen; {}", run.pending_at(stuck)));
        if (by_operation) {
            const operation_record& op = e.trace.operations[wait.operation];
            v.resource = op.resource;
            v.role = op.role;
            v.proof.push_back({op.started, "never ends"});
        }
        v.proof.push_back({stuck, "stuck"});
        found.push_back(std::move(v));
        return true;
    }
    return false;
}

} // namespace

void judge_completes(const evidence& e, violations& found)
{
    scene run(e);
    std::optional<servable> could;
    if (e.contract.capacity.resources)
        could.emplace(e);
    if (!e.excused(background_lane))
        judge_adapter(e, run, found);
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const auto in = static_cast<lane>(i);
        // Probes are the business of `recovers`.
        if (client.probe || e.excused(in) || may_be_kept(e.account, {client.started, client.ended}))
            continue;
        if (could && could->is_known_for(in)) {
            if (e.contract.time.acquire && client.ended != none && client.error &&
                judge_starved(e, in, *could, found))
                continue;
            if (judge_asleep(e, in, *could, run, found))
                continue;
        }
        if (judge_stuck(e, in, run, found) || client.started == none)
            continue;
        const bool cut_short = client.ending == ending::running ||
                               e.trace.cut_off != none; // by a limit, which is a verdict of its own
        if (client.ended == none && !cut_short)
            found.push_back(blame(in, role::body,
                fmt::format("{} never ended, although it was cancelled and everything it waited for failed",
                    name_of_client(e, in)),
                {{client.stuck, "stuck"}}, "a cancelled client ends", "it is still suspended"));
    }
}

} // namespace mishap::detail
