// SPDX-License-Identifier: MIT
#include "waivers.hpp"

#include "vocabulary/deadlines.hpp"
#include "vocabulary/wire_errors.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

namespace mishap::detail {

namespace {

using question = reason_in_question;

const operation_record& operation_of(const question& q) { return q.of.trace().operations[q.one.operation]; }

const outcome& outcome_of(const account& of, const client_account& client)
{
    return of.trace().outcomes[static_cast<std::size_t>(client.who)];
}

bool is(const question& q, reason::kind what) { return q.one.what == what; }

/// Whether this is an operation's deadline, or its failure.
bool is_of(const question& q, reason::kind what) { return is(q, what) && q.one.operation != none; }

bool is_create(const question& q)
{
    return is_of(q, reason::kind::operation) && operation_of(q).role == role::create &&
           operation_of(q).result == result::failed;
}

bool is_between_attempts(const question& q)
{
    return is_of(q, reason::kind::deadline) && q.one.seen == outcome_of(q.of, q.client).ended &&
           operation_of(q).delivered < q.one.seen;
}

/// Whether it is a check beside the body that its client is told of.
bool is_told_check(const question& q)
{
    return q.of.contract().errors.checks_are_told && operation_of(q).id.lane == q.client.who &&
           operation_of(q).role == role::maintenance &&
           (is(q, reason::kind::operation) || q.of.operations()[q.one.operation].beside_body);
}

/// Whether it is a failure of an attempt that the contract grants: of a create, or of a step of the manager's
/// on what was created that was not lent yet, such as a handshake.
bool is_of_attempt(const question& q)
{
    if (is_create(q))
        return true;
    if (!is_of(q, reason::kind::operation) && !is_of(q, reason::kind::deadline))
        return false;
    const operation_record& op = operation_of(q);
    if (op.in_body || op.resource == none || op.role == role::close || op.role == role::create)
        return false;
    const auto& lent = q.of.resources()[op.resource].stays;
    return lent.empty() || q.of.trace().bodies[lent.front()].entered > q.one.seen;
}

bool retried(const question& q)
{
    if (is_of_attempt(q) && q.of.operations()[q.one.operation].attempt < q.of.contract().attempts.create) {
        // In its own lane, whoever it was for.
        const index next = q.of.client(operation_of(q).id.lane).last_create;
        if (next != none && next > (is_create(q) ? operation_of(q).delivered : q.one.seen))
            return true;
    }
    const bool of_attempt =
        is_of(q, reason::kind::operation) || is_of(q, reason::kind::deadline) || is(q, reason::kind::body);
    return (of_attempt && q.of.is_tried_again(q.client.who, q.one.seen)) || is_between_attempts(q);
}

bool rival(const question& q) { return is_create(q) && q.of.has_rival(q.one.operation, q.one.seen); }

bool served_otherwise(const question& q)
{
    if (is_of(q, reason::kind::deadline))
        return operation_of(q).role == role::create && q.of.contract().attempts.create > 1 &&
               !q.client.stays.empty();
    if (!is_create(q))
        return false;
    const trace& happened = q.of.trace();
    return std::any_of(q.client.stays.begin(), q.client.stays.end(), [&](index i) {
        const body_record& body = happened.bodies[i];
        if (body.entered < operation_of(q).delivered || body.resource == none ||
            body.resource == operation_of(q).resource)
            return false;
        const resource_record& lent = happened.resources[body.resource];
        return lent.home != q.client.who ||
               (lent.create != none && happened.operations[lent.create].started < operation_of(q).started);
    });
}

bool on_the_side(const question& q)
{
    if (!is_of(q, reason::kind::operation) && !is_of(q, reason::kind::deadline))
        return false;
    const operation_record& op = operation_of(q);
    if (is_told_check(q)) {
        // What its client did by then, it did without knowing.
        const bool left_in_time = is(q, reason::kind::deadline) &&
                                  std::any_of(q.client.stays.begin(), q.client.stays.end(), [&](index i) {
                                      const index left = q.of.trace().bodies[i].left;
                                      return left != none && q.of.trace().time_of(left) <= *q.one.due;
                                  });
        return left_in_time || q.of.outlasts_body(q.one.operation, q.one.seen);
    }
    if (is(q, reason::kind::deadline))
        return op.id.lane != q.client.who;
    return op.id.lane == background_lane || op.in_body || op.role == role::maintenance ||
           q.of.is_on_the_side(q.one.operation, q.one.seen);
}

bool shared(const question& q)
{
    return q.of.contract().capacity.shared && is_of(q, reason::kind::operation) &&
           operation_of(q).id.lane != q.client.who && q.one.seen == operation_of(q).completed;
}

bool peer_gone(const question& q)
{
    if (is_of(q, reason::kind::operation))
        return operation_of(q).result == result::peer_gone && !is_told_check(q);
    return is(q, reason::kind::cancellation) &&
           std::any_of(q.client.operations.begin(), q.client.operations.end(), [&](index i) {
               const operation_record& op = q.of.trace().operations[i];
               return op.result == result::peer_gone && op.cancel_requested != none &&
                      op.cancel_requested >= q.one.seen;
           });
}

/// Whether the body was made to stop when the deadline of all its work passed.
bool was_stopped(const account& of, const client_account& client, index end)
{
    return std::any_of(client.stays.begin(), client.stays.end(), [&](index i) {
        const body_record& body = of.trace().bodies[i];
        return body.left == end && body.error && of.look_into(body.error).cancelled;
    });
}

/// Whether something that ignored being given up at its deadline was waited for, and succeeded after all.
bool arrived_after_all(const question& q)
{
    if (!is_of(q, reason::kind::deadline) || q.of.contract().work.survives_deaf || is_told_check(q))
        return false;
    const operation_record& op = operation_of(q);
    if (op.result != result::ok || op.delivered == none || op.cancel_requested >= op.completed ||
        q.of.was_left_behind(q.one.operation, op.completed))
        return false;
    return op.role != role::create || std::any_of(q.client.stays.begin(), q.client.stays.end(), [&](index i) {
        return q.of.trace().bodies[i].entered > op.delivered;
    });
}

bool same_instant(const question& q)
{
    const index ended = outcome_of(q.of, q.client).ended;
    if (is(q, reason::kind::whole))
        return q.one.seen != ended && !was_stopped(q.of, q.client, q.one.seen);
    if (!is(q, reason::kind::deadline))
        return false;
    if (q.one.operation == none)
        return q.one.seen != ended;
    const operation_record& op = operation_of(q);
    return !is_told_check(q) && op.completed != none && op.result != result::aborted &&
           q.of.trace().time_of(op.completed) <= *q.one.due + q.of.slack(op.started, op.completed);
}

/// Whether this operation was started when its client had left its body for good.
bool is_after_bodies(const account& of, const client_account& client, const operation_record& op)
{
    return !client.stays.empty() && std::all_of(client.stays.begin(), client.stays.end(),
                                        [&](index i) { return of.trace().bodies[i].left <= op.started; });
}

/// Whether the client suspended in nothing but the ends of things after that event.
bool only_cleans_up_after(const account& of, const client_account& client, index event)
{
    if (!client.stays.empty() && of.trace().bodies[client.stays.back()].entered > event)
        return false;
    return std::all_of(client.operations.begin(), client.operations.end(), [&](index i) {
        const operation_record& op = of.trace().operations[i];
        if (op.started == none || (op.completed != none && op.completed < event) || op.blocking)
            return true; // no suspension
        if (of.was_left_behind(i, event) || of.is_on_the_side(i, event))
            return true; // nobody waited for it any more
        // The body learns of nothing where what it waits for succeeds although it was asked to stop; and it
        // may fail by itself.
        if (op.in_body && op.result == result::ok && op.cancel_requested < op.completed)
            return true;
        if (op.role == role::body && op.started > event && op.result == result::failed)
            return true;
        // What comes after the body is a farewell, and a commit may well be finished.
        return (!op.in_body && op.role != role::body && is_after_bodies(of, client, op)) ||
               op.role == role::close || op.role == role::force_close || op.role == role::commit ||
               op.role == role::rollback;
    });
}

/// Whether nothing but clean-up was in flight for the client at that event, and none of it was asked to stop.
/// Clean-up counts until the client has done something else, since what awaits it may be nested.
bool waits_for_clean_up(const account& of, const client_account& client, index event)
{
    const index last_act = last_act_before(of.trace(), client.who, event);
    bool any = false;
    for (const index i : client.operations) {
        const operation_record& op = of.trace().operations[i];
        const bool cleaning = cleans_up(op.role) || op.role == role::commit;
        const bool told =
            op.delivered != none && op.delivered < event && !(cleaning && op.delivered == last_act);
        if (op.started == none || op.started > event || told || of.was_left_behind(i, event) ||
            of.is_on_the_side(i, event))
            continue;
        if (!cleaning || op.in_body || of.operations()[i].how == wait_end::struck)
            return false;
        any = true;
    }
    return any;
}

bool was_unheard(const question& q)
{
    const trace& happened = q.of.trace();
    for (index i = outcome_of(q.of, q.client).first_cancellation; i != none;
         i = happened.cancellations[i].next)
        if (happened.cancellations[i].event == q.one.seen)
            return happened.cancellations[i].unheard;
    return false;
}

bool shielded(const question& q)
{
    return is(q, reason::kind::cancellation) &&
           (was_unheard(q) || only_cleans_up_after(q.of, q.client, q.one.seen) ||
               waits_for_clean_up(q.of, q.client, q.one.seen));
}

/// Whether what the body waited for had ended when the cancellation came, so that the body came to its end.
bool ended_already(const question& q)
{
    if (!is(q, reason::kind::cancellation))
        return false;
    const index at = q.of.stay_at(q.client.who, q.one.seen);
    const index left = at == none ? none : q.of.trace().bodies[at].left;
    if (left == none)
        return false;
    const event& end = q.of.trace().events[left];
    return end.at == q.of.trace().time_of(q.one.seen) &&
           (end.why == origin::timer || (end.why == origin::completion && end.cause < q.one.seen)) &&
           only_cleans_up_after(q.of, q.client, left);
}

bool clean_up(const question& q)
{
    if (!is_of(q, reason::kind::deadline) || is_told_check(q))
        return false;
    const operation_record& op = operation_of(q);
    return op.role != role::commit &&
           (op.role == role::rollback || op.role == role::release || op.role == role::maintenance ||
               is_after_bodies(q.of, q.client, op));
}

/// Whether it was a step after the body, such as a logout, that failed and was reported, as a close may be.
bool farewell(const question& q)
{
    if (!is_of(q, reason::kind::operation) || q.of.contract().errors.close == close_error_policy::raised)
        return false;
    const operation_record& op = operation_of(q);
    return op.role == role::use && !op.in_body && is_after_bodies(q.of, q.client, op) &&
           q.of.was_reported(q.one.operation);
}

bool own_timeout(const question& q) { return is(q, reason::kind::own_timeout); }

bool suppressed(const question& q)
{
    const auto& names = q.of.contract().errors.suppresses;
    return std::any_of(names.begin(), names.end(),
        [&](const std::string& name) { return is_named(q.of.trace(), q.one, name); });
}

bool attempts_left(const question& q)
{
    const contract& promises = q.of.contract();
    const bool has_operation = q.one.operation != none;
    const role what = has_operation ? operation_of(q).role : role::body;
    const bool more_bodies = promises.attempts.body > 1 &&
                             (is(q, reason::kind::body) || what == role::commit || what == role::begin);
    const bool of_attempt = is_of_attempt(q) || (is_of(q, reason::kind::deadline) && what == role::create &&
                                                    promises.time.per_attempt);
    const bool more_creates =
        of_attempt && q.of.operations()[q.one.operation].attempt < promises.attempts.create;
    if (!more_bodies && !more_creates)
        return false;
    const auto next = q.all.begin() + (&q.one - q.all.data()) + 1;
    return std::any_of(next, q.all.end(),
        [&](const reason& later) { return later.is_owed() || q.of.tells(q.client, later); });
}

bool refused(const account&, const client_account& client, const reason* owed)
{
    return client.refused && (!owed || owed->what == reason::kind::cancellation);
}

bool not_stopped(const account& of, const client_account& client, const reason* owed)
{
    return owed && owed->what == reason::kind::cancellation &&
           std::any_of(client.reasons.begin(), client.reasons.end(), [&](const reason& r) {
               if (r.operation == none)
                   return false;
               const operation_record& op = of.trace().operations[r.operation];
               return op.started < owed->seen && owed->seen < op.completed && op.cancel_requested == none &&
                      !op.failed_with().empty() && of.tells(client, r);
           });
}

/// Whether the client is told of a clean-up that had failed before.
bool clean_up_failed_first(const account& of, const client_account& client, const reason* owed)
{
    if (!owed || owed->what == reason::kind::cancellation)
        return false;
    const std::exception_ptr& error = outcome_of(of, client).error;
    return std::any_of(client.operations.begin(), client.operations.end(), [&](index i) {
        const operation_record& op = of.trace().operations[i];
        const bool may_be_told =
            (op.role == role::close && of.contract().errors.close != close_error_policy::reported) ||
            op.role == role::release;
        return may_be_told && op.result == result::failed && op.delivered < owed->seen &&
               (of.comes_from(i, error, client.told) || of.is_translated(i, error));
    });
}

bool null_handle(const account& of, const client_account& client, const reason* owed)
{
    return !owed && std::any_of(client.operations.begin(), client.operations.end(),
                        [&](index i) { return yielded_nothing(of.trace().operations[i]); });
}

bool said_by_the_peer(const account& of, const client_account& client, const reason* owed)
{
    const auto got_bytes = [&](index i) {
        const operation_record& op = of.trace().operations[i];
        return op.wire == wire_call::receive && op.result == result::ok && (op.ended || op.moved != 0);
    };
    return !owed && client.told.source == none && !client.told.timeout &&
           is_of_protocol(outcome_of(of, client).error) &&
           std::any_of(client.operations.begin(), client.operations.end(), got_bytes);
}

bool came_when_peers_had_gone(const account& of, const client_account& client, const reason* owed)
{
    const index source = client.told.source;
    return !owed && source != none && of.trace().operations[source].result == result::peer_gone &&
           of.trace().operations[source].role != role::close;
}

bool invalid_setting(const account& of, const client_account& client, const reason* owed)
{
    return !owed && !of.plan().invalid_settings.empty() && client.told.source == none;
}

bool other_reason(const account& of, const wait& w)
{
    if (w.of == wait::kind::acquire)
        return has_other_reason(of, of.client(w.who), w.end);
    if (w.of != wait::kind::operation || !of.has_client(w.who))
        return false;
    const auto reasons = of.client(w.who).reasons;
    return !reasons.empty() && reasons.front().seen <= w.end;
}

/// Clean-up takes its own time; an operation does not.
bool other_reason_to_wait(const account& of, const wait& w)
{
    return w.of == wait::kind::acquire && other_reason(of, w);
}

/// Whether a client stopped what it was waiting for, or began to clean up, when its deadline passed.
bool given_up_in_time(const account& of, const wait& w)
{
    if (w.of == wait::kind::operation ||
        (w.of == wait::kind::whole && w.end != outcome_of(of, of.client(w.who)).ended))
        return false;
    const trace& happened = of.trace();
    const duration due = happened.time_of(w.clock) + w.limit;
    const auto is_now = [&](index event) {
        return event != none && happened.time_of(event) >= due &&
               happened.time_of(event) <= due + of.slack(w.clock, event);
    };
    const auto& mine = of.client(w.who).operations;
    return std::any_of(mine.begin(), mine.end(), [&](index i) {
        const operation_record& op = happened.operations[i];
        const bool cleans_up = op.role == role::close || op.role == role::force_close ||
                               op.role == role::release || op.role == role::rollback;
        return is_now(op.cancel_requested) || (cleans_up && is_now(op.started));
    });
}

/// Whether a deadline of the client's own passed just then, which ends what it was waiting for.
bool is_client_deadline(const account& of, lane in, index at)
{
    if (!of.has_client(in))
        return false;
    const index started = of.trace().outcomes[static_cast<std::size_t>(in)].started;
    const duration lasted = of.trace().time_of(at) - of.trace().time_of(started);
    const auto is_now = [&](const std::optional<duration>& timeout) {
        return timeout && lasted >= *timeout && lasted <= *timeout + of.slack(started, at);
    };
    return is_now(of.contract().time.acquire) || is_now(of.contract().time.whole);
}

bool no_more_need(const account& of, const wait& w)
{
    if (w.of != wait::kind::operation)
        return false;
    const operation_record& op = of.trace().operations[w.operation];
    const auto left_meanwhile = [&](index i) {
        const index left = of.trace().bodies[i].left;
        return left > op.started && left <= w.end;
    };
    const auto& stays = of.client(w.who).stays;
    return of.was_cancelled(w.who, w.end) || is_client_deadline(of, w.who, w.end) ||
           (op.role == role::maintenance && w.who == background_lane) ||
           (op.role == role::create && of.contract().attempts.create > 1) ||
           (op.result != result::pending && op.result != result::aborted) || // its result was on its way
           std::any_of(stays.begin(), stays.end(), left_meanwhile);
}

/// Whether it was told of a deadline that passed for something that it waited for.
bool inner_deadline(const account& of, const wait& w)
{
    const auto reasons = of.client(w.who).reasons;
    return w.of == wait::kind::acquire && std::any_of(reasons.begin(), reasons.end(), [&](const reason& r) {
        return r.operation != none && r.seen <= w.end &&
               (r.what == reason::kind::deadline || r.what == reason::kind::own_timeout);
    });
}

/// Whether somebody else waits at that event for something that the contract lets last for ever.
bool behind_unbounded(const account& of, lane in, index rest)
{
    const trace& happened = of.trace();
    return !of.contract().time.unbounded.empty() &&
           std::any_of(
               happened.operations.begin(), happened.operations.end(), [&](const operation_record& op) {
                   const phase what = op.role == role::create  ? phase::create
                                      : op.role == role::close ? phase::close
                                                               : phase::other;
                   const auto i = static_cast<index>(&op - happened.operations.data());
                   return op.id.lane != in && op.started != none && op.started < rest &&
                          op.completed > rest && !op.in_body && op.role != role::body &&
                          of.contract().is_unbounded(what) && !of.was_left_behind(i, rest);
               });
}

bool held_by_abandoned(const account& of, const interval& during) { return of.is_held_by_abandoned(during); }

// The order is that in which they are tried; `attempts_left` asks about reasons that no other one waives.
constexpr waiver_row table[] = {
    {{"suppressed", "The contract's `suppresses` names the error."}, suppressed},
    {{"retried", "Another attempt that the contract grants was made."}, retried},
    {{"rival", "Another create that the contract grants was in flight beside it."}, rival},
    {{"served_otherwise",
         "The client was served by another create, or with a resource that was there before."},
        served_otherwise},
    {{"on_the_side",
         "No client waited for it: a check, the background's work, a step of the body's own, or what its "
         "client had gone on without."},
        on_the_side},
    {{"shared", "It broke a resource that several clients share; each may be told."}, shared},
    {{"peer_gone",
         "It hung, or ignored its cancellation, until the end of the run, when mishap made it fail."},
        peer_gone, came_when_peers_had_gone},
    {{"same_instant", "The deadline and the end of what it bounds came together."}, same_instant},
    {{"ended_already",
         "What the body waited for had ended when the cancellation came, and the body came to its end."},
        ended_already},
    {{"arrived_after_all", "It ignored being given up at its deadline; the manager waited for it, as it may, "
                           "and it succeeded."},
        arrived_after_all},
    {{"shielded",
         "The cancellation came when only clean-up was left, during clean-up that is shielded, or where no "
         "cancellation can be heard."},
        shielded},
    {{"clean_up", "Clean-up was given up at its deadline; only a commit must be told."}, clean_up},
    {{"farewell", "It was a step after the body, such as a logout, and its failure was reported."}, farewell},
    {{"own_timeout", "The manager gave something up that the contract gives no deadline."}, own_timeout},
    {{"attempts_left",
         "Another attempt was granted, and what the client is told instead kept it from being made."},
        attempts_left},
    {{"refused",
         "The client was refused with an error that the contract's `refuses` names, even at its deadline."},
        nullptr, refused},
    {{"not_stopped", "It was in flight when the client was cancelled, was never asked to stop, and failed."},
        nullptr, not_stopped},
    {{"clean_up_failed_first", "A close or release had failed before, and the client is told of that."},
        nullptr, clean_up_failed_first},
    {{"null_handle", "A create yielded a null handle; what it says then is its own affair."}, nullptr,
        null_handle},
    {{"said_by_the_peer", "A socket gave the client bytes, or the end of them; what it makes of that is the "
                          "protocol's affair."},
        nullptr, said_by_the_peer},
    {{"invalid_setting", "A setting was declared invalid; how that is refused is the manager's own affair."},
        nullptr, invalid_setting},
    {{"other_reason",
         "Something else had gone wrong for the client before: clean-up takes its time, and need not be "
         "late."},
        nullptr, nullptr, other_reason_to_wait, other_reason},
    {{"given_up_in_time", "The client gave up when its deadline passed; what took longer was clean-up."},
        nullptr, nullptr, given_up_in_time},
    {{"no_more_need",
         "Nobody needed it any more: its client was cancelled, had reached a deadline of its own or left its "
         "body, another attempt came first, or its result was on its way."},
        nullptr, nullptr, nullptr, no_more_need},
    {{"inner_deadline", "A deadline passed of an operation that the client waited for, before its own did."},
        nullptr, nullptr, nullptr, inner_deadline},
    {{"held_by_abandoned",
         "Frames of an abandoned client stayed, since mishap cannot destroy what waits shielded for an event "
         "or a timer: nobody else gets what they hold."},
        nullptr, nullptr, nullptr, nullptr, held_by_abandoned},
    {{"behind_unbounded",
         "Whoever is before the client in line, or before the resource in a shut-down, waits for something "
         "that the contract lets last for ever."},
        nullptr, nullptr, nullptr, nullptr, nullptr, behind_unbounded},
};

template <class Applies>
bool any(Applies applies)
{
    return std::any_of(std::begin(table), std::end(table), applies);
}

} // namespace

std::span<const waiver_row> waiver_table() noexcept { return table; }

bool may_end(const account& of, const client_account& client, const reason* owed)
{
    return any([&](const waiver_row& row) { return row.of_ending && row.of_ending(of, client, owed); });
}

bool may_be_late(const account& of, const wait& w)
{
    return any([&](const waiver_row& row) { return row.of_late && row.of_late(of, w); });
}

bool may_be_early(const account& of, const wait& w)
{
    return any([&](const waiver_row& row) { return row.of_early && row.of_early(of, w); });
}

index last_act_before(const trace& happened, lane who, index event)
{
    while (event != 0) {
        const mishap::event& before = happened.events[--event];
        if (before.lane == who && before.kind != event_kind::note &&
            before.kind != event_kind::client_cancelled)
            return event;
    }
    return none;
}

bool may_be_kept(const account& of, const interval& during)
{
    return any([&](const waiver_row& row) { return row.of_keeping && row.of_keeping(of, during); });
}

bool may_wait_for_ever(const account& of, lane in, index rest)
{
    return any([&](const waiver_row& row) { return row.of_rest && row.of_rest(of, in, rest); });
}

bool has_other_reason(const account& of, const client_account& client, index by)
{
    return std::any_of(client.reasons.begin(), client.reasons.end(), [&](const reason& r) {
        return r.what != reason::kind::deadline && r.what != reason::kind::own_timeout &&
               r.what != reason::kind::whole && r.seen <= by &&
               (r.is_owed() || r.what == reason::kind::cancellation || of.tells(client, r));
    });
}

} // namespace mishap::detail

std::span<const mishap::waiver* const> mishap::waivers() noexcept
{
    static const std::vector<const waiver*> all = [] {
        std::vector<const waiver*> rows;
        for (const detail::waiver_row& row : detail::table)
            rows.push_back(&row);
        return rows;
    }();
    return all;
}
