// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/fwd.hpp>
#include <mishap/symbol.hpp>

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <vector>

namespace mishap {

/// The parts of a client's life that can be bounded in time.
enum class phase : std::uint8_t
{
    acquire, ///< from a client's start until its body is entered: waiting for a slot, and creating
    create,  ///< one create operation, from its start until the manager stops waiting for it
    close,   ///< one close operation, likewise
    body,    ///< the work itself
    other,   ///< anything else the manager does before, between and after
};

std::string_view to_string(phase) noexcept;

/// What becomes of a close error when nothing went wrong before it.
enum class close_error_policy : std::uint8_t
{
    either,   ///< raised or reported, as the manager likes; but not lost
    raised,   ///< the caller sees it
    reported, ///< the caller sees success, the report sink sees the error
};

std::string_view to_string(close_error_policy) noexcept;

/// What counts as the close of a resource.
enum class closing : std::uint8_t
{
    operation,   ///< a close operation, or a force_close
    destruction, ///< the destruction of the resource's object while it is open
    either,
};

std::string_view to_string(closing) noexcept;

/// Which orders of ready handlers a manager must stand.
enum class executor_model : std::uint8_t
{
    /// Posted handlers run in the order in which they were posted, as on one thread; what may differ is when,
    /// and
    /// in which order, operations complete.
    single_threaded,
    /// Ready handlers may run in any order, as on a pool of threads without a strand.
    concurrent,
};

std::string_view to_string(executor_model) noexcept;

/// What a manager promises. Every term left alone is the strict reading: nothing may hang, nothing may be
/// lost; each term that is set says here what it permits or demands.
struct contract
{
    /// Demands that a create that does not end is given up within [T, T + 1 us] of its start, with one of
    /// `timeout_errors`; in the background, too. Unset: being stuck in a create breaks `completes`, and a
    /// manager that gives one up by itself has told nobody of its time-out: name it here.
    std::optional<duration> create_timeout = {};

    /// Permits so many creates by one client, of whatever kinds: one after another that failed, or beside
    /// another that is slow. All of them, and what is waited between them, share the create time-out, whose
    /// clock starts with the first; see `deadline_per_attempt`.
    std::uint32_t create_attempts = 1;
    /// Gives each attempt a create time-out of its own, from its own start.
    bool deadline_per_attempt = false;

    /// Demands that a use in the body that does not end is given up within [T, T + 1 us] of its start.
    /// Unset: being stuck in the body's own work is nobody's fault.
    std::optional<duration> use_timeout = {};

    /// Demands that any other step of the manager's that does not end is given up within [T, T + 1 us] of its
    /// start: a handshake or logout (a use outside of the body), a begin, commit, rollback, ping, acquire or
    /// release. Unset: being stuck in one breaks `completes`; when one is given up is the manager's affair.
    std::optional<duration> other_timeout = {};

    /// Demands that a client has left its body, or given up waiting for a resource, within [T, T + 1 us] of
    /// its start, with one of `timeout_errors`. Clean-up may follow.
    std::optional<duration> whole_timeout = {};

    /// Demands that a close that does not end is given up within [T, T + 1 us] of its start.
    /// Unset: being stuck in a close breaks `completes`. A close that failed, or was given up at its
    /// deadline, counts as one; see `forces_close`.
    std::optional<duration> close_timeout = {};

    /// Demands that a client whose body is not entered ends within [T, T + 1 us] of its start, with one of
    /// `timeout_errors`.
    std::optional<duration> acquire_timeout = {};

    /// Phases that may last for ever without breaking `completes`, because this manager never promised more.
    std::vector<phase> unbounded = {};

    /// So many resources may exist at once. Set for pools, locks and singletons: several clients then run at
    /// once, and after them so many fresh ones must each get a resource. (Without it one fresh client must.)
    std::optional<std::uint32_t> capacity = {};
    /// Demands that so many more clients may wait for a resource: of the fresh ones at the end as many more
    /// come, and all are served. For managers whose waiting line has an end; see `refuses`.
    std::uint32_t waiters = 0;
    /// How many clients run; 0 means one, or, with a capacity, two more than it: a wake-up that one waiter
    /// loses is missed only by another one.
    std::uint32_t clients = 0;
    /// Permits lending one resource to several clients at once. When it breaks, each of them, and whoever
    /// waits for it, may be told.
    bool shared = false;
    /// Permits leaving a resource idle, or a slot free, while clients wait: not every resource serves every
    /// client, as in a pool that keeps some for each host.
    bool keyed = false;
    /// Permits starting an operation on a resource while another one is in flight.
    bool pipelined = false;
    /// Permits running one client's body so many times in all, for managers that try it again after it, or
    /// the commit after it, failed; of the attempts' errors only the last one must reach the caller. An
    /// attempt begins with its `begin`, `acquire` or create.
    std::uint32_t body_attempts = 1;
    /// Demands that clients get their resources in the order in which they came.
    bool fair = false;
    /// Permits lending what is broken: the health of what it lends is not this manager's business, as with a
    /// lock.
    bool keeps_broken = false;
    /// Demands that a resource whose use was cancelled in flight is not lent again.
    bool cancelled_use_breaks = false;
    /// How much virtual time the fresh clients have, and how long they wait where they are refused; unset:
    /// the acquire time-out, else 60 s.
    std::optional<duration> recovery_time = {};

    /// The errors, by name, with which this manager reports that a deadline passed.
    std::vector<std::string> timeout_errors = {"timed_out"};

    close_error_policy close_error = close_error_policy::either;
    /// Permits so many closes of one resource, each after one that did not succeed; the error of one that was
    /// repeated with success need not be told.
    std::uint32_t close_attempts = 1;
    /// Permits closing what is closed already.
    bool idempotent_close = false;
    /// Demands that a resource whose close failed, or was given up, is dropped by a `force_close`.
    bool forces_close = false;
    /// Demands that a resource counts against the capacity until its close has ended, not only until it
    /// starts.
    bool closing_counts = false;

    /// Errors, by name, that this manager may swallow.
    std::vector<std::string> suppresses = {};

    /// Errors, by name, with which this manager may refuse a client whose body has not been entered: its
    /// queue is full, its breaker is open, it is being shut down. It hides no error of the client's own.
    /// Where fresh clients are refused, as many come again after `recovery_time`, and again as long as some
    /// of them are served; in the end all must be.
    std::vector<std::string> refuses = {};

    /// Errors, by name, that this manager turns into others: `{"connection_reset", "service_error"}`,
    /// whatever operation they come from. Who sees the second, or is reported it, has been told of the first.
    struct translation
    {
        std::string from;
        std::string to;
    };
    std::vector<translation> translates = {};

    /// Finds the error inside one that wraps it in a way of its own, or gives null; for managers whose errors
    /// carry their cause otherwise than `std::nested_exception`.
    std::exception_ptr (*unwrap)(const std::exception_ptr&) = nullptr;

    /// Demands that the manager gives up what ignores being cancelled, too; sweeps then have `deaf` and a
    /// long `late` among their default kinds. Structured concurrency asks to wait for it instead.
    bool survives_deaf = false;

    /// How a resource is closed. For RAII, where an object's destructor releases what it holds without an
    /// operation that could fail, set `destruction`, or `either`.
    closing closed_by = closing::operation;

    /// Demands that a check of the manager's own (`maintenance`) which fails in a client's lane, or is given
    /// up at its deadline, is told to that client: a lease that could not be renewed. Without it checks are
    /// the manager's own affair, as a pool's pings are.
    bool checks_are_told = false;

    /// Demands that a clean-up error (of a close, rollback or release) which yields to another one is given
    /// to the report sink. A `close_error` of `reported` demands it too.
    bool reports_cleanup_errors = false;

    /// Permits closing what was lent together in any order, where nothing depends on anything else.
    bool closes_in_any_order = false;

    /// Permits leaving a transaction, or what was acquired, to the close of its session, although that was
    /// not broken.
    bool close_rolls_back = false;

    /// The operations that the scripted body makes on the resource it is lent, in order.
    std::vector<std::string> uses = {"use"};

    /// Permits work that outlives the last client, such as a detached close: it has so much virtual time to
    /// end. At least the time-out of such a close; what hangs then has until its own deadline.
    duration grace{0};

    executor_model executor = executor_model::single_threaded;

    bool is_unbounded(phase) const noexcept;
    bool serves_clients() const noexcept { return capacity || clients > 1; }
    /// How many clients run where a plan does not say.
    std::uint32_t default_clients() const noexcept
    {
        return clients != 0 ? clients : capacity ? *capacity + 2 : 1;
    }
    /// How many fresh clients come when all others have ended.
    std::uint32_t fresh_clients() const noexcept { return capacity.value_or(1) + waiters; }
};

/// Why this contract cannot be meant, or an empty string: a bounded phase that is declared unbounded, a
/// time-out that is not positive, an unknown error.
std::string contradiction(const contract&);

/// Bounds of one run. Reaching one is a verdict, never a hang.
struct limits
{
    /// Handlers that run while time does not pass. At the limit the run breaks `livelock`, and so it does
    /// after a hundred times as many in all.
    std::uint64_t steps_max = 100'000;
    /// Virtual time from the run's start. At the limit a client that still waits is stuck; from then on each
    /// stage of the run's end has one more hour, for clean-up.
    ///
    /// A client is found stuck sooner where only periodic work is left, such as a heartbeat. That is when all
    /// that happened recurred at a constant distance for 100 periods, or for ten minutes and 20 periods,
    /// whichever is less. It takes more than a minute, and more than the contract's largest deadline.
    /// Where the distance varies, nothing new must have happened for ten minutes and 20 periods, or for four
    /// times that deadline, whichever is more. What a client itself repeats, other than checks, counts after
    /// 10,000 periods.
    duration horizon = std::chrono::hours(24);
};

} // namespace mishap
