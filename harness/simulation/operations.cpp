// SPDX-License-Identifier: MIT
#include "operations.hpp"

#include "misuse.hpp"

#include "fault/behaviour.hpp"
#include "fault/draw.hpp"
#include "vocabulary/causes.hpp"
#include "vocabulary/mix.hpp"
#include "vocabulary/site.hpp"

#include <mishap/error.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <iterator>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

namespace mishap::detail {

namespace {

const std::exception_ptr& aborted_error()
{
    static const auto error = std::make_exception_ptr(boost::system::system_error(
        boost::asio::error::make_error_code(boost::asio::error::operation_aborted)));
    return error;
}

/// A new one for each operation: where an error came from is told by its identity.
std::exception_ptr peer_gone_error()
{
    return std::make_exception_ptr(boost::system::system_error(peer_gone_code()));
}

/// What the operation throws. A plain code is marked, so that whoever copies it is still found out.
std::exception_ptr make_injected(symbol name, index operation)
{
    const error& known = get_error(name);
    return known.is_plain_code
               ? std::make_exception_ptr(boost::system::system_error(marked(known.code, operation)))
               : known.make();
}

} // namespace

void operations::begin(const contract& promises, const fault_plan& plan, std::uint64_t run)
{
    contract_ = &promises;
    plan_ = &plan;
    run_ = run;
    for (lane_counters& counters : lanes_) {
        counters.uses.clear();
        counters.resources.clear();
    }
    pending_.clear();
    counts_ = {};
    suspended_ = 0;
    turns_ = 0;
    lazily_fired_ = 0;
    on_broken_.clear();
    probing_ = false;
    waiting_.clear();
}

// Identity
// --------------------------------------------------------------------------------------------------

operations::lane_counters& operations::counters_of(lane in)
{
    // Peers count as the background.
    const auto which = in == peer_lane ? 0 : static_cast<std::size_t>(in + 1);
    if (which >= lanes_.size())
        lanes_.resize(which + 1);
    return lanes_[which];
}

std::uint32_t operations::count_in(const std::vector<counter>& counters, symbol kind, symbol name) noexcept
{
    for (const counter& one : counters)
        if (one.kind == kind && one.name == name)
            return one.count;
    return 0;
}

std::uint32_t& operations::count_up(std::vector<counter>& counters, symbol kind, symbol name)
{
    for (counter& one : counters)
        if (one.kind == kind && one.name == name)
            return ++one.count;
    return counters.emplace_back(counter{kind, name, 1}).count;
}

lane operations::lane_of(const handle& on, lane otherwise) const
{
    // A borrower speaks through what it borrowed, whoever runs; of several borrowers, it is whoever runs.
    if (!contract_->capacity.shared && on.run == run_ && on.entry != none &&
        record_->resources[on.entry].borrower != nobody)
        return record_->resources[on.entry].borrower;
    return otherwise;
}

operation_id operations::next_id(const handle& on, role what, symbol name, lane running) const
{
    const lane in = lane_of(on, running);
    operation_id id{.lane = in, .kind = on.kind, .name = name};
    static const lane_counters nothing;
    const auto lane_index = in == peer_lane ? 0 : static_cast<std::size_t>(in + 1);
    const lane_counters& counters = lane_index < lanes_.size() ? lanes_[lane_index] : nothing;
    if (what != role::create && what != role::close) {
        id.occurrence = count_in(counters.uses, on.kind, name) + 1;
        return id;
    }
    const resource_record* entry =
        on.run == run_ && on.entry != none ? &record_->resources[on.entry] : nullptr;
    // A second create, after one that failed or was closed, opens a new entry.
    if (what == role::create && entry && entry->create != none)
        entry = nullptr;
    // Taken over from another lane: its number there is this lane's next.
    const bool is_numbered = entry && entry->ordinal != 0 && entry->home == in;
    id.occurrence = is_numbered ? entry->ordinal : count_in(counters.resources, on.kind, {}) + 1;
    if (what == role::close && entry && entry->first_close != none) {
        id.occurrence = at(entry->first_close).id.occurrence;
        id.attempt = 2;
        while (std::any_of(record_->operations.begin(), record_->operations.end(),
            [&](const operation_record& op) { return op.id == id; }))
            ++id.attempt;
    }
    return id;
}

// The ledger
// --------------------------------------------------------------------------------------------------

index operations::entry_of(const handle& on, lane in)
{
    if (on.run != run_)
        misused<std::logic_error>(
            "a mishap::resource of kind '" + std::string(on.kind.text()) +
            "' outlived the run in which it was made: make it inside the adapter, and keep "
            "none in a static variable");
    if (on.entry == none) {
        on.entry = static_cast<index>(record_->resources.size());
        record_->resources.push_back({.kind = on.kind, .home = in});
    }
    return on.entry;
}

void operations::force_close(const handle& on)
{
    if (on.run != run_)
        return;
    static const symbol name("force_close");
    const lane in = record_.running;
    const index entry = entry_of(on, in);
    const index which = add({.lane = in,
                                .kind = on.kind,
                                .name = name,
                                .occurrence = count_up(counters_of(in).uses, on.kind, name)},
        role::force_close, entry);
    operation_record& op = at(which);
    op.started = record_.add(event_kind::started, in, which);
    op.result = result::ok;
    op.completed = record_.add(event_kind::completed, in, which);
    op.delivered = op.completed;
    resource_record& target = record_->resources[entry];
    if (target.ever_open)
        target.life = life::closed;
}

void operations::destroyed(const handle& on, bool nobody_is_left)
{
    if (on.run != run_ || on.entry == none)
        return;
    resource_record& target = record_->resources[on.entry];
    // A close that is under way goes on without the object, unless nobody is left to run it.
    if (target.life != life::open && !(target.life == life::closing && nobody_is_left))
        return;
    record_.add(event_kind::destroyed, record_.running, on.entry);
    if (contract_->closing.by != closing::operation)
        target.life = life::closed;
}

life operations::life_of(const handle& on) const noexcept
{
    return on.run == run_ && on.entry != none ? record_->resources[on.entry].life : life::absent;
}

bool operations::is_broken(const handle& on) const noexcept
{
    if (on.entry == none)
        return false;
    const auto& all = record_->operations;
    return std::any_of(all.begin(), all.end(), [&](const operation_record& op) {
        return op.resource == on.entry && op.delivered != none && has_broken(op);
    });
}

void operations::update_ledger(const operation_record& op)
{
    if (op.resource == none)
        return;
    resource_record& target = record_->resources[op.resource];
    if (op.role != role::create && target.broken_by.empty() && has_broken(op))
        target.broken_by = op.failed_with();
    if (op.role == role::create) {
        // With a reply that was lost, the resource may exist, but nobody has a handle to close it by.
        const bool exists = op.result == result::ok && !behaviour_of(op.fault.kind).yields_nothing;
        target.life = exists ? life::open : life::absent;
        target.ever_open = target.ever_open || exists;
    } else if (op.role == role::close &&
               (op.result == result::ok || op.result == result::failed || op.fault.loses_reply())) {
        if (target.ever_open)
            target.life = life::closed;
    } else if (op.role == role::close && contract_->closing.by != closing::operation) {
        // The object is left to close it.
        target.life = target.life == life::closing ? life::open : target.life;
    }
}

// The life of an operation
// --------------------------------------------------------------------------------------------------

index operations::add(const operation_id& id, role what, index resource)
{
    const auto which = static_cast<index>(record_->operations.size());
    auto& op = record_->operations.emplace_back();
    op.id = id;
    op.role = what;
    op.resource = resource;
    op.prefix_hash = record_->hash;
    op.position = static_cast<index>(record_->events.size());
    // Whatever starts then serves the fresh clients, also what a pool does in the background.
    op.in_probe = probing_;
    record_.add_to_hash(hash_of(id));
    return which;
}

symbol operations::error_of_broken(const operation_record& op) const
{
    const bool ends_it = op.role == role::create || op.role == role::close || op.role == role::body;
    // Where health is not the manager's business, what it lends is no connection that breaks.
    if (ends_it || op.resource == none || contract_->work.keeps_broken)
        return {};
    return record_->resources[op.resource].broken_by;
}

void operations::wait_for_peer(symbol kind, symbol name)
{
    if (std::find(waiting_.begin(), waiting_.end(), std::pair(kind, name)) == waiting_.end())
        waiting_.emplace_back(kind, name);
}

bool operations::waits_for_peer(const operation_record& op) const noexcept
{
    return !op.blocking && std::any_of(waiting_.begin(), waiting_.end(), [&](const auto& one) {
        return one.first == op.id.kind && one.second == op.id.name;
    });
}

void operations::list_on(index resource, std::vector<index>& into) const
{
    into.clear();
    for (const pending& one : pending_)
        if (at(one.operation).resource == resource)
            into.push_back(one.operation);
}

void operations::decide(operation_record& op)
{
    if (waits_for_peer(op))
        op.fault = fault::hang();
    const symbol broken = error_of_broken(op);
    if (!broken.empty())
        op.fault = fault::fail(broken);
    // Fresh clients are there to see whether the manager still serves, not to be hurt.
    if (op.in_probe)
        return;
    // A synchronous call cannot hang: the program would, for ever.
    const auto fits = [&](const fault& chosen) {
        return !op.blocking || behaviour_of(chosen.kind).can_block;
    };
    if (const perturbation* chosen = plan_->find(op.id);
        chosen && ((op.in_body && op.wire == wire_call::none) || !chosen->fails_body()) &&
        (op.role == role::create || !behaviour_of(chosen->fault().kind).yields_nothing)) {
        if (!fits(chosen->fault()))
            return;
        record_.mark_fired(static_cast<std::size_t>(chosen - plan_->perturbations.data()));
        op.fault = chosen->fault();
        if (const auto* failure = chosen->fails_body()) {
            op.fails_body = true;
            op.fails_before = failure->before;
        }
        op.perturbed = op.fault.kind != fault_kind::ok;
    } else if (plan_->lazy && lazily_fired_ < plan_->lazy->at_most) {
        if (const auto drawn = draw(*plan_->lazy, *contract_, op); drawn && fits(*drawn)) {
            ++lazily_fired_;
            op.fault = *drawn;
            op.perturbed = true;
        }
    }
    if (op.perturbed && !broken.empty() && !op.fails_body && !op.fault.loses_reply() &&
        !behaviour_of(op.fault.kind).fails)
        on_broken_.push_back(static_cast<index>(&op - record_->operations.data()));
}

index operations::start(
    const handle& on, role what, symbol name, lane running, bool blocking, bool inside_body, wire_call wire)
{
    const operation_id id = next_id(on, what, name, running);
    index entry = entry_of(on, id.lane);
    if (what == role::create && record_->resources[entry].create != none) {
        on.entry = none;
        entry = entry_of(on, id.lane);
    }
    resource_record& target = record_->resources[entry];
    lane_counters& counters = counters_of(id.lane);
    const bool by_ordinal = what == role::create || what == role::close;
    if (!by_ordinal) {
        count_up(counters.uses, on.kind, name);
    } else if (target.ordinal == 0) {
        target.ordinal = count_up(counters.resources, on.kind, {});
        target.home = id.lane;
    } else if (target.home != id.lane) {
        count_up(counters.resources, on.kind, {});
    }

    const index which = add(id, what, entry);
    operation_record& op = at(which);
    op.in_body = !by_ordinal && what != role::maintenance && inside_body;
    op.blocking = blocking;
    op.wire = wire;
    decide(op);
    if (op.fails_before) {
        // The body has something else to do: it fails.
        op.result = result::failed;
        op.error = make_injected(op.fault.error, which);
        op.completed = record_.add(event_kind::completed, id.lane, which);
        return which;
    }
    record_start(which);
    if (what == role::create) {
        target.create = which;
        target.life = life::creating;
    } else if (what == role::close) {
        if (target.first_close == none)
            target.first_close = which;
        if (target.life == life::open)
            target.life = life::closing;
    }
    return which;
}

index operations::start_resolution(lane running, bool inside_body)
{
    static const symbol kind("resolve");
    const std::uint32_t occurrence = count_up(counters_of(running).uses, kind, {});
    const index which =
        add({.lane = running, .kind = kind, .name = {}, .occurrence = occurrence}, role::use, none);
    at(which).in_body = inside_body;
    at(which).wire = wire_call::resolve;
    decide(at(which));
    record_start(which);
    return which;
}

void operations::take_back(index operation)
{
    operation_record& op = at(operation);
    if (const perturbation* chosen = plan_->find(op.id))
        record_.unmark_fired(static_cast<std::size_t>(chosen - plan_->perturbations.data()));
    op.fault = {};
    op.perturbed = false;
}

index operations::start_body_end(const operation_id& id)
{
    const index which = add(id, role::body, none);
    at(which).in_body = true;
    decide(at(which));
    return which;
}

index operations::start_holding(const operation_id& id)
{
    const index which = add(id, role::body, none);
    at(which).in_body = true;
    record_start(which);
    put_under_way(which, waits_for::barrier);
    return which;
}

void operations::record_start(index operation)
{
    at(operation).started = record_.add(event_kind::started, at(operation).id.lane, operation);
}

void operations::put_under_way(index operation, waits_for what, const real_effect* effect)
{
    pending_.push_back({operation, what, turns_++, effect, nullptr});
    count_wait(what, 1);
}

void operations::suspend(std::unique_ptr<suspended> handler)
{
    // It was started last, but for what the plan let its starter do before.
    pending* const one = find(handler->operation);
    one->handler = std::move(handler);
    ++suspended_;
}

operations::pending* operations::find(index operation) noexcept
{
    for (auto one = pending_.rbegin(); one != pending_.rend(); ++one)
        if (one->operation == operation)
            return &*one;
    return nullptr;
}

/// Whether it was struck otherwise, and would succeed, had its resource not been broken when it started.
bool operations::fails_for_being_broken(index operation) const noexcept
{
    return std::find(on_broken_.begin(), on_broken_.end(), operation) != on_broken_.end();
}

result operations::planned_result(index operation) const noexcept
{
    const operation_record& op = at(operation);
    const bool fails = behaviour_of(op.fault.kind).fails || fails_for_being_broken(operation);
    return fails && !op.fails_body ? result::failed : result::ok;
}

bool operations::is_immediate(index operation) const noexcept
{
    const operation_record& op = at(operation);
    return behaviour_of(op.fault.kind).when == ends::within_its_start || op.fails_before;
}

operations::ended operations::complete(index operation, result how)
{
    operation_record& op = at(operation);
    if (op.result != result::pending)
        return {};
    ended done{.now = true, .handler = nullptr};
    if (pending* const one = pending_.empty() ? nullptr : find(operation)) {
        const real_effect* const effect = one->effect;
        done.handler = std::move(one->handler);
        count_wait(one->what, -1);
        suspended_ -= done.handler ? 1 : 0;
        pending_.erase(pending_.begin() + (one - pending_.data()));
        if (effect)
            how = take_effect(operation, *effect, how);
    }
    op.result = how;
    if (how == result::failed && !op.error && fails_for_being_broken(operation))
        op.failed_by_itself = error_of_broken(op);
    update_ledger(op);
    if (op.error) {
        // Its real effect failed by itself.
    } else if (how == result::failed && op.fault.kind == fault_kind::bad_alloc)
        op.error = std::make_exception_ptr(std::bad_alloc());
    else if (how == result::failed || op.fails_body)
        op.error = make_injected(op.fails_body ? op.fault.error : op.failed_with(), operation);
    else if (how == result::aborted)
        op.error = aborted_error();
    else if (how == result::peer_gone)
        op.error = peer_gone_error();
    record_.add_to_hash(
        static_cast<std::uint64_t>(how) ^ (how == result::failed ? op.failed_with().stable_hash() : 0));
    op.completed = record_.add(event_kind::completed, op.id.lane, operation);
    return done;
}

bool operations::ask_to_stop(index operation)
{
    operation_record& op = at(operation);
    if (op.result == result::abandoned)
        return false;
    if (op.cancel_requested == none)
        op.cancel_requested = record_.add(event_kind::cancel_requested, record_.running, operation);
    return op.result == result::pending && behaviour_of(op.fault.kind).listens;
}

std::unique_ptr<suspended> operations::abandon(index operation)
{
    pending* const one = find(operation);
    auto handler = std::move(one->handler);
    --suspended_;
    count_wait(one->what, -1);
    pending_.erase(pending_.begin() + (one - pending_.data()));
    operation_record& op = at(operation);
    op.result = result::abandoned;
    op.completed = record_.add(event_kind::completed, op.id.lane, operation);
    return handler;
}

bool operations::deliver(index operation)
{
    operation_record& op = at(operation);
    if (op.delivered != none)
        return false;
    op.delivered = record_.add(event_kind::delivered, op.id.lane, operation);
    return true;
}

delivered_error operations::error_of(index operation) const
{
    const operation_record& op = at(operation);
    if (!op.error)
        return {};
    // Where codes are asked for, nothing is thrown from where it is started.
    if (op.fault.kind == fault_kind::bad_alloc)
        return {op.error, marked(code_of(get_error("bad_alloc")), operation)};
    switch (op.result) {
    case result::aborted:
        return {op.error, boost::asio::error::make_error_code(boost::asio::error::operation_aborted)};
    case result::peer_gone:
        return {op.error, marked(peer_gone_code(), operation)};
    default:
        return {op.error, marked(code_of(get_error(op.failed_with())), operation)};
    }
}

root operations::root_of_handler(index operation) const noexcept
{
    const operation_record& op = at(operation);
    if (op.result != result::aborted)
        return {origin::completion, op.completed};
    const event& end = record_->events[op.completed];
    return {end.why, end.cause};
}

// Those under way
// --------------------------------------------------------------------------------------------------

waits_for operations::waiting_for(index operation) const noexcept
{
    for (const pending& one : pending_)
        if (one.operation == operation)
            return one.what;
    return waits_for::nothing;
}

void operations::wait_for(index operation, waits_for what) noexcept
{
    pending* const one = find(operation);
    count_wait(one->what, -1);
    count_wait(what, 1);
    one->what = what;
    one->turn = turns_++;
}

void operations::list(waits_for what, std::vector<index>& into)
{
    into.clear();
    if (count(what) == 0)
        return;
    by_turn_.clear();
    for (const pending& one : pending_)
        if (one.what == what)
            by_turn_.emplace_back(one.turn, one.operation);
    std::sort(by_turn_.begin(), by_turn_.end());
    for (const auto& [turn, operation] : by_turn_)
        into.push_back(operation);
}

std::unique_ptr<suspended> operations::take_last_suspended() noexcept
{
    for (auto one = pending_.rbegin(); one != pending_.rend(); ++one) {
        if (!one->handler)
            continue;
        auto handler = std::move(one->handler);
        --suspended_;
        count_wait(one->what, -1);
        pending_.erase(std::next(one).base());
        return handler;
    }
    return nullptr;
}

} // namespace mishap::detail
