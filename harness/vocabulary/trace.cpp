// SPDX-License-Identifier: MIT
#include "causes.hpp"
#include "site.hpp"

#include <mishap/error.hpp>
#include <mishap/trace.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace mishap {

std::string_view to_string(stage s) noexcept
{
    switch (s) {
    case stage::all_ended:
        return "all clients ended";
    case stage::stuck:
        return "nothing is left that could happen";
    case stage::livelock:
        return "the limit of steps is reached";
    case stage::clients_cancelled:
        return "the callers give up";
    case stage::peers_gone:
        return "what still hangs fails";
    case stage::probing:
        return "fresh clients try to be served";
    case stage::shutting_down:
        return "the adapter goes on";
    case stage::grace_over:
        return "the grace is over";
    case stage::judged:
        return "end";
    }
    return "?";
}

std::string_view to_string(origin o) noexcept
{
    switch (o) {
    case origin::unknown:
        return "unknown";
    case origin::environment:
        return "environment";
    case origin::start:
        return "start";
    case origin::strike:
        return "strike";
    case origin::timer:
        return "timer";
    case origin::completion:
        return "completion";
    }
    return "?";
}

std::string_view to_string(life l) noexcept
{
    switch (l) {
    case life::absent:
        return "absent";
    case life::creating:
        return "creating";
    case life::open:
        return "open";
    case life::closing:
        return "closing";
    case life::closed:
        return "closed";
    }
    return "?";
}

std::string_view to_string(ending e) noexcept
{
    switch (e) {
    case ending::running:
        return "is running";
    case ending::returned:
        return "returns";
    case ending::threw:
        return "throws";
    case ending::hung:
        return "hangs";
    case ending::abandoned:
        return "is abandoned";
    }
    return "?";
}

std::string_view to_string(quantity what) noexcept
{
    switch (what) {
    case quantity::open:
        return "open";
    case quantity::created:
        return "created";
    case quantity::closed:
        return "closed";
    case quantity::in_use:
        return "in_use";
    case quantity::waiting:
        return "waiting";
    case quantity::idle:
        return "idle";
    case quantity::reserved:
        return "reserved";
    case quantity::expression:
        return "expression";
    }
    return "?";
}

void trace::clear()
{
    events.clear();
    operations.clear();
    resources.clear();
    outcomes.clear();
    adapter = {};
    has_adapter = asked_for_body = false;
    strikes.clear();
    cancellations.clear();
    bodies.clear();
    reports.clear();
    escapes.clear();
    notes.clear();
    reached.clear();
    outside_calls.clear();
    expectations.clear();
    statistics.clear();
    samples.clear();
    values.clear();
    stuck_work.clear();
    ticks.clear();
    stuck_calls.clear();
    stray_work.clear();
    instants.clear();
    longest_wait = duration(0);
    stray_reactor = false;
    unwrap = nullptr;
    world_abandoned = cut_off = none;
    steps = 0;
    hash = 0;
}

index find_source(const trace& happened, const std::exception_ptr& thrown)
{
    return detail::find_source(happened, thrown, [&](const std::exception_ptr& one) {
        for (index i = 0; i < happened.operations.size(); ++i)
            if (happened.operations[i].error == one)
                return i;
        return none;
    });
}

bool returned_value(const trace& happened, index operation, const std::exception_ptr& thrown)
{
    return thrown &&
           std::any_of(happened.values.begin(), happened.values.end(), [&](const value_record& value) {
               return value.operation == operation && value.is_in(thrown);
           });
}

index find_source(const trace& happened, const boost::system::error_code& code) noexcept
{
    // A code that was kept from an earlier run may bear the number of an operation that did not fail in this
    // one.
    const index marked = detail::marked_operation(code);
    if (marked >= happened.operations.size() || !happened.operations[marked].error)
        return none;
    const operation_record& op = happened.operations[marked];
    if (op.result == result::peer_gone)
        return code == detail::peer_gone_code() ? marked : none;
    static const symbol bad_alloc("bad_alloc");
    const error* injected = find_error(op.fault.kind == fault_kind::bad_alloc ? bad_alloc : op.fault.error);
    return injected && code == code_of(*injected) ? marked : none;
}

std::string to_string(const trace& happened, const operation_record& op)
{
    return to_string(op.id, happened.outcomes.size() > 1);
}

} // namespace mishap
