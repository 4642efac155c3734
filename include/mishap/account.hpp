// SPDX-License-Identifier: MIT
#pragma once
/// The account of a run: what every rule reads, mishap's own and yours. It is built once per verdict.

#include <mishap/contract.hpp>
#include <mishap/plan.hpp>
#include <mishap/trace.hpp>

#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace mishap {

struct error;

/// Events from `from` on, and before `to`. What never ended has `none`, the greatest index, as its `to`.
struct interval
{
    index from = none;
    index to = none;

    bool contains(index at) const noexcept { return from <= at && at < to; }
};

/// Why something that looks like a violation is none.
struct waiver
{
    std::string_view name;
    std::string_view sentence;
};

/// Every exception about what a client is told and how long it waits, in the order in which they are tried.
std::span<const waiver* const> waivers() noexcept;

/// One stay inside the body. Row `i` belongs to `trace::bodies[i]`.
struct stay
{
    interval during;
    /// The client's latest earlier stay that had not ended when this one began, or `none`.
    index around = none;
    /// It lies within another one of the same client, as where a session's body lends a transaction.
    bool nested = false;
};

/// How the wait for an operation ended.
enum class wait_end : std::uint8_t
{
    never,      ///< nobody stopped waiting
    answered,   ///< its result was delivered
    struck,     ///< it was asked to stop because its client was cancelled
    timed_out,  ///< it was asked to stop because a timer of the manager's expired
    given_up,   ///< it was asked to stop for another reason
    superseded, ///< its deadline passed, and its client ended or went on
};

/// What the account adds to an operation. Row `i` belongs to `trace::operations[i]`.
struct operation_account
{
    /// From its start until the manager stopped waiting for it.
    interval waited;
    wait_end how = wait_end::never;
    /// Which of the contract's attempts at creating this is, or is part of, from 1: a handshake belongs to
    /// its create.
    std::uint32_t attempt = 1;
    /// The operation with whose start its deadline's clock starts: attempts share a deadline, unless the
    /// contract gives each its own.
    index clock = none;
    /// When its deadline passes, if the contract has one for it, and how long that is after `clock`.
    std::optional<duration> due = {};
    duration limit{0};
    /// The client whose error a failed create is: its lane's, unless another one ended with that error.
    mishap::lane served = 0;
    /// A check of the manager's own that was started while its client was inside the body.
    bool beside_body = false;
    /// It belongs to a resource that arrived after its create had been given up: such a close is done on the
    /// side.
    bool came_late = false;
};

/// What the account adds to a resource. Row `i` belongs to `trace::resources[i]`.
struct resource_account
{
    std::span<const index> operations; ///< made on it, in the order of their starts
    std::span<const index> closes;     ///< its closes and forced closes
    std::span<const index> stays;      ///< inside a body that was lent it
    /// The event at which the manager first knew it to be broken, or `none`.
    index broke = none;
    index first_destroyed = none;
    index last_destroyed = none;
    /// While it was open and nobody had begun to close it; empty (`from` is `none`) if it never was.
    interval open;
};

/// What an error is, looked into once.
struct told
{
    index source = none;    ///< the operation that delivered it, or `none`
    bool cancelled = false; ///< it, or a cause of it, says that something was cancelled
    bool timeout = false;   ///< it, or a cause of it, is one of the contract's `timeout_errors`
    bool refusal = false;   ///< it, or a cause of it, is one of the contract's `refuses` or `ended`
    bool stopped = false;   ///< it, or a cause of it, is one of the contract's `cancelled_errors`
    std::optional<std::error_code> plain = {}; ///< the value of a `std::system_error`, which carries no mark
};

/// Why a client may end with an error: something went wrong for it.
struct reason
{
    enum class kind : std::uint8_t
    {
        operation,    ///< an operation failed
        body,         ///< an error left the body
        cancellation, ///< its caller cancelled it
        deadline,     ///< a deadline of the contract's passed: an operation's, or the client's for a resource
        whole,        ///< the deadline of all its work passed
        own_timeout,  ///< the manager gave something up that the contract gives no deadline
    };

    kind what;
    index seen;                       ///< the event at which the manager learned of it
    index operation = none;           ///< what failed, or was given up; or `none`
    std::exception_ptr error = {};    ///< of an operation or body
    std::optional<duration> due = {}; ///< of a deadline: when it passed
    const waiver* waived = nullptr;   ///< why the client need not be told of it; null where it must be

    bool is_owed() const noexcept { return waived == nullptr; }
};

/// What the account adds to a client, or to the background.
struct client_account
{
    mishap::lane who = background_lane;
    std::span<const index> operations; ///< of its lane, in the order of their starts
    std::span<const index> stays;      ///< inside its body, in the order of their beginnings
    std::span<const reason> reasons;   ///< in the order in which the manager learned of them
    mishap::told told;                 ///< what its error is, if it ended with one
    /// When its body was first entered, or when it ended without that; `none` if neither happened.
    index acquired = none;
    /// When it had left its body for the last time, or ended without having entered it; `none` if it did not.
    index worked = none;
    /// It was refused before its body was entered, in the way that the contract permits.
    bool refused = false;
    index last_create = none;  ///< the start of its last create, or `none`
    index last_attempt = none; ///< the start of its last create, begin or acquire, or `none`

    /// The first reason that it must be told of, or null.
    const reason* first_owed() const noexcept;
};

/// A wait that the contract bounds.
struct wait
{
    enum class kind : std::uint8_t
    {
        operation,
        acquire, ///< for a resource, from the client's start until its body is entered
        whole,   ///< all its work, from its start until it has left its body
    };

    kind of;
    lane who;
    index operation; ///< or `none`
    index clock;     ///< the event at which its clock starts
    index end;       ///< the event at which it ended
    duration limit;  ///< counted from `clock`
};

/// Something that a client waits for.
struct pending
{
    phase in;
    index operation; ///< or `none`: its turn, or something that is no operation
};

/// What a manager had at one event.
struct supply
{
    std::int32_t open = 0;     ///< resources that were created and not yet being closed
    std::int32_t idle = 0;     ///< of those: whole, lent to nobody, and with nothing in flight
    std::int32_t creating = 0; ///< creates in flight
    std::int32_t inside = 0;   ///< clients inside their bodies
    std::int32_t taken = 0;    ///< slots of the capacity: stays, and what the manager itself has in flight
};

/// What happened in a run, as rules need it. Valid as long as the trace that it was built from.
class account
{
public:
    std::span<const operation_account> operations() const noexcept { return operations_; }
    std::span<const resource_account> resources() const noexcept { return resources_; }
    std::span<const stay> stays() const noexcept { return stays_; }
    /// Every wait that the contract bounds and that ended: clients' for a resource, clients' whole work, then
    /// operations.
    std::span<const wait> bounded_waits() const noexcept { return waits_; }
    /// The events at which nothing could happen any more while a client waited. What comes after the first,
    /// mishap set in motion.
    std::span<const index> rests() const noexcept { return rests_; }
    index first_rest() const noexcept { return rests_.empty() ? none : rests_.front(); }

    /// Preconditions: a lane of the trace, or `background_lane`.
    const client_account& client(lane) const noexcept;
    /// Whether this lane is a client of the trace.
    bool has_client(lane) const noexcept;

    /// What there was just after that event.
    ///
    /// Complexity: linear in the trace at the first call, then constant.
    const supply& supply_at(index event) const;
    /// The first resource that was idle at that event, or `none`. Complexity: linear in the resources.
    index idle_at(index event) const { return idle_for(symbol(), event); }
    /// Likewise, of those that serve clients of this key: that were lent to one of them first. An empty key
    /// is served by any.
    index idle_for(symbol key, index event) const;

    /// The client's innermost stay that contains this event, or `none`.
    index stay_at(lane, index event) const;
    bool is_inside(lane in, index event) const { return stay_at(in, event) != none; }
    /// What the client waits for at that event: operations in flight that it had not left behind, or else
    /// its turn.
    std::vector<pending> pending_at(lane, index event) const;

    /// Whether frames of an abandoned client stayed for a time, in that interval, since mishap could not
    /// destroy them: what they held, nobody else could have.
    bool is_held_by_abandoned(const interval& during) const;
    /// Whether frames of this client were still there at the end of the run, although it was abandoned.
    bool lingers(lane) const;

    /// Whether the client's caller cancelled it at or before that event.
    bool was_cancelled(lane, index event) const;
    /// Whether nobody waited for this operation when it ended, or was given up, at that event: its client was
    /// inside its body, entered it meanwhile, or had ended.
    bool is_on_the_side(index operation, index end) const;
    /// Whether this check was started beside a stay in the body that had ended by that event.
    bool outlasts_body(index operation, index end) const;
    /// Whether this operation had been asked to stop by that event, and its lane had gone on without it.
    bool was_left_behind(index operation, index event) const;
    /// Whether another create of this one's lane was in flight at that event, where the contract grants
    /// several.
    bool has_rival(index create, index event) const;
    /// Whether what failed at that event was tried again, as `body_attempts` permits.
    bool is_tried_again(lane, index failed) const;
    /// Whether this error was given to the report sink, as it was or translated.
    bool was_reported(index operation) const;

    /// How much later than its deadline an event may come: the precision of timers, the cost of the steps
    /// between both events, and the time for which synchronous calls blocked the thread meanwhile.
    duration slack(index since, index event) const;

    /// What this error is.
    mishap::told look_into(const std::exception_ptr&) const;
    /// Whether an error is the one that this operation delivered: by identity, or, where it lost its mark on
    /// its way through a `std::error_code` or a result type, by value.
    bool comes_from(index operation, const std::exception_ptr& error, const mishap::told& is) const;
    /// Whether this is what the contract says that the operation's injected error is turned into.
    bool is_translated(index operation, const std::exception_ptr& error) const;
    /// Whether what the client ended with tells of this reason.
    bool tells(const client_account&, const reason&) const;

    /// Builds the account of this trace in place of an earlier one. All three must outlive its use.
    void build(const mishap::contract&, const fault_plan&, const mishap::trace&);

    const mishap::contract& contract() const noexcept { return *contract_; }
    const fault_plan& plan() const noexcept { return *plan_; }
    const mishap::trace& trace() const noexcept { return *trace_; }

private:
    /// Lists of indices by group, one after another.
    struct groups
    {
        std::vector<index> starts;
        std::vector<index> items;

        template <class GroupOf>
        void build(std::size_t count, std::size_t size, GroupOf group_of);
        std::span<const index> operator[](std::size_t group) const noexcept;
    };

    void list_by_lane_and_resource();
    void read_events();
    void read_lingering();
    void read_stays();
    void read_creates();
    bool has_failed_by(index create, index event) const;
    void read_resources();
    void read_clients();
    void read_waits();
    void find_end_of_wait(index operation);
    index first_clean_up(index operation) const;
    bool has_left_body(lane, index event) const;
    wait_end how_given_up(const operation_record&, index asked) const;
    void read_errors();
    void read_served();
    void read_reasons();
    void add_failures(client_account&);
    void add_deadlines(client_account&);
    void add_deadlines_of_others(const client_account&);
    void add_deadline(const client_account&, index operation);
    void add_deadline_between_attempts(const client_account&);
    void add_client_deadlines(const client_account&);
    void waive(std::span<reason>, const client_account&);
    void read_supply() const;
    std::size_t row_of(lane in) const noexcept { return static_cast<std::size_t>(in + 1); }
    bool concerns(const client_account&, index operation) const;
    duration blocked_until(index event) const;
    index source_of(const std::exception_ptr&) const;

    const mishap::contract* contract_ = nullptr;
    const fault_plan* plan_ = nullptr;
    const mishap::trace* trace_ = nullptr;

    groups by_lane_;            ///< operations
    groups turns_;              ///< by lane: creates and closes, but for those of what came late
    groups by_resource_;        ///< operations
    groups closes_;             ///< by resource
    groups stays_by_lane_;      ///< bodies
    groups stays_by_resource_;  ///< bodies
    std::vector<index> rivals_; ///< by turn: how long the longest create until then was waited for
    std::vector<operation_account> operations_;
    std::vector<resource_account> resources_;
    std::vector<stay> stays_;
    std::vector<client_account> clients_; ///< the background first
    std::vector<wait> waits_;
    std::vector<reason> reasons_;
    std::vector<std::pair<std::size_t, std::size_t>> reasons_of_; ///< by client: where they begin and end
    std::vector<index> rests_;
    std::vector<interval> lingering_;                 ///< frames of abandoned clients that stayed for a time
    std::vector<std::pair<index, duration>> blocked_; ///< ends of calls that took time, and how much in all
    std::vector<index>
        shared_; ///< where resources are shared: creates that failed, and what broke its resource
    std::vector<index> others_; ///< steps for whose deadline other clients may be told, by their ends
    std::vector<std::pair<const void*, index>> thrown_; ///< the errors of operations, by their objects
    std::vector<std::pair<const void*, mishap::told>> looked_into_;
    std::vector<bool> reported_;
    std::vector<const error*> timeouts_, refusals_, suppressed_, stopped_;
    struct translation
    {
        symbol from;
        const error* to;
    };
    std::vector<translation> translations_;

    mutable bool supply_is_known_ = false;
    mutable std::vector<supply> supply_;
    mutable std::vector<interval> idle_;
    mutable std::vector<std::pair<index, index>> idle_of_; ///< resource, its first interval
};

} // namespace mishap
