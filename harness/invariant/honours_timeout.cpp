#include "invariants.hpp"
#include "reading.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace mishap::detail {

namespace {

/// The event at which nothing could happen any more while this client waited for its turn, or `none`: no
/// deadline of its own was running then. (That others are cancelled next, and make room, does not mend it.)
index overslept_at(const evidence& e, lane in, index end)
{
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    for (index i = client.started; i < end; ++i) {
        const event& at = e.trace.events[i];
        if (at.kind != event_kind::stage || at.subject != static_cast<index>(stage::stuck))
            continue;
        const auto waits = waits_at(e.trace, in, i);
        const bool in_line = waits.size() == 1 && waits.front().operation == none;
        return in_line && (client.cancelled == none || client.cancelled > i) ? i : none;
    }
    return none;
}

/// Whether a client stopped what it was waiting for, or began to clean up, when that limit passed.
bool gave_up_at(const evidence& e, lane in, duration limit)
{
    const auto is_now = [&](index event) {
        return event != none && e.trace.time_of(event) >= limit &&
               e.trace.time_of(event) <=
                   limit + tolerance(e, e.trace.outcomes[static_cast<std::size_t>(in)].started, event);
    };
    return std::any_of(e.trace.operations.begin(), e.trace.operations.end(), [&](const operation_record& op) {
        const bool cleans_up = op.role == role::close || op.role == role::force_close ||
                               op.role == role::release || op.role == role::rollback;
        return op.id.lane == in && (is_now(op.cancel_requested) || (cleans_up && is_now(op.started)));
    });
}

void judge_acquire(const evidence& e, lane in, violations& found)
{
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    const index end = end_of_acquire(e.trace, in);
    if (end == none || client.started == none)
        return;
    const duration timeout = *e.contract.acquire_timeout;
    const duration lasted = e.trace.time_of(end) - e.trace.time_of(client.started);
    const auto blame = [&](std::string sentence, std::string expected, std::string actual) {
        found.push_back({
            .sentence = std::move(sentence),
            .lane = in,
            .role = role::acquire,
            .proof = {{client.started, "the clock starts"}, {end, "it ends"}},
            .expected = std::move(expected),
            .actual = std::move(actual),
        });
    };
    if (const index overslept = overslept_at(e, in, end); overslept != none) {
        found.push_back({
            .sentence = fmt::format("{} waited without a deadline", name_of_client(e, in)),
            .lane = in,
            .role = role::acquire,
            .proof = {{client.started, "the clock starts"}, {overslept, "nothing would end its wait"}},
            .expected =
                fmt::format("given up between {} and {} + 1us", to_string(timeout), to_string(timeout)),
            .actual = "still waiting when nothing was left that could happen",
        });
        return;
    }
    const auto primaries = primaries_of(e, in);
    const bool other_reason = std::any_of(primaries.begin(), primaries.end(), [&](const primary& p) {
        return p.what != primary::kind::deadline && p.what != primary::kind::whole && p.seen <= end &&
               (!p.optional || p.what == primary::kind::cancellation || is_passed_on(e, p, client.error));
    });
    const duration limit = e.trace.time_of(client.started) + timeout;
    if (lasted > timeout + tolerance(e, client.started, end)) {
        // Clean-up after another reason may take its own time, and so may that after giving up in time.
        if (!other_reason && !gave_up_at(e, in, limit))
            blame(fmt::format(
                      "{} was still without a resource after {}", name_of_client(e, in), to_string(lasted)),
                fmt::format("given up between {} and {} + 1us", to_string(timeout), to_string(timeout)),
                fmt::format("after {}", to_string(lasted)));
        return;
    }
    if (end != client.ended || !client.error || other_reason)
        return;
    if (lasted < timeout && is_timeout(e.contract, client.error) &&
        find_source(e.trace, client.error) == none)
        blame(fmt::format("{} was told of a time-out after {}, before its deadline of {}",
                  name_of_client(e, in), to_string(lasted), to_string(timeout)),
            fmt::format("waited for until {}", to_string(timeout)),
            fmt::format("given up after {}", to_string(lasted)));
    else if (lasted >= timeout && !is_timeout(e.contract, client.error))
        blame(fmt::format("{} had no resource after {}, but saw {}", name_of_client(e, in), to_string(lasted),
                  describe_error(e, client.error)),
            fmt::format("one of: {}", fmt::join(e.contract.timeout_errors, ", ")),
            describe_error(e, client.error));
}

/// Whether a deadline of the client's own passed just then, which ends what it was waiting for.
bool is_client_deadline(const evidence& e, lane in, index at)
{
    if (in < 0 || static_cast<std::size_t>(in) >= e.trace.outcomes.size())
        return false;
    const duration lasted =
        e.trace.time_of(at) - e.trace.time_of(e.trace.outcomes[static_cast<std::size_t>(in)].started);
    const auto is_now = [&](const std::optional<duration>& timeout) {
        return timeout && lasted >= *timeout &&
               lasted <= *timeout + tolerance(e, e.trace.outcomes[static_cast<std::size_t>(in)].started, at);
    };
    return is_now(e.contract.acquire_timeout) || is_now(e.contract.whole_timeout);
}

void judge_whole(const evidence& e, lane in, violations& found)
{
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    const index end = end_of_work(e.trace, in);
    if (end == none || client.started == none)
        return; // stuck: `completes` speaks of it
    const duration timeout = *e.contract.whole_timeout;
    const duration lasted = e.trace.time_of(end) - e.trace.time_of(client.started);
    const auto blame = [&](std::string sentence, std::string expected, std::string actual) {
        found.push_back({
            .sentence = std::move(sentence),
            .lane = in,
            .role = role::body,
            .proof = {{client.started, "the clock starts"}, {end, "it ends"}},
            .expected = std::move(expected),
            .actual = std::move(actual),
        });
    };
    const auto primaries = primaries_of(e, in);
    const bool other_reason = std::any_of(primaries.begin(), primaries.end(), [&](const primary& p) {
        return p.what != primary::kind::whole && p.what != primary::kind::deadline && p.seen <= end &&
               (!p.optional || p.what == primary::kind::cancellation || is_passed_on(e, p, client.error));
    });
    const duration limit = e.trace.time_of(client.started) + timeout;
    const bool was_stopped = std::any_of(primaries.begin(), primaries.end(),
        [](const primary& p) { return p.what == primary::kind::whole && !p.optional; });
    const bool never_worked = end == client.ended && gave_up_at(e, in, limit);
    if (lasted > timeout + tolerance(e, client.started, end) && !never_worked)
        blame(fmt::format("{} was still at work after {}", name_of_client(e, in), to_string(lasted)),
            fmt::format("stopped between {} and {} + 1us", to_string(timeout), to_string(timeout)),
            fmt::format("after {}", to_string(lasted)));
    else if (lasted >= timeout && was_stopped && client.error && !other_reason &&
             !is_timeout(e.contract, client.error))
        blame(fmt::format("{} was stopped after {}, but saw {}", name_of_client(e, in), to_string(lasted),
                  describe_error(e, client.error)),
            fmt::format("one of: {}", fmt::join(e.contract.timeout_errors, ", ")),
            describe_error(e, client.error));
}

/// Whether the operation's client left its body while it was under way.
bool body_ended_since(const evidence& e, const operation_record& op, index end)
{
    return std::any_of(e.trace.bodies.begin(), e.trace.bodies.end(), [&](const body_record& body) {
        return body.lane == op.id.lane && body.left > op.started && body.left <= end;
    });
}

} // namespace

void judge_honours_timeout(const evidence& e, violations& found)
{
    if (e.contract.acquire_timeout)
        for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i)
            if (is_judged(e, static_cast<lane>(i)))
                judge_acquire(e, static_cast<lane>(i), found);
    if (e.contract.whole_timeout)
        for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i)
            if (is_judged(e, static_cast<lane>(i)))
                judge_whole(e, static_cast<lane>(i), found);
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        const auto timeout = deadline_of(e.contract, op);
        if (!timeout || op.started == none || op.in_probe || op.result == result::abandoned ||
            e.excused(op.id.lane))
            continue;
        const index end = end_of_wait(e, i);
        if (end == none)
            continue; // stuck: `completes` speaks of it
        if (e.trace.world_abandoned <= end)
            continue; // what ends with the world is given up by nobody
        // Attempts share one deadline, unless each has its own.
        const index clock_starts = e.trace.operations[clock_of(e, i)].started;
        const duration lasted = e.trace.time_of(end) - e.trace.time_of(clock_starts);
        const duration limit = e.trace.time_of(clock_starts) + *timeout;
        const bool ended_by_itself = op.delivered == end && op.cancel_requested == none;
        const auto blame = [&](std::string sentence, std::string expected, std::string actual) {
            found.push_back({
                .sentence = std::move(sentence),
                .lane = op.id.lane,
                .resource = op.resource,
                .role = op.role,
                .proof = {{clock_starts, "the clock starts"}, {end, "given up"}},
                .expected = std::move(expected),
                .actual = std::move(actual),
            });
        };
        if (lasted > *timeout + tolerance(e, clock_starts, end)) {
            blame(fmt::format("{} took {}, past its deadline of {}", name_of(e, i), to_string(lasted),
                      to_string(*timeout)),
                fmt::format("given up between {} and {} + 1us", to_string(*timeout), to_string(*timeout)),
                fmt::format("{} after {}", ended_by_itself ? "waited for" : "given up", to_string(lasted)));
            continue;
        }
        if (ended_by_itself)
            continue;
        if (lasted < *timeout) {
            // Somebody else's reason to stop is no early time-out.
            if (cancelled_before(e.trace, op.id.lane, end) || is_client_deadline(e, op.id.lane, end))
                continue;
            if ((op.role == role::maintenance && op.id.lane == background_lane) ||
                body_ended_since(e, op, end))
                continue; // there was no more need for it
            if (op.role == role::create && e.contract.create_attempts > 1)
                continue; // a rival was there first, or a time-out for each attempt is the manager's own
                          // affair
            const auto& client = e.trace.outcomes;
            const bool has_client = op.id.lane >= 0 && static_cast<std::size_t>(op.id.lane) < client.size();
            if (has_client) {
                const auto primaries = primaries_of(e, op.id.lane);
                if (!primaries.empty() && primaries.front().seen <= end)
                    continue;
            }
            if (op.result != result::pending && op.result != result::aborted)
                continue; // its result was on its way
            blame(fmt::format("{} was given up after {}, before its deadline of {}", name_of(e, i),
                      to_string(lasted), to_string(*timeout)),
                fmt::format("waited for until {}", to_string(*timeout)),
                fmt::format("given up after {}", to_string(lasted)));
            continue;
        }
        // Given up at the deadline. The client must learn that it was a time-out, unless something was wrong
        // before.
        if (op.role == role::close || op.id.lane < 0 ||
            static_cast<std::size_t>(op.id.lane) >= e.trace.outcomes.size())
            continue;
        const outcome& client = e.trace.outcomes[static_cast<std::size_t>(op.id.lane)];
        const auto primaries = primaries_of(e, op.id.lane);
        const bool is_first = !primaries.empty() && primaries.front().what == primary::kind::deadline &&
                              primaries.front().operation == i && !primaries.front().optional;
        if (is_first && client.ending == ending::threw && !is_timeout(e.contract, client.error))
            blame(fmt::format("{} timed out, but {} saw {}", name_of(e, i), name_of_client(e, op.id.lane),
                      describe_error(e, client.error)),
                fmt::format("one of: {}", fmt::join(e.contract.timeout_errors, ", ")),
                describe_error(e, client.error));
    }
}

} // namespace mishap::detail
