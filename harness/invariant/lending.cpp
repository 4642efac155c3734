// SPDX-License-Identifier: MIT
// Who is lent what: exclusive, within_capacity, discards_broken, body_runs_once, fair and recovers.

#include "invariants.hpp"
#include "waivers.hpp"
#include "wording.hpp"

#include "vocabulary/causes.hpp"
#include "vocabulary/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <optional>
#include <utility>
#include <vector>

namespace mishap::detail {

namespace {

/// Whether the contract lets both clients hold one resource at once, by their modes.
bool go_together(const evidence& e, lane one, lane other)
{
    if (!e.account.has_client(one) || !e.account.has_client(other))
        return false;
    const std::string_view a = e.trace.outcomes[static_cast<std::size_t>(one)].mode.text();
    const std::string_view b = e.trace.outcomes[static_cast<std::size_t>(other)].mode.text();
    const auto& pairs = e.contract.capacity.together;
    return std::any_of(pairs.begin(), pairs.end(), [&](const auto& may) {
        return (may.first == a && may.second == b) || (may.first == b && may.second == a);
    });
}

} // namespace

void judge_exclusive(const evidence& e, violations& found)
{
    if (e.contract.capacity.shared || e.trace.bodies.size() < 2)
        return;
    const auto& bodies = e.trace.bodies;
    std::vector<overlap> overlaps;
    for (const resource_account& resource : e.account.resources())
        find_overlaps(
            resource.stays, [&](index i) { return e.account.stays()[i].during; },
            [&](index first, index second) {
                return bodies[first].lane != bodies[second].lane &&
                       !go_together(e, bodies[first].lane, bodies[second].lane);
            },
            overlaps);
    std::sort(overlaps.begin(), overlaps.end());
    for (const auto& [i, j] : overlaps) {
        found.push_back(blame(bodies[i].lane, role::acquire,
            fmt::format("{} was lent to {} while {} still had it", name_of_resource(e, bodies[i].resource),
                name_of_client(e, bodies[i].lane), name_of_client(e, bodies[j].lane)),
            {{bodies[j].entered, "lent"}, {bodies[i].entered, "lent again"}}, "one borrower at a time",
            "two at once", bodies[i].resource));
    }
}

namespace {

/// Whether a create that arrived after it was given up is closed at once.
bool is_late_and_closed(const trace& happened, const operation_record& create)
{
    if (create.cancel_requested == none || create.completed == none ||
        create.cancel_requested > create.completed)
        return false;
    const resource_record& resource = happened.resources[create.resource];
    return resource.first_close != none &&
           happened.time_of(happened.operations[resource.first_close].started) ==
               happened.time_of(create.completed);
}

} // namespace

void judge_within_capacity(const evidence& e, violations& found)
{
    judge_thrift(e, found);
    if (!e.contract.capacity.resources)
        return;
    const auto most = static_cast<std::int64_t>(*e.contract.capacity.resources);
    std::int64_t count = 0;
    std::vector<bool> counted(e.trace.resources.size(), false);
    const auto set = [&](index resource, bool now) {
        count += static_cast<int>(now) - static_cast<int>(static_cast<bool>(counted[resource]));
        counted[resource] = now;
    };
    for (index i = 0; i < e.trace.events.size(); ++i) {
        const event& at = e.trace.events[i];
        if (at.kind == event_kind::destroyed && at.lane >= 0 &&
            static_cast<std::size_t>(at.lane) < e.trace.outcomes.size() &&
            e.trace.outcomes[static_cast<std::size_t>(at.lane)].abandoned != none)
            set(at.subject, false); // it went with its client
        const bool of_operation = at.kind == event_kind::started || at.kind == event_kind::completed ||
                                  at.kind == event_kind::cancel_requested;
        if (at.kind == event_kind::destroyed && e.contract.closing.by != closing::operation)
            set(at.subject, false);
        if (!of_operation)
            continue;
        const operation_record& op = e.trace.operations[at.subject];
        if (op.resource == none)
            continue;
        if (op.role == role::create && at.kind == event_kind::started)
            set(op.resource, true);
        else if (op.role == role::create && at.kind == event_kind::cancel_requested) {
            if (op.completed == none || op.completed > i)
                set(op.resource, false); // nobody waits for it any more
        } else if (op.role == role::create && at.kind == event_kind::completed)
            set(op.resource,
                op.result == result::ok && !yielded_nothing(op) && !is_late_and_closed(e.trace, op));
        else if ((op.role == role::close || op.role == role::force_close) &&
                 at.kind ==
                     (e.contract.capacity.closing_counts ? event_kind::completed : event_kind::started))
            set(op.resource, false);
        else
            continue;
        if (count > most) {
            found.push_back(blame(op.id.lane, role::create,
                fmt::format("{} resources exist at once, but the capacity is {}", count, most),
                {{i, fmt::format("the {} at once", ordinal(static_cast<std::uint64_t>(count)))}},
                fmt::format("at most {}", most), fmt::format("{}", count), op.resource));
            return;
        }
    }
}

namespace {

/// The event at which everybody could know that this operation left its resource broken, or `none`.
index broke_at(const evidence& e, const operation_record& op)
{
    if (op.role == role::create || op.delivered == none)
        return none;
    if (op.result == result::failed && !op.fails_body)
        return has_broken(op) ? op.delivered : none;
    if (op.role != role::use || !e.contract.work.cancelled_use_breaks)
        return none;
    return op.result == result::aborted ? op.delivered : op.result == result::abandoned ? op.completed : none;
}

} // namespace

void judge_discards_broken(const evidence& e, violations& found)
{
    if (e.contract.work.keeps_broken)
        return;
    for (index o = 0; o < e.trace.operations.size(); ++o) {
        const operation_record& op = e.trace.operations[o];
        const index broke = op.resource == none ? none : broke_at(e, op);
        if (broke == none)
            continue;
        const auto& stays = e.account.resources()[op.resource].stays;
        const auto again = std::partition_point(
            stays.begin(), stays.end(), [&](index i) { return e.trace.bodies[i].entered < broke; });
        if (again == stays.end())
            continue;
        const body_record& body = e.trace.bodies[*again];
        found.push_back(blame(body.lane, role::acquire,
            fmt::format("{} was lent again after {} had left it broken", name_of_resource(e, op.resource),
                name_of(e, o)),
            {{broke, "breaks it"}, {body.entered, "lent again"}},
            "a broken resource is closed, and another one is created",
            fmt::format("lent to {}", name_of_client(e, body.lane)), op.resource));
    }
}

namespace {

/// The create whose failure should have kept the body from being run, or `none`. A body that is lent nothing
/// is not blamed while any resource is open: which one it works on cannot be told then.
index failed_create(const evidence& e, const body_record& body)
{
    const auto failed_before = [&](const operation_record& op) {
        return op.role == role::create && (op.result == result::failed || op.result == result::aborted) &&
               op.delivered != none && op.delivered < body.entered;
    };
    if (body.resource != none) {
        const index create = e.trace.resources[body.resource].create;
        return create != none && failed_before(e.trace.operations[create]) &&
                       !e.account.resources()[body.resource].open.contains(body.entered)
                   ? create
                   : none;
    }
    const auto& mine = e.account.client(body.lane).operations;
    const auto last = std::find_if(
        mine.rbegin(), mine.rend(), [&](index i) { return failed_before(e.trace.operations[i]); });
    return last != mine.rend() && e.account.supply_at(body.entered).open == 0 ? *last : none;
}

/// The last acquire before that body, if it failed, so that nothing was held; else `none`. Unless the
/// contract lets that error be swallowed: then doing without is the manager's way.
index failed_acquire(const evidence& e, const body_record& body)
{
    const auto& mine = e.account.client(body.lane).operations;
    const auto last = std::find_if(mine.rbegin(), mine.rend(), [&](index i) {
        const operation_record& op = e.trace.operations[i];
        return op.role == role::acquire && op.delivered < body.entered && !op.in_body;
    });
    if (last == mine.rend())
        return none;
    const operation_record& op = e.trace.operations[*last];
    const bool was_held = op.result != result::failed && op.result != result::aborted;
    return was_held || is_one_of(e.contract.errors.suppresses, op.error) ? none : *last;
}

/// Whether that body returned, and nothing that belongs to it failed until it was run again: a commit, say.
bool succeeded(const evidence& e, index body, index again)
{
    const body_record& ran = e.trace.bodies[body];
    if (ran.error || ran.left == none)
        return false;
    const auto& mine = e.account.client(ran.lane).operations;
    return std::none_of(mine.begin(), mine.end(), [&](index i) {
        const operation_record& op = e.trace.operations[i];
        return op.role == role::commit && op.started > ran.left && op.started < again &&
               op.result != result::ok;
    });
}

} // namespace

void judge_body_runs_once(const evidence& e, violations& found)
{
    for (index i = 0; i < e.trace.bodies.size(); ++i) {
        const body_record& body = e.trace.bodies[i];
        if (body.lane < 0 || e.excused(body.lane) || e.account.stays()[i].nested)
            continue;
        index failed = failed_create(e, body);
        failed = failed != none ? failed : failed_acquire(e, body);
        if (failed != none) {
            const operation_record& op = e.trace.operations[failed];
            found.push_back(blame(body.lane, op.role,
                fmt::format("the body was run although {} had failed", name_of(e, failed)),
                {{op.delivered, op.role == role::create ? "gives no resource" : "acquires nothing"},
                    {body.entered, "runs the body all the same"}},
                "what the body works on is there, or there is no body", "the body was run", op.resource));
            return;
        }
        std::uint32_t attempt = 1;
        index before = none;
        for (const index j : e.account.client(body.lane).stays)
            if (j < i && !e.account.stays()[j].nested) {
                ++attempt;
                before = j;
            }
        const bool was_served = before != none && succeeded(e, before, body.entered);
        if (attempt <= e.contract.attempts.body && !was_served)
            continue;
        found.push_back(blame(body.lane, role::body,
            attempt <= e.contract.attempts.body
                ? fmt::format(
                      "{} had its body run again, although it had returned", name_of_client(e, body.lane))
            : e.contract.attempts.body == 1
                ? fmt::format("{} had its body run again", name_of_client(e, body.lane))
                : fmt::format("{} had its body run {} times, but the contract permits {}",
                      name_of_client(e, body.lane), attempt, e.contract.attempts.body),
            {{e.trace.bodies[before].entered, "runs it"}, {body.entered, "runs it again"}},
            e.contract.attempts.body == 1
                ? std::string("the body runs once")
                : fmt::format("the body runs at most {} times", e.contract.attempts.body),
            fmt::format("run number {}", attempt), body.resource));
        return;
    }
}

namespace {

/// How long an instant lasts: where each step takes time, for as long as nothing but steps is done.
duration instant(const evidence& e, index since, index event)
{
    return e.plan.step_cost == duration(0) ? duration(0) : e.account.slack(since, event);
}

/// A client that was served, and what lets a later one overtake it.
struct guest
{
    lane who;
    index came;
    index served;
    /// From when on it is not in line: who creates a resource of its own does not queue for one, and what is
    /// done to a resource before it is lent (a ping, a begin) may take its time. `none` if that never
    /// happened.
    index busy = none;
    bool can_be_overtaken = false; ///< it was cancelled or abandoned
};

index busy_since(const evidence& e, const client_account& client)
{
    for (const index i : client.operations) {
        const operation_record& op = e.trace.operations[i];
        if (op.started != none && !op.in_body &&
            (op.role == role::create || (op.perturbed && op.role != role::close)))
            return op.started;
    }
    return none;
}

bool is_busy_by(const evidence& e, const guest& first, index event)
{
    return first.busy != none &&
           (first.busy < event ||
               e.trace.time_of(first.busy) <= e.trace.time_of(event) + instant(e, event, first.busy));
}

/// Whether the first was served at the same instant, either with something that the second had not given
/// back, or while there was room for both: then both were granted theirs, and the way to the one is only some
/// steps longer than to the other.
bool overtakes_by_a_hop(const evidence& e, const guest& first, const guest& second)
{
    if (e.trace.time_of(first.served) >
        e.trace.time_of(second.served) + instant(e, second.served, first.served))
        return false;
    const body_record& one = e.trace.bodies[e.account.client(first.who).stays.front()];
    const body_record& other = e.trace.bodies[e.account.client(second.who).stays.front()];
    return other.left > first.served || other.resource != one.resource ||
           (e.contract.capacity.resources &&
               static_cast<std::uint32_t>(e.account.supply_at(second.served).inside) <
                   *e.contract.capacity.resources);
}

} // namespace

void judge_fair(const evidence& e, violations& found)
{
    if (!e.contract.capacity.fair)
        return;
    std::vector<guest> served;
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const client_account& mine = e.account.client(static_cast<lane>(i));
        if (client.started != none && !mine.stays.empty())
            served.push_back({mine.who, client.started, e.trace.bodies[mine.stays.front()].entered,
                busy_since(e, mine), client.cancelled != none || client.abandoned != none});
    }
    // In the order in which they came, those whose turn has not come, and may.
    std::sort(served.begin(), served.end(), [](const guest& a, const guest& b) { return a.came < b.came; });
    std::list<guest> line(served.begin(), served.end());
    std::sort(
        served.begin(), served.end(), [](const guest& a, const guest& b) { return a.served < b.served; });
    std::optional<std::pair<guest, guest>> wrong;
    for (const guest& second : served) {
        for (auto at = line.begin(); at != line.end() && at->came <= second.came;) {
            const guest first = *at;
            if (first.served <= second.served || first.can_be_overtaken ||
                is_busy_by(e, first, second.served)) {
                at = line.erase(at);
                continue;
            }
            ++at;
            const bool same_kind = e.trace.outcomes[static_cast<std::size_t>(first.who)].probe ==
                                   e.trace.outcomes[static_cast<std::size_t>(second.who)].probe;
            if (first.who >= second.who || !same_kind || overtakes_by_a_hop(e, first, second))
                continue;
            if (!wrong || std::pair(first.who, second.who) < std::pair(wrong->first.who, wrong->second.who))
                wrong.emplace(first, second);
            break;
        }
    }
    if (!wrong)
        return;
    const auto& [first, second] = *wrong;
    found.push_back(blame(second.who, role::acquire,
        fmt::format("client {} came after client {} and was served before it", second.who, first.who),
        {{first.came, "came first"}, {second.served, "served first"}},
        "clients are served in the order in which they came",
        fmt::format("client {} before client {}", second.who, first.who)));
}

void judge_recovers(const evidence& e, violations& found)
{
    const std::size_t probes = e.contract.fresh_clients();
    // They come again where some were refused, so that the last ones count; but an error of another kind
    // counts always.
    const auto fresh = static_cast<std::size_t>(std::count_if(e.trace.outcomes.begin(),
        e.trace.outcomes.end(), [](const outcome& client) { return client.probe; }));
    const std::size_t earlier = fresh - std::min(fresh, probes);
    std::size_t seen = 0;
    std::size_t served = 0;
    const outcome* failed = nullptr;
    lane in = 0;
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        if (!client.probe)
            continue;
        if (seen % probes == 0 && !failed)
            served = 0;
        else if (seen % probes == 0)
            break;
        const bool ok = client.ended != none && !client.error && client.stuck == none;
        served += ok;
        if (!ok && !failed && (seen >= earlier || !e.account.client(static_cast<lane>(i)).refused)) {
            failed = &client;
            in = static_cast<lane>(i);
        }
        ++seen;
    }
    if (!failed || e.excused(in) || !e.plan.invalid_settings.empty() ||
        is_one_of(e.contract.errors.ended, failed->error) ||
        may_be_kept(e.account, {failed->started, failed->ended}))
        return;
    for (std::size_t i = 0; i < e.consequence.size(); ++i)
        if (e.consequence[i])
            return; // somebody never came back, which is reported already
    found.push_back(blame(in, role::acquire,
        fmt::format("of {} fresh client{}, only {} were served afterwards; the first other one {}", probes,
            probes == 1 ? "" : "s", served,
            failed->stuck != none ? std::string("waits for ever")
                                  : fmt::format("saw {}", describe_error(e, failed->error))),
        {{failed->stuck != none ? failed->stuck : failed->ended, "not served"}},
        e.contract.capacity.resources
            ? fmt::format("as many clients as there is capacity ({}){} are served, with no fault about",
                  *e.contract.capacity.resources,
                  e.contract.capacity.waiters == 0
                      ? std::string()
                      : fmt::format(" and room to wait ({})", e.contract.capacity.waiters))
            : std::string("a client that comes afterwards is served, with no fault about"),
        fmt::format("{} of {}", served, probes)));
}

} // namespace mishap::detail
