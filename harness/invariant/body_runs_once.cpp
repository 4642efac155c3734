#include "invariants.hpp"
#include "reading.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::detail {

namespace {

/// Whether a create gave an open resource, and nobody had begun to close it at that event.
bool is_open(const evidence& e, index resource, index at)
{
    const resource_record& r = e.trace.resources[resource];
    if (r.create == none)
        return false;
    const operation_record& create = e.trace.operations[r.create];
    const bool took_effect =
        create.result == result::ok || create.fault.kind == fault_kind::fail_after_effect;
    if (!took_effect || create.completed == none || create.completed > at)
        return false;
    return std::none_of(
        e.trace.operations.begin(), e.trace.operations.end(), [&](const operation_record& op) {
            const bool closes = op.role == role::close || op.role == role::force_close;
            return closes && op.resource == resource && op.started < at;
        });
}

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
                       !is_open(e, body.resource, body.entered)
                   ? create
                   : none;
    }
    index last = none;
    for (index i = 0; i < e.trace.operations.size(); ++i)
        if (e.trace.operations[i].id.lane == body.lane && failed_before(e.trace.operations[i]))
            last = i;
    for (index r = 0; last != none && r < e.trace.resources.size(); ++r)
        if (is_open(e, r, body.entered))
            return none;
    return last;
}

/// The last acquire before that body, if it failed, so that nothing was held; else `none`. Unless the
/// contract lets that error be swallowed: then doing without is the manager's way.
index failed_acquire(const evidence& e, const body_record& body)
{
    index last = none;
    for (index i = 0; i < e.trace.operations.size(); ++i) {
        const operation_record& op = e.trace.operations[i];
        if (op.id.lane == body.lane && op.role == role::acquire && op.delivered < body.entered && !op.in_body)
            last = i;
    }
    if (last == none)
        return none;
    const operation_record& op = e.trace.operations[last];
    const bool is_suppressed = is_one_of(e.contract.suppresses, op.error);
    const bool was_held = op.result != result::failed && op.result != result::aborted;
    return was_held || is_suppressed ? none : last;
}

/// Whether that body returned, and nothing that belongs to it failed until it was run again: a commit, say.
bool succeeded(const evidence& e, index body, index again)
{
    const body_record& ran = e.trace.bodies[body];
    if (ran.error || ran.left == none)
        return false;
    return std::none_of(
        e.trace.operations.begin(), e.trace.operations.end(), [&](const operation_record& op) {
            return op.id.lane == ran.lane && op.role == role::commit && op.started > ran.left &&
                   op.started < again && op.result != result::ok;
        });
}

} // namespace

void judge_body_runs_once(const evidence& e, violations& found)
{
    for (index i = 0; i < e.trace.bodies.size(); ++i) {
        const body_record& body = e.trace.bodies[i];
        if (body.lane < 0 || e.excused(body.lane) || is_nested_body(e.trace, i))
            continue;
        index failed = failed_create(e, body);
        failed = failed != none ? failed : failed_acquire(e, body);
        if (failed != none) {
            const operation_record& op = e.trace.operations[failed];
            found.push_back({
                .sentence = fmt::format("the body was run although {} had failed", name_of(e, failed)),
                .lane = body.lane,
                .resource = op.resource,
                .role = op.role,
                .proof = {{op.delivered, op.role == role::create ? "gives no resource" : "acquires nothing"},
                    {body.entered, "runs the body all the same"}},
                .expected = "what the body works on is there, or there is no body",
                .actual = "the body was run",
            });
            return;
        }
        std::uint32_t attempt = 1;
        index before = none;
        for (index j = 0; j < i; ++j)
            if (e.trace.bodies[j].lane == body.lane && !is_nested_body(e.trace, j)) {
                ++attempt;
                before = j;
            }
        const bool was_served = before != none && succeeded(e, before, body.entered);
        if (attempt <= e.contract.body_attempts && !was_served)
            continue;
        found.push_back({
            .sentence = attempt <= e.contract.body_attempts
                            ? fmt::format("{} had its body run again, although it had returned",
                                  name_of_client(e, body.lane))
                        : e.contract.body_attempts == 1
                            ? fmt::format("{} had its body run again", name_of_client(e, body.lane))
                            : fmt::format("{} had its body run {} times, but the contract permits {}",
                                  name_of_client(e, body.lane), attempt, e.contract.body_attempts),
            .lane = body.lane,
            .resource = body.resource,
            .proof = {{e.trace.bodies[before].entered, "runs it"}, {body.entered, "runs it again"}},
            .expected = e.contract.body_attempts == 1
                            ? std::string("the body runs once")
                            : fmt::format("the body runs at most {} times", e.contract.body_attempts),
            .actual = fmt::format("run number {}", attempt),
        });
        return;
    }
}

} // namespace mishap::detail
