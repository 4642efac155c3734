#include "reading.hpp"

#include <mishap/duration.hpp>
#include <mishap/error.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/system/system_error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <system_error>

namespace mishap::detail {

bool yielded_nothing(const operation_record& op) noexcept
{
    return op.role == role::create && op.fault.kind == fault_kind::empty && op.result == result::ok;
}

bool was_reported(const evidence& e, index operation)
{
    return std::any_of(e.trace.reports.begin(), e.trace.reports.end(), [&](const report_record& report) {
        return find_source(e.trace, report.error) == operation ||
               returned_value(e.trace, operation, report.error) || is_translated(e, operation, report.error);
    });
}

bool is_translated(const evidence& e, index operation, const std::exception_ptr& error)
{
    const std::string_view injected = e.trace.operations[operation].failed_with().text();
    return error && std::any_of(e.contract.translates.begin(), e.contract.translates.end(),
                        [&](const contract::translation& t) {
                            const mishap::error* to = find_error(t.to);
                            return t.from == injected && to && to->matches && to->matches(error);
                        });
}

bool is_abort(const std::exception_ptr& thrown)
{
    return is_or_wraps(thrown, [](const std::exception_ptr& one) {
        try {
            std::rethrow_exception(one);
        } catch (const boost::system::system_error& e) {
            return e.code() == boost::asio::error::operation_aborted ||
                   e.code() == boost::asio::experimental::error::channel_cancelled;
        } catch (...) {
            return false;
        }
    });
}

bool is_timeout(const contract& promises, const std::exception_ptr& thrown)
{
    return is_one_of(promises.timeout_errors, thrown);
}

std::optional<duration> deadline_of(const contract& promises, const operation_record& op)
{
    return timeout_of(promises, op.role, op.in_body);
}

index clock_of(const evidence& e, index operation)
{
    return e.contract.deadline_per_attempt ? operation : attempt_of(e, operation).first;
}

std::optional<duration> limit_of(const evidence& e, index operation)
{
    const auto timeout = deadline_of(e.contract, e.trace.operations[operation]);
    const index first = e.trace.operations[clock_of(e, operation)].started;
    if (!timeout || first == none)
        return std::nullopt;
    return e.trace.time_of(first) + *timeout;
}

duration tolerance(const evidence& e, index since, index event)
{
    const auto step_of = [&](index at) { return at == none ? 0 : e.trace.events[at].step; };
    const std::uint32_t steps = step_of(event) - std::min(step_of(since), step_of(event)) + 1;
    return timer_precision + e.plan.step_cost * steps;
}

bool closes_what_came_late(const trace& happened, const operation_record& op)
{
    if (op.role == role::create || op.resource == none)
        return false;
    const index created = happened.resources[op.resource].create;
    return created != none &&
           happened.operations[created].cancel_requested < happened.operations[created].completed;
}

namespace {

/// Whether this operation had been asked to stop at that event, and its lane had gone on without it.
bool was_left_behind(const trace& happened, const operation_record& op, index at)
{
    if (op.cancel_requested == none || op.cancel_requested > at)
        return false;
    const auto since = [&](index event) {
        return event != none && event > op.cancel_requested && event < at;
    };
    return std::any_of(happened.operations.begin(), happened.operations.end(),
               [&](const operation_record& next) {
                   return next.id.lane == op.id.lane && since(next.started) &&
                          !closes_what_came_late(happened, next);
               }) ||
           std::any_of(happened.bodies.begin(), happened.bodies.end(),
               [&](const body_record& body) { return body.lane == op.id.lane && since(body.entered); });
}

} // namespace

index end_of_wait(const evidence& e, index operation)
{
    const trace& happened = e.trace;
    const operation_record& op = happened.operations[operation];
    const index known = std::min(op.delivered, op.cancel_requested); // `none` is the greatest index
    const auto limit = limit_of(e, operation);
    if (!limit || (known != none && happened.time_of(known) < *limit))
        return known;
    index end = known;
    const auto consider = [&](index event) {
        if (event != none && event > op.started && happened.time_of(event) >= *limit)
            end = std::min(end, event);
    };
    const auto& outcomes = happened.outcomes;
    if (op.id.lane >= 0 && static_cast<std::size_t>(op.id.lane) < outcomes.size())
        consider(outcomes[static_cast<std::size_t>(op.id.lane)].ended);
    for (const operation_record& next : happened.operations) {
        const bool moves_on =
            (next.role == role::create || next.role == role::close || next.role == role::force_close) &&
            (next.resource == op.resource || !closes_what_came_late(happened, next));
        if (moves_on && next.id.lane == op.id.lane)
            consider(next.started);
    }
    return end;
}

bool is_beside_body(const trace& happened, const operation_record& op)
{
    return op.role == role::maintenance && op.started != none &&
           std::any_of(happened.bodies.begin(), happened.bodies.end(), [&](const body_record& body) {
               return body.lane == op.id.lane && body.entered < op.started &&
                      op.started < body.left; // `none` is the greatest index
           });
}

bool is_on_the_side(const trace& happened, const operation_record& op, index end)
{
    if (is_beside_body(happened, op))
        return true;
    const auto in = static_cast<std::size_t>(op.id.lane);
    if (op.id.lane < 0 || in >= happened.outcomes.size() || op.in_body || op.role == role::body)
        return false;
    if (happened.outcomes[in].ended < end)
        return true;
    return std::any_of(happened.bodies.begin(), happened.bodies.end(), [&](const body_record& body) {
        return body.lane == op.id.lane && body.entered > op.started && body.entered < end;
    });
}

index end_of_acquire(const trace& happened, lane in)
{
    index end = happened.outcomes[static_cast<std::size_t>(in)].ended;
    for (const body_record& body : happened.bodies)
        if (body.lane == in)
            end = std::min(end, body.entered);
    return end;
}

bool was_struck(const evidence& e, const operation_record& op)
{
    if (op.cancel_requested == none || !cancelled_before(e.trace, op.id.lane, op.cancel_requested))
        return false;
    const index cancelled = e.trace.outcomes[static_cast<std::size_t>(op.id.lane)].cancelled;
    const index since = std::max(op.started, cancelled);
    return e.trace.time_of(op.cancel_requested) <=
           e.trace.time_of(since) + tolerance(e, since, op.cancel_requested) - timer_precision;
}

bool was_refused(const evidence& e, lane in)
{
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    return client.error && !e.contract.refuses.empty() && end_of_acquire(e.trace, in) == client.ended &&
           is_one_of(e.contract.refuses, client.error);
}

bool is_there(const evidence& e, lane in)
{
    return !e.excused(in) && static_cast<std::size_t>(in) < e.trace.outcomes.size() &&
           e.trace.outcomes[static_cast<std::size_t>(in)].abandoned == none;
}

bool was_broken(const evidence& e, index resource, index at)
{
    const auto& all = e.trace.operations;
    return std::any_of(all.begin(), all.end(), [&](const operation_record& op) {
        if (op.resource != resource || op.delivered == none || op.delivered > at)
            return false;
        if (op.result == result::peer_gone)
            return true;
        if (op.result == result::aborted)
            return e.contract.cancelled_use_breaks;
        return has_broken(op);
    });
}

bool is_nested_body(const trace& happened, index body)
{
    const body_record& inner = happened.bodies[body];
    return std::any_of(
        happened.bodies.begin(), happened.bodies.begin() + body, [&](const body_record& outer) {
            return outer.lane == inner.lane && outer.entered < inner.entered && outer.left > inner.entered &&
                   inner.left <= outer.left; // `none` is the greatest index
        });
}

index end_of_work(const trace& happened, lane in)
{
    index end = none;
    for (const body_record& body : happened.bodies) {
        if (body.lane != in)
            continue;
        if (body.left == none)
            return none;
        end = end == none ? body.left : std::max(end, body.left);
    }
    if (end == none)
        return end_of_acquire(happened, in);
    // Where another attempt was begun, and did not come to its body.
    const bool tries_again =
        std::any_of(happened.operations.begin(), happened.operations.end(), [&](const operation_record& op) {
            return op.id.lane == in && op.role == role::create && op.started != none && op.started > end;
        });
    return tries_again ? happened.outcomes[static_cast<std::size_t>(in)].ended : end;
}

attempt attempt_of(const evidence& e, index operation)
{
    const operation_record& last = e.trace.operations[operation];
    attempt found{operation, 1};
    if (last.role != role::create || e.contract.create_attempts == 1)
        return found;
    for (index i = operation; i-- > 0;) {
        const operation_record& op = e.trace.operations[i];
        if (op.id.lane != last.id.lane || op.role != role::create)
            continue; // of whatever kind: a fallback is another attempt
        // What succeeded was no attempt that failed, unless it had been given up before.
        const bool given_up = op.cancel_requested < op.completed; // `none` is the greatest index
        if (op.started == none || (!given_up && (op.result == result::ok || op.result == result::pending)))
            break;
        found.first = i;
        ++found.number;
    }
    return found;
}

bool is_judged(const evidence& e, lane in)
{
    return in >= 0 && static_cast<std::size_t>(in) < e.trace.outcomes.size() &&
           !e.trace.outcomes[static_cast<std::size_t>(in)].probe &&
           e.trace.outcomes[static_cast<std::size_t>(in)].ending != ending::abandoned && !e.excused(in);
}

bool cancelled_before(const trace& happened, lane in, index event)
{
    if (in < 0 || static_cast<std::size_t>(in) >= happened.outcomes.size())
        return false;
    const index cancelled = happened.outcomes[static_cast<std::size_t>(in)].cancelled;
    return cancelled != none && cancelled <= event;
}

namespace {

/// Whether this operation was started when its client had left its body for good.
bool is_after_bodies(const trace& happened, const operation_record& op)
{
    bool any = false;
    for (const body_record& body : happened.bodies) {
        if (body.lane != op.id.lane)
            continue;
        if (body.left > op.started) // `none` is the greatest index
            return false;
        any = true;
    }
    return any;
}

/// Whether the client suspended in nothing but the ends of things after that event. A cancellation that
/// strikes there may go unnoticed: clean-up is shielded, and nothing was left that could be cancelled.
bool only_ends_things_after(const trace& happened, lane in, index event)
{
    for (const body_record& body : happened.bodies)
        if (body.lane == in && body.entered > event)
            return false;
    for (const operation_record& op : happened.operations) {
        if (op.id.lane != in || op.started == none || (op.completed != none && op.completed < event))
            continue;
        if (op.blocking)
            continue; // no suspension
        if (was_left_behind(happened, op, event) || is_on_the_side(happened, op, event))
            continue; // nobody waited for it any more
        // The body learns of nothing where what it waits for succeeds although it was asked to stop.
        if (op.in_body && op.result == result::ok && op.cancel_requested < op.completed)
            continue;
        // What comes after the body is a farewell.
        if (!op.in_body && op.role != role::body && is_after_bodies(happened, op))
            continue;
        // A manager may well finish a commit once the body has returned.
        if (op.role != role::close && op.role != role::force_close && op.role != role::commit &&
            op.role != role::rollback)
            return false;
    }
    return true;
}

/// Whether another attempt was begun after that event, and the contract permits that: the client's body was
/// run again, or what comes before it was.
bool is_tried_again(const evidence& e, lane in, index failed)
{
    const auto attempts = std::count_if(e.trace.bodies.begin(), e.trace.bodies.end(),
        [&](const body_record& body) { return body.lane == in && body.entered <= failed; });
    if (e.contract.body_attempts == 1 || static_cast<std::uint32_t>(attempts) >= e.contract.body_attempts)
        return false;
    return std::any_of(e.trace.bodies.begin(), e.trace.bodies.end(), [&](const body_record& later) {
        return later.lane == in && later.entered > failed;
    }) || std::any_of(e.trace.operations.begin(), e.trace.operations.end(), [&](const operation_record& op) {
        const bool begins = op.role == role::begin || op.role == role::create || op.role == role::acquire;
        return begins && op.id.lane == in && op.started != none && op.started > failed;
    });
}

/// Whether a check that was started beside the body ended when that had been left.
bool outlasts_body(const trace& happened, const operation_record& op, index end)
{
    return std::any_of(happened.bodies.begin(), happened.bodies.end(), [&](const body_record& body) {
        return body.lane == op.id.lane && body.entered < op.started && op.started < body.left &&
               body.left <= end;
    });
}

/// Whether another create of that lane was under way at that event, and the contract grants several: it may
/// still succeed.
bool has_rival(const evidence& e, const operation_record& create, index at)
{
    return e.contract.create_attempts > 1 &&
           std::any_of(e.trace.operations.begin(), e.trace.operations.end(), [&](const operation_record& op) {
               return &op != &create && op.role == role::create && op.id.lane == create.id.lane &&
                      op.started < at && op.delivered > at && op.cancel_requested > at; // `none` is greatest
           });
}

/// Whether what several clients share broke by an error of another one's: they may all be told.
bool breaks_what_is_shared(const evidence& e, lane in, const operation_record& op)
{
    if (!e.contract.shared || op.id.lane == in || op.resource == none || !has_broken(op))
        return false;
    const index came = e.trace.outcomes[static_cast<std::size_t>(in)].started;
    return (came < op.completed && end_of_acquire(e.trace, in) > op.completed) ||
           std::any_of(e.trace.bodies.begin(), e.trace.bodies.end(), [&](const body_record& body) {
               return body.lane == in && (body.resource == op.resource || body.resource == none) &&
                      body.entered < op.completed && op.completed < body.left;
           });
}

/// Whether that client was served, after its create had failed, with a resource that was there before.
bool is_served_otherwise(const evidence& e, lane in, const operation_record& failed)
{
    return std::any_of(e.trace.bodies.begin(), e.trace.bodies.end(), [&](const body_record& body) {
        if (body.lane != in || body.entered < failed.delivered || body.resource == none ||
            body.resource == failed.resource)
            return false;
        const resource_record& lent = e.trace.resources[body.resource];
        return lent.home != in ||
               (lent.create != none && e.trace.operations[lent.create].started < failed.started);
    });
}

/// An error that no rule demands the client to see, but that it may: of a check, of what went on beside its
/// body, or of what the manager does in the background for everybody.
/// `source` is where the client's error came from.
bool may_be_passed_on(const evidence& e, lane in, index operation, index source)
{
    const operation_record& op = e.trace.operations[operation];
    if ((op.result != result::failed && op.result != result::peer_gone) || op.delivered == none ||
        op.role == role::close || op.role == role::rollback || op.role == role::release)
        return false;
    if (op.id.lane == in && op.role == role::maintenance)
        return true;
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    const bool is_near = op.id.lane == in || op.id.lane == background_lane;
    return is_near && client.error &&
           (source == operation || returned_value(e.trace, operation, client.error));
}

/// Whether a client that waits for a resource may be told of the deadline of this create, or of another step
/// of the background, although it ran in another lane: then that one did not wait for it.
bool may_time_out_for(const evidence& e, lane in, index step, index end)
{
    const operation_record& op = e.trace.operations[step];
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    const bool prepares =
        op.role == role::create || (op.id.lane == background_lane && op.role != role::close);
    return prepares && op.id.lane != in && end < client.ended &&
           (op.id.lane == background_lane || is_on_the_side(e.trace, op, end)) &&
           op.started < end_of_acquire(e.trace, in) && is_timeout(e.contract, client.error);
}

} // namespace

namespace {

/// Whether a primary is the registered error of that name, by what was injected, or else by what it is.
bool is_named(const evidence& e, const primary& p, const std::string& name)
{
    if (p.operation != none && !e.trace.operations[p.operation].failed_with().empty())
        return e.trace.operations[p.operation].failed_with().text() == name;
    const mishap::error* known = find_error(name);
    return p.error && known && known->matches && known->matches(p.error);
}

/// The client that a failed create was for. That is who ended with its error, if the lane in which it ran did
/// not: with callbacks, whoever gives something back may well open a resource for the next one in line.
/// `sources` are where the clients' errors came from.
lane served_by(const evidence& e, index create, const std::vector<index>& sources)
{
    const lane ran_in = e.trace.operations[create].id.lane;
    lane found = ran_in;
    for (std::size_t i = 0; i < e.trace.outcomes.size(); ++i) {
        const outcome& client = e.trace.outcomes[i];
        if (!client.error || sources[i] != create)
            continue;
        if (static_cast<lane>(i) == ran_in)
            return ran_in;
        found = static_cast<lane>(i);
    }
    return found;
}

/// Whether the manager tried again after this create, as the contract lets it.
bool is_retried(const evidence& e, index create)
{
    const operation_record& op = e.trace.operations[create];
    if (op.role != role::create || attempt_of(e, create).number >= e.contract.create_attempts)
        return false;
    return std::any_of(
        e.trace.operations.begin(), e.trace.operations.end(), [&](const operation_record& next) {
            return next.id.lane == op.id.lane && next.role == role::create && next.started != none &&
                   next.started > op.delivered;
        });
}

} // namespace

namespace {

/// Deadlines of operations that this client waited for, or may be told of.
void add_deadlines(const evidence& e, lane in, std::vector<primary>& found)
{
    const trace& happened = e.trace;
    const outcome& client = happened.outcomes[static_cast<std::size_t>(in)];
    for (index i = 0; i < happened.operations.size(); ++i) {
        const operation_record& op = happened.operations[i];
        if (op.started == none || op.role == role::close || op.role == role::body ||
            (op.id.lane != in && op.id.lane != background_lane && op.role != role::create))
            continue;
        const index end = end_of_wait(e, i);
        if (end == none)
            continue;
        const auto limit = limit_of(e, i);
        // What goes on beside the body may end it.
        const bool beside = is_beside_body(happened, op);
        if (beside && op.id.lane == in && e.contract.checks_are_told && limit &&
            happened.time_of(end) >= *limit && op.result != result::ok) {
            const bool in_time =
                std::any_of(happened.bodies.begin(), happened.bodies.end(), [&](const body_record& body) {
                    return body.lane == in && body.left != none && happened.time_of(body.left) <= *limit;
                });
            found.push_back({primary::kind::deadline, end, i, nullptr,
                in_time || outlasts_body(happened, op, end) || is_tried_again(e, in, end), limit});
            continue;
        }
        if (op.in_body || beside) {
            if (op.id.lane == in && op.cancel_requested == end && is_timeout(e.contract, client.error) &&
                happened.time_of(end) > happened.time_of(op.started) &&
                (!limit || happened.time_of(end) >= *limit))
                found.push_back({primary::kind::deadline, end, i, nullptr, true, happened.time_of(end)});
            continue;
        }
        if (limit && happened.time_of(end) >= *limit) {
            const bool arrived =
                op.completed != none && op.result != result::aborted &&
                happened.time_of(op.completed) <= *limit + tolerance(e, op.started, op.completed);
            const bool cleans_up = op.role == role::rollback || op.role == role::release ||
                                   op.role == role::maintenance || is_after_bodies(happened, op);
            const bool own = op.id.lane == in && !is_on_the_side(happened, op, end);
            const bool was_served = op.role == role::create && e.contract.create_attempts > 1 &&
                                    std::any_of(happened.bodies.begin(), happened.bodies.end(),
                                        [&](const body_record& body) { return body.lane == in; });
            if (own || may_time_out_for(e, in, i, end))
                found.push_back({primary::kind::deadline, end, i, nullptr,
                    arrived || !own || was_served || (cleans_up && op.role != role::commit) ||
                        is_tried_again(e, in, end),
                    limit});
            continue;
        }
        // A time-out that the contract says nothing of is the manager's own affair.
        // (Who is cancelled at the very instant may have been about to say so.)
        const bool by_manager =
            op.cancel_requested == end && happened.time_of(end) > happened.time_of(op.started);
        const bool own_affair = op.role != role::create || e.contract.is_unbounded(phase::create);
        if (!limit && (op.id.lane == in || may_time_out_for(e, in, i, end)) && own_affair && by_manager &&
            is_timeout(e.contract, client.error))
            found.push_back({primary::kind::deadline, end, i, nullptr, true, happened.time_of(end)});
    }
}

/// The deadline that attempts share may pass between two of them.
void add_deadline_between(const evidence& e, lane in, std::vector<primary>& found)
{
    const outcome& client = e.trace.outcomes[static_cast<std::size_t>(in)];
    if (e.contract.deadline_per_attempt)
        return;
    if (e.contract.create_attempts == 1 || client.ended == none || !is_timeout(e.contract, client.error))
        return;
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        const auto limit = op.id.lane == in && op.role == role::create ? limit_of(e, i) : std::nullopt;
        if (limit && op.delivered != none && e.trace.time_of(op.delivered) <= *limit &&
            e.trace.time_of(client.ended) >= *limit && end_of_acquire(e.trace, in) == client.ended)
            found.push_back({primary::kind::deadline, client.ended, i, nullptr, true, limit});
    }
}

} // namespace

std::vector<primary> primaries_of(const evidence& e, lane in)
{
    std::vector<primary> found;
    const trace& happened = e.trace;
    const outcome& client = happened.outcomes[static_cast<std::size_t>(in)];
    std::vector<index> sources(happened.outcomes.size(), none);
    for (std::size_t i = 0; i < sources.size(); ++i)
        if (happened.outcomes[i].error)
            sources[i] = find_source(happened, happened.outcomes[i].error);
    for (index i = 0; i < happened.operations.size(); ++i) {
        const operation_record& op = happened.operations[i];
        if (breaks_what_is_shared(e, in, op))
            found.push_back({primary::kind::operation, op.completed, i, op.error, true});
        if (may_be_passed_on(e, in, i, sources[static_cast<std::size_t>(in)])) {
            const bool is_told = e.contract.checks_are_told && op.id.lane == in;
            const bool is_own = op.id.lane == in && !op.in_body && op.role != role::maintenance;
            if (!is_own) {
                found.push_back({primary::kind::operation, op.delivered, i, op.error,
                    !is_told || op.role != role::maintenance || is_tried_again(e, in, op.delivered) ||
                        outlasts_body(happened, op, op.delivered)});
                continue;
            }
        }
        if ((op.role == role::create && op.result == result::failed ? served_by(e, i, sources)
                                                                    : op.id.lane) != in)
            continue;
        // Inside the body, what counts is what leaves it: the body may well handle an error of its own.
        const bool matters =
            !op.in_body && (op.role == role::create || op.role == role::use || op.role == role::begin ||
                               op.role == role::commit || op.role == role::acquire);
        if (!matters || op.delivered == none)
            continue;
        const bool handled = is_retried(e, i) || is_tried_again(e, in, op.delivered) ||
                             is_on_the_side(happened, op, op.delivered) ||
                             (op.role == role::create && has_rival(e, op, op.delivered)) ||
                             (op.role == role::create && is_served_otherwise(e, in, op));
        if (op.result == result::failed)
            found.push_back({primary::kind::operation, op.delivered, i, op.error, handled});
        // What hung until the end of the run failed then, whoever was still there to see it.
        if (op.result == result::peer_gone)
            found.push_back({primary::kind::operation, op.delivered, i, op.error, true});
    }
    add_deadlines(e, in, found);
    add_deadline_between(e, in, found);
    if (e.contract.acquire_timeout && client.started != none) {
        const index end = end_of_acquire(happened, in);
        const duration limit = happened.time_of(client.started) + *e.contract.acquire_timeout;
        if (end != none && happened.time_of(end) >= limit)
            found.push_back({primary::kind::deadline, end, none, nullptr, end != client.ended, limit});
    }
    for (const body_record& body : happened.bodies)
        if (body.lane == in && body.error && body.left != none && !is_abort(body.error))
            found.push_back({primary::kind::body, body.left, find_source(happened, body.error), body.error,
                is_tried_again(e, in, body.left)});
    if (client.cancelled != none) {
        // What ignores its cancellation until the end of the run fails with an error of its own then.
        const bool ignored = std::any_of(
            happened.operations.begin(), happened.operations.end(), [&](const operation_record& op) {
                return op.id.lane == in && op.result == result::peer_gone && op.cancel_requested != none &&
                       op.cancel_requested >= client.cancelled;
            });
        found.push_back({primary::kind::cancellation, client.cancelled, none, nullptr,
            ignored || client.unheard || only_ends_things_after(happened, in, client.cancelled)});
    }
    if (e.contract.whole_timeout && client.started != none) {
        const index end = end_of_work(happened, in);
        const duration limit = happened.time_of(client.started) + *e.contract.whole_timeout;
        if (end != none && happened.time_of(end) >= limit) {
            // What ended by itself at that very instant may be told as it ended.
            const bool was_stopped = std::any_of(happened.bodies.begin(), happened.bodies.end(),
                [&](const body_record& body) { return body.left == end && is_abort(body.error); });
            found.push_back(
                {primary::kind::whole, end, none, nullptr, !was_stopped && end != client.ended, limit});
        }
    }
    for (primary& p : found)
        p.optional = p.optional || std::any_of(e.contract.suppresses.begin(), e.contract.suppresses.end(),
                                       [&](const std::string& name) { return is_named(e, p, name); });
    std::stable_sort(
        found.begin(), found.end(), [](const primary& a, const primary& b) { return a.seen < b.seen; });
    // Where another attempt was granted, and something else kept it from being made or from succeeding, the
    // error of the one before need not be told.
    for (auto p = found.begin(); p != found.end(); ++p) {
        const bool of_commit =
            p->operation != none && (happened.operations[p->operation].role == role::commit ||
                                        happened.operations[p->operation].role == role::begin);
        const bool more_bodies =
            e.contract.body_attempts > 1 && (p->what == primary::kind::body || of_commit);
        const bool of_attempt =
            p->what == primary::kind::operation ||
            (p->what == primary::kind::deadline && p->operation != none && e.contract.deadline_per_attempt);
        const bool more_creates = of_attempt && happened.operations[p->operation].role == role::create &&
                                  attempt_of(e, p->operation).number < e.contract.create_attempts;
        p->optional = p->optional || ((more_bodies || more_creates) &&
                                         std::any_of(std::next(p), found.end(), [&](const primary& later) {
                                             return !later.optional || is_passed_on(e, later, client.error);
                                         }));
    }
    return found;
}

bool comes_from(const evidence& e, index operation, const std::exception_ptr& error)
{
    if (operation == none || !error)
        return false;
    if (const index source = find_source(e.trace, error); source != none)
        return source == operation || returned_value(e.trace, operation, error);
    const mishap::error* injected = find_error(e.trace.operations[operation].failed_with());
    if (!injected || !injected->is_plain_code || is_timeout(e.contract, error))
        return false;
    try {
        std::rethrow_exception(error);
    } catch (const std::system_error& thrown) {
        return thrown.code() == std::error_code(injected->code);
    } catch (...) {
        return false;
    }
}

bool is_passed_on(const evidence& e, const primary& p, const std::exception_ptr& error)
{
    if (!error)
        return false;
    switch (p.what) {
    case primary::kind::cancellation:
        return is_abort(error);
    case primary::kind::deadline:
    case primary::kind::whole:
        return is_timeout(e.contract, error);
    case primary::kind::operation:
    case primary::kind::body:
        break;
    }
    if (error == p.error)
        return true;
    if (comes_from(e, p.operation, error))
        return true;
    return std::any_of(
        e.contract.translates.begin(), e.contract.translates.end(), [&](const contract::translation& t) {
            const mishap::error* to = find_error(t.to);
            return is_named(e, p, t.from) && to && to->matches && to->matches(error);
        });
}

std::string name_of(const evidence& e, index operation)
{
    return to_string(e.trace, e.trace.operations[operation]);
}

std::string name_of_resource(const evidence& e, index resource)
{
    const resource_record& r = e.trace.resources[resource];
    return fmt::format("{}{}#{}",
        e.trace.outcomes.size() > 1 || r.home != 0 ? lane_name(r.home) + '/' : std::string(), r.kind.text(),
        std::max(r.ordinal, 1u));
}

std::string name_of_client(const evidence& e, lane in)
{
    if (in == background_lane)
        return "the adapter";
    return e.trace.outcomes.size() > 1 ? fmt::format("client {}", in) : "the caller";
}

std::string describe_error(const evidence& e, const std::exception_ptr& error)
{
    const index source = find_source(e.trace, error);
    if (source == none)
        return mishap::describe(error);
    return fmt::format("{} (raised by {})", name_of_error(e.trace, error),
        e.trace.operations[source].fails_body ? "the body" : name_of(e, source));
}

std::string describe(const evidence& e, const primary& p)
{
    switch (p.what) {
    case primary::kind::operation:
        return fmt::format("{} failed with {}", name_of(e, p.operation), mishap::describe(p.error));
    case primary::kind::body:
        if (p.operation != none && e.trace.operations[p.operation].role != role::body &&
            !e.trace.operations[p.operation].fails_body)
            return fmt::format("the body failed with {} (raised by {})", name_of_error(e.trace, p.error),
                name_of(e, p.operation));
        return fmt::format("the body failed with {}", mishap::describe(p.error));
    case primary::kind::cancellation:
        return "the caller cancelled";
    case primary::kind::whole:
        return fmt::format("the work had not ended after {}", to_string(*e.contract.whole_timeout));
    case primary::kind::deadline:
        if (p.operation == none)
            return fmt::format("no resource was there after {}", to_string(*e.contract.acquire_timeout));
        return fmt::format("{} had not ended after {}", name_of(e, p.operation),
            to_string(*deadline_of(e.contract, e.trace.operations[p.operation])));
    }
    return {};
}

std::vector<waiting> waits_at(const trace& happened, lane in, index stuck)
{
    std::vector<waiting> waits;
    const auto is_inside = [&](index at) {
        return std::any_of(happened.bodies.begin(), happened.bodies.end(), [&](const body_record& body) {
            return body.lane == in && body.entered < at && (body.left == none || body.left > at);
        });
    };
    for (index i = 0; i < happened.operations.size(); ++i) {
        const operation_record& op = happened.operations[i];
        const bool pending = op.id.lane == in && op.started != none && op.started < stuck &&
                             (op.completed == none || op.completed > stuck);
        if (!pending || was_left_behind(happened, op, stuck))
            continue;
        // A body that was never waited for, since its client was cancelled, hangs for nobody.
        if (op.role == role::body && !is_inside(stuck))
            continue;
        const phase where = op.role == role::create                                            ? phase::create
                            : op.role == role::close                                           ? phase::close
                            : op.in_body || (is_beside_body(happened, op) && is_inside(stuck)) ? phase::body
                                                                                               : phase::other;
        waits.push_back({where, i});
    }
    if (waits.empty()) {
        const bool inside = is_inside(stuck);
        const bool was_inside = std::any_of(happened.bodies.begin(), happened.bodies.end(),
            [&](const body_record& body) { return body.lane == in && body.entered < stuck; });
        waits.push_back({inside                                ? phase::body
                         : was_inside || !happened.has_adapter ? phase::other
                                                               : phase::acquire,
            none});
    }
    return waits;
}

} // namespace mishap::detail
