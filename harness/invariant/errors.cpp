// SPDX-License-Identifier: MIT
// What a client is told: preserves_error, swallows_no_error, invents_no_error and reports_cleanup_errors.

#include "invariants.hpp"
#include "waivers.hpp"
#include "wording.hpp"

#include "vocabulary/causes.hpp"
#include "vocabulary/deadlines.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

namespace {

/// Whether this came no later than the first reason that the client must be told of. Those at the same
/// instant are equally first, and so is a deadline that fell together with an arrival.
bool is_as_early(const evidence& e, const reason& r, const reason& first)
{
    if (r.seen <= first.seen)
        return true;
    // What the manager started when it had seen the first is no rival of its, at whatever instant.
    if (first.what == reason::kind::operation && r.what == reason::kind::operation &&
        e.trace.operations[r.operation].started > first.seen)
        return false;
    const auto fell = [&](const reason& one) { return one.due.value_or(e.trace.time_of(one.seen)); };
    // Where each step takes time, an instant lasts for as long as nothing but steps is done.
    const duration instant = e.account.slack(first.seen, r.seen) - timer_precision;
    return fell(r) <= fell(first) + instant;
}

} // namespace

void judge_preserves_error(const evidence& e, violations& found)
{
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const auto in = static_cast<lane>(i);
        // One that sees no error at all is the business of `swallows_no_error`.
        if (!client.error || !is_judged(e, in))
            continue;
        const client_account& mine = e.account.client(in);
        const reason* const first = mine.first_owed();
        // A timeout under another name is the business of `honours_timeout`.
        if (!first || first->what == reason::kind::deadline || first->what == reason::kind::whole)
            continue;
        const bool kept = std::any_of(mine.reasons.begin(), mine.reasons.end(),
            [&](const reason& r) { return is_as_early(e, r, *first) && e.account.tells(mine, r); });
        if (kept || may_end(e.account, mine, first))
            continue;
        const operation_record* const failed =
            first->operation == none ? nullptr : &e.trace.operations[first->operation];
        violation v = blame(in, failed ? failed->role : role::body,
            fmt::format("{}, but {} saw {}", describe(e, *first), name_of_client(e, in),
                describe_error(e, client.error)),
            {{failed && failed->delivered != none ? failed->delivered : first->seen, "first error"}},
            describe(e, *first), describe_error(e, client.error));
        const index source = mine.told.source;
        if (source != none && e.trace.operations[source].delivered != none)
            v.proof.push_back({e.trace.operations[source].delivered, "replaces it"});
        else if (client.ended != none)
            v.proof.push_back({client.ended, "sees another"});
        found.push_back(std::move(v));
    }
}

namespace {

/// The client's last body, if somebody other than the client's caller had it stopped; else `none`.
index stopped_body(const evidence& e, const client_account& mine)
{
    index last = none;
    for (const index i : mine.stays)
        if (!e.account.stays()[i].nested)
            last = i;
    if (last == none || e.trace.outcomes[static_cast<std::size_t>(mine.who)].cancelled != none)
        return none;
    const body_record& body = e.trace.bodies[last];
    return body.left != none && body.error && e.account.look_into(body.error).cancelled ? last : none;
}

/// The operation of another lane whose failure made this client go on, where nothing else served it: it did
/// nothing of its own, and was lent nothing; or `none`. A failure that was reported is not lost.
index woke_it_with_a_failure(const evidence& e, const client_account& mine)
{
    if (!mine.operations.empty() && e.trace.operations[mine.operations.front()].started < mine.acquired)
        return none;
    if (mine.acquired == none || (!mine.stays.empty() && e.trace.bodies[mine.stays.front()].resource != none))
        return none;
    const event& went_on = e.trace.events[mine.acquired];
    if (went_on.why != origin::completion || went_on.cause == none)
        return none;
    const event& ended = e.trace.events[went_on.cause];
    if (ended.kind != event_kind::completed || ended.lane == mine.who)
        return none;
    const operation_record& op = e.trace.operations[ended.subject];
    const bool works = op.role == role::use || op.role == role::create || op.role == role::commit;
    return works && !op.in_body && op.result == result::failed && !e.account.was_reported(ended.subject)
               ? ended.subject
               : none;
}

/// Whether such an operation was started on the resource after that event.
template <class Is>
bool is_followed(const evidence& e, index resource, index event, Is is)
{
    const auto& on_it = e.account.resources()[resource].operations;
    for (std::size_t i = on_it.size(); i-- > 0;) {
        const operation_record& op = e.trace.operations[on_it[i]];
        if (op.started != none && op.started <= event)
            return false;
        if (op.started != none && is(op))
            return true;
    }
    return false;
}

/// Whether the contract grants closing again after this close failed, and that succeeded.
bool is_closed_again(const evidence& e, const operation_record& failed)
{
    return e.contract.attempts.close > 1 &&
           is_followed(e, failed.resource, failed.completed,
               [](const operation_record& op) { return op.role == role::close && op.result == result::ok; });
}

/// Whether what was acquired was released after all, or went with its resource, which was dropped or broken.
bool is_released_again(const evidence& e, const operation_record& failed)
{
    return failed.role == role::release &&
           (e.account.resources()[failed.resource].broke <= failed.delivered ||
               is_followed(e, failed.resource, failed.completed, [](const operation_record& op) {
                   return op.role == role::force_close ||
                          (op.role == role::release && op.result == result::ok);
               }));
}

/// A close of the background that failed, where the contract has such errors reported and nobody was told; or
/// `none`.
index lost_in_the_background(const evidence& e)
{
    const bool promised =
        e.contract.errors.reports_cleanup || e.contract.errors.close == close_error_policy::reported;
    if (!promised || e.trace.world_abandoned != none)
        return none;
    const client_account& background = e.account.client(background_lane);
    for (const index o : background.operations) {
        const operation_record& op = e.trace.operations[o];
        if (op.role == role::close && op.result == result::failed && op.delivered != none && !op.in_probe &&
            !e.account.was_reported(o) && !is_closed_again(e, op) &&
            !e.account.comes_from(o, e.trace.adapter.error, background.told))
            return o;
    }
    return none;
}

} // namespace

void judge_swallows_no_error(const evidence& e, violations& found)
{
    if (const index lost = lost_in_the_background(e); lost != none && !e.excused(background_lane)) {
        const operation_record& op = e.trace.operations[lost];
        found.push_back(blame(background_lane, role::close,
            fmt::format("{} failed in the background, and the report sink was not told", name_of(e, lost)),
            {{op.delivered, "fails"}}, "given to the report sink", "lost", op.resource));
    }
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const auto in = static_cast<lane>(i);
        if (client.ended == none || client.error || !is_judged(e, in))
            continue;
        const client_account& mine = e.account.client(in);
        if (const reason* const first = mine.first_owed()) {
            found.push_back(
                blame(in, first->operation == none ? role::body : e.trace.operations[first->operation].role,
                    fmt::format("{}, but {} saw success", describe(e, *first), name_of_client(e, in)),
                    {{first->seen, "first error"}, {client.ended, "swallows it"}}, describe(e, *first),
                    "success"));
            continue;
        }
        if (const index stopped = stopped_body(e, mine); stopped != none) {
            const body_record& body = e.trace.bodies[stopped];
            found.push_back(blame(in, role::body,
                fmt::format("the body was stopped before its end, but {} saw success", name_of_client(e, in)),
                {{body.left, "is stopped"}, {client.ended, "sees success"}}, "the reason why it was stopped",
                "success"));
            continue;
        }
        if (const index failed = woke_it_with_a_failure(e, mine); failed != none) {
            const operation_record& op = e.trace.operations[failed];
            found.push_back(blame(in, op.role,
                fmt::format("{} waited for {}, which failed, but saw success", name_of_client(e, in),
                    name_of(e, failed)),
                {{op.completed, "fails"}, {client.ended, "is woken, and sees success"}},
                "its error, or a report of it", "success", op.resource));
            continue;
        }
        // Whoever was to report a close error when the world ended runs no more.
        if (e.trace.world_abandoned != none)
            continue;
        for (const index o : mine.operations) {
            const operation_record& op = e.trace.operations[o];
            const bool cleans_up = op.role == role::close || op.role == role::release;
            const bool failed =
                cleans_up && !op.in_body && op.result == result::failed && op.delivered != none;
            if (!failed || is_closed_again(e, op) || is_released_again(e, op) ||
                is_one_of(e.contract.errors.suppresses, op.error))
                continue;
            const bool reported = e.account.was_reported(o);
            if (reported && e.contract.errors.close != close_error_policy::raised)
                continue;
            found.push_back(blame(in, op.role,
                reported ? fmt::format("{} failed and was reported, but the contract has such errors raised",
                               name_of(e, o))
                         : fmt::format("{} failed, and nobody was told", name_of(e, o)),
                {{op.delivered, "fails"}, {client.ended, "swallows it"}},
                e.contract.errors.close == close_error_policy::raised ? "raised"
                : e.contract.errors.close == close_error_policy::reported
                    ? "given to the report sink"
                    : "raised, or given to the report sink",
                reported ? "reported" : "neither raised nor reported", op.resource));
        }
    }
}

namespace {

/// Whether the client may end with its error because of a clean-up that failed or that was given up.
bool stems_from_close(const evidence& e, const client_account& mine)
{
    const std::exception_ptr& error = e.trace.outcomes[static_cast<std::size_t>(mine.who)].error;
    return std::any_of(mine.operations.begin(), mine.operations.end(), [&](index i) {
        const operation_record& op = e.trace.operations[i];
        if (op.role != role::close && op.role != role::rollback && op.role != role::release)
            return false;
        if (e.account.comes_from(i, error, mine.told) || e.account.is_translated(i, error))
            return op.result == result::failed || op.result == result::peer_gone;
        return op.result != result::failed && op.cancel_requested != none && mine.told.timeout;
    });
}

/// Fits "nothing ...".
std::string_view what_is_missing(const evidence& e, const client_account& mine)
{
    if (mine.told.source != none)
        return "failed that was its own";
    const bool any =
        !e.trace.strikes.empty() || std::any_of(e.trace.operations.begin(), e.trace.operations.end(),
                                        [](const operation_record& op) { return op.perturbed; });
    return any ? "that went wrong explains it" : "failed";
}

/// Success, or what the client might have been told.
std::string expected_of(const evidence& e, const client_account& mine)
{
    std::string text = "success";
    for (const reason& r : mine.reasons)
        if (r.what == reason::kind::operation || r.what == reason::kind::body)
            text += fmt::format(", or: {} (need not be told: {})", describe(e, r), r.waived->name);
    return text;
}

} // namespace

void judge_invents_no_error(const evidence& e, violations& found)
{
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        const auto in = static_cast<lane>(i);
        if (client.ended == none || !client.error || !is_judged(e, in))
            continue;
        const client_account& mine = e.account.client(in);
        const bool fits = std::any_of(mine.reasons.begin(), mine.reasons.end(),
            [&](const reason& r) { return r.is_owed() || e.account.tells(mine, r); });
        if (fits || may_end(e.account, mine, nullptr))
            continue;
        const bool from_close = stems_from_close(e, mine);
        if (from_close && e.contract.errors.close != close_error_policy::reported)
            continue;
        found.push_back(blame(in, from_close ? role::close : role::body,
            from_close ? fmt::format("{} saw {}, but the contract has close errors reported, not raised",
                             name_of_client(e, in), describe_error(e, client.error))
                       : fmt::format("nothing {}, but {} saw {}", what_is_missing(e, mine),
                             name_of_client(e, in), describe_error(e, client.error)),
            {{client.ended, "sees an error"}}, expected_of(e, mine), describe_error(e, client.error)));
    }
}

void judge_reports_cleanup_errors(const evidence& e, violations& found)
{
    if (!e.contract.errors.reports_cleanup && e.contract.errors.close != close_error_policy::reported)
        return;
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        const bool cleans_up =
            op.role == role::close || op.role == role::rollback || op.role == role::release;
        if (!cleans_up || op.result != result::failed || op.delivered == none || !is_judged(e, op.id.lane))
            continue;
        // One that stands alone is the business of `swallows_no_error`.
        const outcome& client = e.trace.outcomes[static_cast<std::size_t>(op.id.lane)];
        if (client.ended == none || !client.error || e.account.client(op.id.lane).told.source == i ||
            returned_value(e.trace, i, client.error) || e.account.is_translated(i, client.error) ||
            e.account.was_reported(i))
            continue;
        found.push_back(blame(op,
            fmt::format("{} failed while {} was on its way out, and the report sink was not told",
                name_of(e, i), describe_error(e, client.error)),
            {{op.delivered, "fails"}, {client.ended, "sees another error"}}, "given to the report sink",
            "lost"));
    }
}

} // namespace mishap::detail
