// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/fwd.hpp>
#include <mishap/symbol.hpp>

#include <cstdint>
#include <exception>
#include <limits>
#include <optional>
#include <string>
#include <utility>
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

/// How long things may take. A deadline of T is kept by who gives up within [T, T + 1 us] of the start.
struct time_terms
{
    /// Demands that a create that does not end is given up at this deadline, with one of `errors`; in the
    /// background, too. Unset: being stuck in a create breaks `completes`, and a manager that gives one up
    /// has told nobody of its timeout: name it here.
    std::optional<duration> create = {};
    /// Demands that a use in the body that does not end is given up at this deadline.
    /// Unset: being stuck in the body's own work is nobody's fault.
    std::optional<duration> use = {};
    /// Demands that a close that does not end is given up at this deadline. Unset: being stuck in a close
    /// breaks `completes`. A close that failed, or was given up at its deadline, counts as one; see
    /// `closing.forced`.
    std::optional<duration> close = {};
    /// Demands that a client whose body is not entered ends at this deadline after its start, with one of
    /// `errors`.
    std::optional<duration> acquire = {};
    /// Demands that at this deadline after its start a client has left its body, or given up waiting for a
    /// resource, with one of `errors`. Clean-up may follow.
    std::optional<duration> whole = {};
    /// Demands that any other step of the manager's that does not end is given up at this deadline. Such
    /// steps are a handshake or logout (a use outside of the body), a begin, commit, rollback, ping, acquire
    /// or release. Unset: being stuck in one breaks `completes`; when one is given up is the manager's
    /// affair.
    std::optional<duration> other = {};
    /// A deadline of one operation, by kind and name as in plans: `{"tls.create", 5s}`.
    struct of_operation
    {
        std::string operation;
        duration limit;
    };
    /// Demands that these operations are given up at deadlines of their own, in place of that of their role.
    std::vector<of_operation> operations = {};
    /// Demands that a client's clean-up ends at this deadline after the start of its first step. Closes,
    /// rollbacks, releases, and uses after the body share it, beside deadlines of their own.
    std::optional<duration> clean_up = {};
    /// Gives each attempt a create timeout of its own, from its own start.
    bool per_attempt = false;
    /// How much virtual time the fresh clients have, and how long they wait where they are refused; unset:
    /// the acquire timeout, else 60 s.
    std::optional<duration> recovery = {};
    /// Permits work that outlives the last client, such as a detached close: it has this much virtual time to
    /// end. At least the timeout of such a close; what hangs then has until its own deadline.
    duration grace{0};
    /// The errors, by name, with which this manager reports that a deadline passed.
    std::vector<std::string> errors = {"timed_out"};
    /// Phases that may last for ever without breaking `completes`, because this manager never promised more.
    std::vector<phase> unbounded = {};
};

/// How many there may be, and who gets them.
struct capacity_terms
{
    /// The maximum number of resources. Set for pools, locks and singletons: several clients then run at
    /// once, and after them as many fresh ones must each get a resource. (Without it one fresh client must.)
    std::optional<std::uint32_t> resources = {};
    /// How many clients run; 0 means one, or, with `resources`, two more than that: a wake-up that one waiter
    /// loses is missed only by another one.
    std::uint32_t clients = 0;
    /// Demands that this many more clients may wait for a resource: of the fresh ones at the end as many more
    /// come, and all are served. For managers whose waiting line has an end; see `errors.refuses`.
    std::uint32_t waiters = 0;
    /// Permits lending one resource to several clients at once. When it breaks, each of them, and whoever
    /// waits for it, may be told.
    bool shared = false;
    /// Permits lending one resource at once to clients whose modes go together: `{{"read", "read"}}` lets
    /// readers share, and writers be alone. A client says its mode by `client::mode`.
    std::vector<std::pair<std::string, std::string>> together = {};
    /// Permits leaving a resource idle, or a slot free, while clients wait: not every resource serves every
    /// client, as in a pool that keeps some for each host.
    bool keyed = false;
    /// Demands that clients get their resources in the order in which they came.
    bool fair = false;
    /// Demands that no more creates than this are started in the whole run, or within each `creates_within`.
    std::optional<std::uint32_t> creates = {};
    std::optional<duration> creates_within = {};
    /// Demands that a resource which was created is lent before clients close it, unless it broke, or its
    /// client was cancelled or reached a deadline.
    bool wastes_nothing = false;
    /// Demands that a resource counts against `resources` until its close has ended, not only until it
    /// starts.
    bool closing_counts = false;
};

/// How often things may be tried.
struct attempt_terms
{
    /// For a manager that tries until it is cancelled, or until a deadline of its client's passes.
    static constexpr std::uint32_t unlimited = std::numeric_limits<std::uint32_t>::max();

    /// Permits this many creates by one client, of whatever kinds: one after another that failed, or beside
    /// another that is slow; or `unlimited`. All of them, and what is waited between them, share the create
    /// timeout, whose clock starts with the first; see `time.per_attempt`. What is done with a new resource
    /// before it is lent, such as a handshake, is part of its attempt.
    std::uint32_t create = 1;
    /// Permits running one client's body this many times in all, for managers that try it again after it, or
    /// the commit after it, failed. Of the attempts' errors only the last one must reach the caller. An
    /// attempt begins with its `begin`, `acquire` or create.
    std::uint32_t body = 1;
    /// Permits this many closes of one resource, each after one that did not succeed; the error of one that
    /// was repeated with success need not be told.
    std::uint32_t close = 1;
};

/// What becomes of errors. Errors are given by name.
struct error_terms
{
    /// Errors that this manager turns into others: `{"connection_reset", "service_error"}`, whatever
    /// operation they come from. Who sees the second, or is reported it, has been told of the first.
    struct translation
    {
        std::string from;
        std::string to;
    };

    /// What becomes of a close error when nothing went wrong before it.
    close_error_policy close = close_error_policy::either;
    /// Errors that this manager may swallow.
    std::vector<std::string> suppresses = {};
    /// Errors with which this manager may refuse a client whose body has not been entered: its queue is full,
    /// its breaker is open, it is being shut down. It hides no error of the client's own.
    /// Where fresh clients are refused, as many come again after `time.recovery`, and again as long as some
    /// of them are served; in the end all must be.
    std::vector<std::string> refuses = {};
    /// Errors with which this manager refuses clients when it has ended for good, as a pipeline does with its
    /// connection. Fresh clients need not be served then.
    std::vector<std::string> ended = {};
    std::vector<translation> translates = {};
    /// Errors that a client which was cancelled may see, besides `operation_aborted`.
    std::vector<std::string> cancelled = {};
    /// Finds the error inside one that wraps it in a way of its own, or gives null; for managers whose errors
    /// carry their cause otherwise than `std::nested_exception`.
    std::exception_ptr (*unwrap)(const std::exception_ptr&) = nullptr;
    /// Demands that a clean-up error (of a close, rollback or release) which yields to another one is given
    /// to the report sink. A `close` of `reported` demands it too.
    bool reports_cleanup = false;
    /// Demands that a check of the manager's own (`maintenance`) which fails in a client's lane, or is given
    /// up at its deadline, is told to that client: a lease that could not be renewed. Without it checks are
    /// the manager's own affair, as a pool's pings are.
    bool checks_are_told = false;
};

/// How resources are closed.
struct closing_terms
{
    /// How a resource is closed. For RAII, where an object's destructor releases what it holds without an
    /// operation that could fail, set `destruction`, or `either`.
    closing by = closing::operation;
    /// Permits closing what is closed already.
    bool idempotent = false;
    /// Demands that a resource whose close failed, or was given up, is dropped by a `force_close`.
    bool forced = false;
    /// Permits closing what was lent together in any order, where nothing depends on anything else.
    bool any_order = false;
    /// Permits leaving a transaction, or what was acquired, to the close of its session, although that was
    /// not broken.
    bool rolls_back = false;
};

/// What is done with a resource meanwhile.
struct work_terms
{
    /// The operations that the scripted body makes on the resource it is lent, in order.
    std::vector<std::string> uses = {"use"};
    /// Permits starting an operation on a resource while another one is in flight.
    bool pipelined = false;
    /// Permits lending what is broken: the health of what it lends is not this manager's business, as with a
    /// lock.
    bool keeps_broken = false;
    /// Demands that a resource whose use was cancelled in flight is not lent again.
    bool cancelled_use_breaks = false;
    /// Demands that the manager gives up what ignores being cancelled, too; sweeps then have `deaf` and a
    /// long `late` among their default kinds. Structured concurrency asks to wait for it instead.
    bool survives_deaf = false;
    /// Demands that clients may be destroyed where they are suspended, and the world with them, at any step.
    /// Sweeps and random campaigns then abandon clients and depart from first come, first served by default.
    bool abandonable = false;
    executor_model executor = executor_model::single_threaded;
};

/// What a manager promises. Every term left alone is the strict reading: nothing may hang, nothing may be
/// lost; each term that is set says what it permits or demands. `mishap list contract` prints all of them.
struct contract
{
    time_terms time = {};
    capacity_terms capacity = {};
    attempt_terms attempts = {};
    error_terms errors = {};
    closing_terms closing = {};
    work_terms work = {};

    bool is_unbounded(phase) const noexcept;
    bool serves_clients() const noexcept { return capacity.resources || capacity.clients > 1; }
    /// How many clients run where a plan does not say.
    std::uint32_t default_clients() const noexcept
    {
        if (capacity.clients != 0)
            return capacity.clients;
        return capacity.resources ? *capacity.resources + 2 : 1;
    }
    /// How many fresh clients come when all others have ended.
    std::uint32_t fresh_clients() const noexcept { return capacity.resources.value_or(1) + capacity.waiters; }
};

/// Why this contract cannot be meant, or an empty string: a bounded phase that is declared unbounded, a
/// timeout that is not positive, an unknown error.
std::string contradiction(const contract&);

/// Bounds of one run. Reaching one is a verdict, never a hang.
struct limits
{
    /// Handlers that run while time does not pass. At the limit the run breaks `livelock`, and so it does
    /// after a hundred times as many in all.
    std::uint64_t steps_max = 100'000;
    /// Virtual time from the run's start. At the limit a client that still waits is stuck; from then on each
    /// stage of the run's end has one more hour, for clean-up. Unset: a day, or four times the
    /// contract's largest deadline, whichever is more, beyond whatever the plan itself delays or lets come
    /// later. A manager whose own pauses are longer than that needs a limit that covers them.
    ///
    /// A client is found stuck sooner where only periodic work is left, such as a heartbeat. That is when all
    /// that happened recurred at a constant distance for 100 periods, or for ten minutes and 20 periods,
    /// whichever is less. It takes more than a minute, and more than the contract's largest deadline.
    /// Where the distance varies, nothing new must have happened for ten minutes and 20 periods, or for four
    /// times that deadline, whichever is more. What a client itself repeats, other than checks, counts after
    /// 10,000 periods.
    std::optional<duration> horizon = {};

    friend bool operator==(const limits&, const limits&) = default;
};

} // namespace mishap
