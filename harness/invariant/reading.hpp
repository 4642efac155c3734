#pragma once
/// What invariants read out of a trace: phases, primaries and who waited for what.

#include "vocabulary/causes.hpp"
#include "vocabulary/deadlines.hpp"

#include <mishap/invariant.hpp>

#include <optional>
#include <string>
#include <vector>

namespace mishap::detail {

/// An error that a client must see: the first thing that went wrong for it.
struct primary
{
    enum class kind
    {
        operation,
        body,
        cancellation,
        deadline,
        whole, ///< the deadline of all that the client did
    };

    kind what;
    /// When the manager's code got to see it.
    index seen;
    /// The operation that failed or outlasted its deadline, or `none`.
    index operation;
    std::exception_ptr error;
    /// The caller may see it, and need not: the deadline and the operation's end fell together, say.
    bool optional = false;
    /// For a deadline, when it passed. The manager may learn of it later than that.
    std::optional<duration> due = {};
};

/// The primaries of a client, in the order in which the manager saw them.
std::vector<primary> primaries_of(const evidence&, lane);

/// Whether an error is the one that this operation delivered: by its identity, or, where it went by way of a
/// std::error_code and lost every mark, by its value. (Not for the values of time-outs, which managers make
/// themselves.)
bool comes_from(const evidence&, index operation, const std::exception_ptr& error);

/// Whether a client that ended with `error` has passed this primary on.
bool is_passed_on(const evidence&, const primary&, const std::exception_ptr& error);

/// "io_error from session.query#1", "its cancellation", …
std::string describe(const evidence&, const primary&);

/// "io_error (session.close#1)" or "connection refused": an error and where it came from.
std::string describe_error(const evidence&, const std::exception_ptr&);

/// A client that neither hung against its contract nor was abandoned: it owes what it began.
bool is_there(const evidence&, lane);

/// Whether a resource was known to be broken by that event: a breaking error, or its peer was gone.
bool was_broken(const evidence&, index resource, index at);

/// A create that succeeded with a null handle.
bool yielded_nothing(const operation_record&) noexcept;

/// Whether this operation's error was given to the report sink.
bool was_reported(const evidence&, index operation);

/// Whether this is what the contract says that the operation's injected error is turned into.
bool is_translated(const evidence&, index operation, const std::exception_ptr&);

bool is_abort(const std::exception_ptr&);
bool is_timeout(const contract&, const std::exception_ptr&);

/// The first create of the attempts that this one belongs to, and which of them it is, from 1. Each operation
/// that is no create, or after which the contract grants no other, is its own first.
struct attempt
{
    index first;
    std::uint32_t number;
};
attempt attempt_of(const evidence&, index operation);

/// When a client had left its body for the last time, or given up waiting for a resource. `none` if it did
/// not.
index end_of_work(const trace&, lane);

/// The time-out of the phase that this operation is, if the contract bounds it.
std::optional<duration> deadline_of(const contract&, const operation_record&);

/// The operation whose start starts this one's clock: attempts share a deadline, unless the contract gives
/// each its own.
index clock_of(const evidence&, index operation);

/// When this operation's deadline passes; nothing where it has none.
std::optional<duration> limit_of(const evidence&, index operation);

/// The event at which the manager stopped waiting for this operation: it was delivered, or asked to stop; or,
/// from its deadline on, its client ended, or its lane went on to create or close something. (Before that,
/// who goes on may well do several things at once.) `none` if that never happened.
index end_of_wait(const evidence&, index operation);

/// Whether this closes what arrived after nobody waited for it any more: that is done on the side.
bool closes_what_came_late(const trace&, const operation_record&);

/// Whether this is a check of the manager's own that was started while its client was inside the body: a
/// keep-alive, a renewal.
bool is_beside_body(const trace&, const operation_record& op);

/// Whether this operation, if it ended then, was none that its client waited for: that was inside its body or
/// entered it meanwhile, or had ended. A pool may open connections from whatever client's lane it is called
/// in.
bool is_on_the_side(const trace&, const operation_record&, index end);

/// How much later than a limit an event may be and still be on time: the precision of timers, and what the
/// steps since its clock started cost, among them those until the manager started its timer.
duration tolerance(const evidence&, index since, index event);

/// Whether the client's own cancellation came at or before that event.
bool cancelled_before(const trace&, lane, index event);

/// Whether it was the client's own cancellation that asked this operation to stop: at once, and not later at
/// some deadline.
bool was_struck(const evidence&, const operation_record& op);

/// What a client was waiting for when it was found stuck.
struct waiting
{
    phase in;
    index operation; ///< or `none`
};
std::vector<waiting> waits_at(const trace&, lane, index stuck);

/// When a client's acquire phase ended: its body was entered, or it ended itself. `none` if neither happened.
index end_of_acquire(const trace&, lane);

/// Whether a client was refused before its body was entered, in the way that the contract permits.
bool was_refused(const evidence&, lane);

/// Whether that stay inside the body lies within another one of the same client: a session's body may well
/// lend a transaction.
bool is_nested_body(const trace&, index body);

/// A client whose outcome is judged: not one of the fresh ones that come after the others, nor one that was
/// abandoned.
bool is_judged(const evidence&, lane);

std::string name_of(const evidence&, index operation);
std::string name_of_resource(const evidence&, index resource);
std::string name_of_client(const evidence&, lane);

} // namespace mishap::detail
