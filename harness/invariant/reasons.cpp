// SPDX-License-Identifier: MIT
// What a client ended with, and what it may or must be told of.

#include "waivers.hpp"

#include "vocabulary/causes.hpp"
#include "vocabulary/deadlines.hpp"
#include "vocabulary/site.hpp"

#include <mishap/account.hpp>
#include <mishap/detail/caught_as.hpp>
#include <mishap/error.hpp>

#include <algorithm>
#include <functional>

namespace mishap {

namespace {

bool matches_any(const std::vector<const error*>& some, const std::exception_ptr& thrown)
{
    return std::any_of(some.begin(), some.end(), [&](const error* known) { return known->matches(thrown); });
}

void find_errors(const std::vector<std::string>& names, std::vector<const error*>& found)
{
    found.clear();
    for (const std::string& name : names)
        if (const error* known = find_error(name); known && known->matches)
            found.push_back(known);
}

} // namespace

void account::read_errors()
{
    const mishap::trace& happened = *trace_;
    thrown_.clear();
    looked_into_.clear();
    translations_.clear();
    reported_.clear();
    for (index i = 0; i < operations_.size(); ++i)
        if (happened.operations[i].error)
            thrown_.emplace_back(detail::object_of(happened.operations[i].error), i);
    const bool any = !thrown_.empty() || !happened.reports.empty() || happened.adapter.error ||
                     std::any_of(happened.outcomes.begin(), happened.outcomes.end(),
                         [](const outcome& client) { return client.error != nullptr; }) ||
                     std::any_of(happened.bodies.begin(), happened.bodies.end(),
                         [](const body_record& body) { return body.error != nullptr; });
    timeouts_.clear();
    refusals_.clear();
    suppressed_.clear();
    stopped_.clear();
    if (!any)
        return;
    // The first of several operations that delivered one object comes first.
    std::sort(thrown_.begin(), thrown_.end(), [](const auto& a, const auto& b) {
        return a.first != b.first ? std::less<>()(a.first, b.first) : a.second < b.second;
    });
    find_errors(contract_->time.errors, timeouts_);
    find_errors(contract_->errors.refuses, refusals_);
    std::vector<const error*> ended;
    find_errors(contract_->errors.ended, ended);
    refusals_.insert(refusals_.end(), ended.begin(), ended.end());
    find_errors(contract_->errors.suppresses, suppressed_);
    find_errors(contract_->errors.cancelled, stopped_);
    for (const error_terms::translation& t : contract_->errors.translates)
        if (const error* to = find_error(t.to); to && to->matches)
            translations_.push_back({symbol(t.from), to});
    // Each exception is looked into once, whoever ended with it.
    const auto add = [&](const std::exception_ptr& error) {
        if (error)
            looked_into_.emplace_back(detail::object_of(error), look_into(error));
    };
    const std::exception_ptr* last = nullptr;
    for (const outcome& client : happened.outcomes) {
        if (client.error && (!last || *last != client.error))
            add(client.error);
        last = &client.error;
    }
    std::sort(looked_into_.begin(), looked_into_.end(),
        [](const auto& a, const auto& b) { return std::less<>()(a.first, b.first); });
    for (std::size_t i = 0; i < happened.outcomes.size(); ++i) {
        const outcome& client = happened.outcomes[i];
        if (!client.error)
            continue;
        client_account& mine = clients_[i + 1];
        mine.told = look_into(client.error);
        mine.refused = mine.told.refusal && mine.acquired == client.ended;
    }
    if (happened.adapter.error)
        clients_.front().told = look_into(happened.adapter.error);
    read_served();
    if (happened.reports.empty())
        return;
    reported_.assign(operations_.size(), false);
    for (const report_record& report : happened.reports) {
        if (const index source = source_of(report.error); source != none)
            reported_[source] = true;
        for (const value_record& value : happened.values)
            if (report.error && value.operation != none && value.is_in(report.error))
                reported_[value.operation] = true;
    }
    for (const translation& t : translations_)
        if (std::any_of(happened.reports.begin(), happened.reports.end(),
                [&](const report_record& report) { return report.error && t.to->matches(report.error); }))
            for (index i = 0; i < operations_.size(); ++i)
                if (happened.operations[i].failed_with() == t.from)
                    reported_[i] = true;
}

/// A failed create belongs to who ended with its error, if the lane in which it ran did not: with callbacks,
/// whoever gives something back may well open a resource for the next one in line.
void account::read_served()
{
    const auto is_of = [&](const client_account& mine) {
        return mine.told.source != none && trace_->operations[mine.told.source].role == role::create &&
               trace_->operations[mine.told.source].result == result::failed;
    };
    for (std::size_t row = 1; row < clients_.size(); ++row)
        if (is_of(clients_[row]))
            operations_[clients_[row].told.source].served = clients_[row].who;
    for (std::size_t row = 1; row < clients_.size(); ++row)
        if (is_of(clients_[row]))
            if (const index source = clients_[row].told.source;
                trace_->operations[source].id.lane == clients_[row].who)
                operations_[source].served = clients_[row].who;
}

index account::source_of(const std::exception_ptr& thrown) const
{
    return detail::find_source(*trace_, thrown, [&](const std::exception_ptr& one) {
        const auto at = std::partition_point(thrown_.begin(), thrown_.end(),
            [&](const auto& known) { return std::less<>()(known.first, detail::object_of(one)); });
        return at != thrown_.end() && at->first == detail::object_of(one) ? at->second : none;
    });
}

told account::look_into(const std::exception_ptr& thrown) const
{
    if (!thrown)
        return {};
    const void* const object = detail::object_of(thrown);
    const auto known = std::partition_point(looked_into_.begin(), looked_into_.end(),
        [&](const auto& one) { return std::less<>()(one.first, object); });
    if (known != looked_into_.end() && known->first == object)
        return known->second;
    told found;
    found.source = source_of(thrown);
    std::exception_ptr cause = thrown;
    for (int depth = 0; cause && depth < detail::causes_max; ++depth) {
        const detail::contents inside = detail::contents_of(cause);
        found.cancelled = found.cancelled || detail::says_cancelled(inside.code);
        found.timeout = found.timeout || matches_any(timeouts_, cause);
        found.refusal = found.refusal || matches_any(refusals_, cause);
        found.stopped = found.stopped || matches_any(stopped_, cause);
        cause = inside.cause;
    }
    if (const auto* const of_std = detail::caught_as<std::system_error>(thrown))
        found.plain = of_std->code();
    return found;
}

bool account::comes_from(index operation, const std::exception_ptr& error, const mishap::told& is) const
{
    if (operation == none || !error)
        return false;
    if (is.source != none)
        return is.source == operation || returned_value(*trace_, operation, error);
    const mishap::error* injected = find_error(trace_->operations[operation].failed_with());
    return injected && injected->is_plain_code && !is.timeout && is.plain &&
           *is.plain == std::error_code(injected->code);
}

bool account::is_translated(index operation, const std::exception_ptr& error) const
{
    const symbol injected = trace_->operations[operation].failed_with();
    return error && std::any_of(translations_.begin(), translations_.end(),
                        [&](const translation& t) { return t.from == injected && t.to->matches(error); });
}

bool account::was_reported(index operation) const { return !reported_.empty() && reported_[operation]; }

bool account::tells(const client_account& client, const reason& r) const
{
    const std::exception_ptr& error = trace_->outcomes[static_cast<std::size_t>(client.who)].error;
    if (!error)
        return false;
    switch (r.what) {
    case reason::kind::cancellation:
        return client.told.cancelled || client.told.stopped;
    case reason::kind::deadline:
    case reason::kind::whole:
    case reason::kind::own_timeout:
        return client.told.timeout;
    case reason::kind::operation:
    case reason::kind::body:
        break;
    }
    return error == r.error || comes_from(r.operation, error, client.told) ||
           std::any_of(translations_.begin(), translations_.end(), [&](const translation& t) {
               return detail::is_named(*trace_, r, t.from) && t.to->matches(error);
           });
}

void account::read_reasons()
{
    shared_.clear();
    others_.clear();
    const bool any_timeout = std::any_of(
        clients_.begin(), clients_.end(), [](const client_account& client) { return client.told.timeout; });
    for (index i = 0; i < operations_.size(); ++i) {
        const operation_record& op = trace_->operations[i];
        const bool fails = op.role == role::create && op.result == result::failed;
        if (contract_->capacity.shared && op.resource != none && (fails || detail::has_broken(op)))
            shared_.push_back(i);
        const bool of_background = op.id.lane == background_lane;
        const bool prepares = op.role == role::create || (of_background && op.role != role::close);
        const index end = operations_[i].waited.to;
        if (any_timeout && prepares && op.role != role::body && op.started != none && end != none &&
            (of_background || contract_->capacity.shared || is_on_the_side(i, end)))
            others_.push_back(i);
    }
    std::stable_sort(others_.begin(), others_.end(),
        [&](index a, index b) { return operations_[a].waited.to < operations_[b].waited.to; });
    reasons_.clear();
    reasons_of_.assign(clients_.size(), {});
    for (std::size_t row = 1; row < clients_.size(); ++row) {
        client_account& mine = clients_[row];
        const std::size_t first = reasons_.size();
        if (trace_->outcomes[row - 1].started != none) {
            add_failures(mine);
            add_deadlines(mine);
            add_client_deadlines(mine);
        }
        reasons_of_[row] = {first, reasons_.size()};
        const std::span<reason> found = std::span(reasons_).subspan(first);
        if (found.empty())
            continue;
        std::stable_sort(
            found.begin(), found.end(), [](const reason& a, const reason& b) { return a.seen < b.seen; });
        waive(found, mine);
    }
    for (std::size_t row = 1; row < clients_.size(); ++row)
        clients_[row].reasons = std::span<const reason>(reasons_).subspan(
            reasons_of_[row].first, reasons_of_[row].second - reasons_of_[row].first);
}

void account::waive(std::span<reason> found, const client_account& mine)
{
    for (const detail::waiver_row& row : detail::waiver_table())
        if (row.of_reason)
            for (reason& r : found)
                if (r.is_owed() && row.of_reason({*this, mine, found, r}))
                    r.waived = &row;
}

/// Whether what several clients share failed another one: whoever waits for it, or has it, may be told.
bool account::concerns(const client_account& mine, index operation) const
{
    const operation_record& op = trace_->operations[operation];
    if (op.id.lane == mine.who)
        return false;
    const index came = trace_->outcomes[static_cast<std::size_t>(mine.who)].started;
    if (came < op.completed && mine.acquired > op.completed)
        return true;
    for (index i = stay_at(mine.who, op.completed); i != none; i = stays_[i].around) {
        const index lent = trace_->bodies[i].resource;
        if (stays_[i].during.to > op.completed && (lent == op.resource || lent == none))
            return true;
    }
    return false;
}

void account::add_failures(client_account& mine)
{
    const auto& all = trace_->operations;
    const outcome& client = trace_->outcomes[static_cast<std::size_t>(mine.who)];
    const auto failed = [&](const operation_record& op) {
        return (op.result == result::failed || op.result == result::peer_gone) && op.delivered != none;
    };
    const auto add = [&](index i, index seen) {
        reasons_.push_back({reason::kind::operation, seen, i, all[i].error});
    };
    /// An error that no rule demands the client to see, but that it may, if it ended with it: of the body's
    /// own steps, which may well handle it, or of what the manager does in the background for everybody.
    const auto may_pass_on = [&](index i) {
        const operation_record& op = all[i];
        return failed(op) && op.role != role::close && op.role != role::rollback &&
               op.role != role::release && client.error &&
               (op.id.lane == mine.who || op.id.lane == background_lane) &&
               (mine.told.source == i || returned_value(*trace_, i, client.error));
    };
    for (const index i : shared_)
        if (concerns(mine, i))
            add(i, all[i].completed);
    for (const index i : mine.operations) {
        const operation_record& op = all[i];
        if (!failed(op))
            continue;
        const bool matters = op.role == role::create || op.role == role::use || op.role == role::begin ||
                             op.role == role::commit || op.role == role::acquire;
        const bool is_own =
            matters && !op.in_body &&
            (op.role != role::create || operations_[i].served == mine.who || op.result != result::failed);
        if (is_own || op.role == role::maintenance || (op.in_body && may_pass_on(i)))
            add(i, op.delivered);
    }
    if (!client.error)
        return;
    const auto add_of_another = [&](index i) {
        if (i == none || all[i].id.lane == mine.who)
            return;
        const bool is_its_create = all[i].role == role::create && operations_[i].served == mine.who &&
                                   all[i].result == result::failed && all[i].delivered != none;
        if (is_its_create || may_pass_on(i))
            add(i, all[i].delivered);
    };
    add_of_another(mine.told.source);
    for (const value_record& value : trace_->values)
        if (value.operation != mine.told.source)
            add_of_another(value.operation);
}

void account::add_deadlines(client_account& mine)
{
    for (const index i : mine.operations)
        add_deadline(mine, i);
    if (!mine.told.timeout)
        return;
    add_deadlines_of_others(mine);
    add_deadline_between_attempts(mine);
}

void account::add_deadline(const client_account& mine, index i)
{
    const operation_record& op = trace_->operations[i];
    const operation_account& row = operations_[i];
    const index end = row.waited.to;
    if (op.started == none || end == none || op.role == role::close || op.role == role::body)
        return;
    const duration at = trace_->time_of(end);
    const bool passed = row.due && at >= *row.due;
    // A timeout that the contract says nothing of is the manager's own affair, and so is one of what goes on
    // beside the body, which may end it.
    // A timer may be over several operations: what it gives up at once comes right after one that took time.
    const auto came_before = [&](index earlier) {
        const operation_record& other = trace_->operations[earlier];
        return other.completed != none && trace_->time_of(other.completed) == at &&
               trace_->time_of(other.started) < at;
    };
    const bool given_up = op.cancel_requested == end && mine.told.timeout &&
                          (at > trace_->time_of(op.started) ||
                              std::any_of(mine.operations.begin(),
                                  std::find(mine.operations.begin(), mine.operations.end(), i), came_before));
    const bool is_told =
        row.beside_body && contract_->errors.checks_are_told && passed && op.result != result::ok;
    if ((op.in_body || row.beside_body) && !is_told) {
        if (given_up && (passed || !row.due))
            reasons_.push_back({reason::kind::own_timeout, end, i, nullptr, at});
    } else if (passed) {
        if (is_told || !is_on_the_side(i, end))
            reasons_.push_back({reason::kind::deadline, end, i, nullptr, row.due});
    } else if (given_up && !row.due && (op.role != role::create || contract_->is_unbounded(phase::create)))
        reasons_.push_back({reason::kind::own_timeout, end, i, nullptr, at});
}

/// A client that waits for a resource may be told of the deadline of another lane's create, which that one
/// did not wait for, or of a step of the background. The first and the last say all that rules ask.
void account::add_deadlines_of_others(const client_account& mine)
{
    const index ended = trace_->outcomes[static_cast<std::size_t>(mine.who)].ended;
    const auto add = [&](index i) {
        const operation_record& op = trace_->operations[i];
        const operation_account& row = operations_[i];
        const index end = row.waited.to;
        if (op.id.lane == mine.who || op.started >= mine.acquired || row.beside_body)
            return false;
        const duration at = trace_->time_of(end);
        if (row.due && at >= *row.due)
            reasons_.push_back({reason::kind::deadline, end, i, nullptr, row.due});
        else if (!row.due && op.cancel_requested == end && at > trace_->time_of(op.started) &&
                 (op.role != role::create || contract_->is_unbounded(phase::create)))
            reasons_.push_back({reason::kind::own_timeout, end, i, nullptr, at});
        else
            return false;
        return true;
    };
    const auto later = std::partition_point(
        others_.begin(), others_.end(), [&](index i) { return operations_[i].waited.to < ended; });
    const auto first = std::find_if(others_.begin(), later, add);
    if (first != later)
        std::find_if(std::reverse_iterator(later), std::reverse_iterator(std::next(first)), add);
}

/// The deadline that attempts share may pass between two of them.
void account::add_deadline_between_attempts(const client_account& mine)
{
    const index ended = trace_->outcomes[static_cast<std::size_t>(mine.who)].ended;
    if (contract_->time.per_attempt || contract_->attempts.create == 1 || ended == none ||
        mine.acquired != ended)
        return;
    for (const index i : mine.operations) {
        const operation_record& op = trace_->operations[i];
        const auto& due = operations_[i].due;
        if (op.role == role::create && due && op.delivered != none && trace_->time_of(op.delivered) <= *due &&
            trace_->time_of(ended) >= *due)
            reasons_.push_back({reason::kind::deadline, ended, i, nullptr, due});
    }
}

void account::add_client_deadlines(const client_account& mine)
{
    const outcome& client = trace_->outcomes[static_cast<std::size_t>(mine.who)];
    const auto add = [&](reason::kind what, const std::optional<duration>& timeout, index end) {
        if (!timeout || end == none)
            return;
        const duration due = trace_->time_of(client.started) + *timeout;
        if (trace_->time_of(end) >= due)
            reasons_.push_back({what, end, none, nullptr, due});
    };
    add(reason::kind::deadline, contract_->time.acquire, mine.acquired);
    for (const index i : mine.stays) {
        const body_record& body = trace_->bodies[i];
        if (!body.error || body.left == none)
            continue;
        const mishap::told is = look_into(body.error);
        if (!is.cancelled)
            reasons_.push_back({reason::kind::body, body.left, is.source, body.error});
    }
    for (index i = client.first_cancellation; i != none; i = trace_->cancellations[i].next)
        reasons_.push_back({reason::kind::cancellation, trace_->cancellations[i].event});
    add(reason::kind::whole, contract_->time.whole, mine.worked);
}

bool detail::is_named(const trace& happened, const reason& r, symbol name)
{
    if (r.operation != none && !happened.operations[r.operation].failed_with().empty())
        return happened.operations[r.operation].failed_with() == name;
    const error* known = find_error(name);
    return r.error && known && known->matches && known->matches(r.error);
}

} // namespace mishap
