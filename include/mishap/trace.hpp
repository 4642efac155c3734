// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/fault.hpp>
#include <mishap/fwd.hpp>
#include <mishap/operation.hpp>
#include <mishap/plan.hpp>

#include <boost/system/error_code.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace mishap {

/// Which call on a socket an operation is.
///
/// It stands before `mishap::none`, which GCC would say that its own `none` hides.
enum class wire_call : std::uint8_t
{
    none, ///< it is an operation of a mock
    socket,
    connect,
    accept,
    receive,
    send,
    shutdown,
    close,
    resolve, ///< of a name
};

/// An index into one of the trace's tables.
using index = std::uint32_t;
inline constexpr index none = std::numeric_limits<index>::max();

enum class event_kind : std::uint8_t
{
    client_started,
    client_ended,
    client_cancelled, ///< the environment asked the client to stop
    client_abandoned, ///< what the client had suspended was destroyed; without a client, the whole world was
    started,          ///< an operation was started
    cancel_requested, ///< somebody asked a pending operation to stop
    completed,        ///< an operation's effect and result are settled; its handler is queued
    delivered,        ///< the manager's code sees the result
    body_entered,
    body_left,
    reported,   ///< the manager gave an error to the report sink
    destroyed,  ///< a resource's object was destroyed while the resource was not closed
    escaped,    ///< an exception left a handler
    terminated, ///< std::terminate was called
    blocked,    ///< a call would have blocked the thread
    left,       ///< a call left the simulation
    stage,      ///< the run reached a stage of its end
    note,
    expectation_failed, ///< a check of the test itself failed: an `EXPECT_*`, a mock's, `MISHAP_REQUIRE`
};

/// What set off the handler in which an event came about.
enum class origin : std::uint8_t
{
    unknown,     ///< several causes met: in a strand, in the io_context's own queue, on another thread
    environment, ///< no handler: the plan, the passing of time, or the end of the run; its stage is the cause
    start,       ///< a client or the adapter started; its `client_started` is the cause
    strike,      ///< it was asked to stop, or abandoned; the cause is the event that says so
    timer,       ///< a timer of the code under test expired
    completion,  ///< an operation ended; its `completed` is the cause
};

std::string_view to_string(origin) noexcept;

/// One thing that happened. `subject` indexes the table that its kind speaks of.
///
/// Its origin and cause are those of the handler that was running. A handler inherits them from the handler
/// that queued it, with these exceptions, each of which is a new origin. The handler of an operation has the
/// operation's `completed` event as its cause, unless the operation was aborted: then it inherits from
/// whatever asked for that. What a cancellation by the environment sets off has the `client_cancelled` event
/// as its cause. The handler of a timer that expired has the origin `timer`; that of a wait that was
/// cancelled inherits from whatever cancelled it. Strands, and the io_context's own queue, run handlers of
/// several causes together: where these cannot be told apart, the origin is `unknown`.
struct event
{
    duration at;
    event_kind kind;
    origin why = origin::unknown;
    mishap::lane lane;
    index subject;
    /// The step in which it happened, or after which, if it happened between two.
    std::uint32_t step;
    /// The event that is the cause, or `none`; always an earlier one.
    index cause = none;
};

/// The stages of a run's end, in order.
enum class stage : std::uint8_t
{
    all_ended, ///< every client ended
    stuck,     ///< nothing can happen any more and a client still waits
    livelock,  ///< the limit of steps was reached
    clients_cancelled,
    peers_gone,    ///< every operation that still hung failed
    probing,       ///< fresh clients try whether the manager still serves
    shutting_down, ///< the adapter goes on
    grace_over,    ///< the contract's grace has passed
    judged,
};

std::string_view to_string(stage) noexcept;

enum class result : std::uint8_t
{
    pending,
    ok,
    failed,    ///< with an injected error
    aborted,   ///< because it was asked to stop
    peer_gone, ///< it hung until the end of the run
    abandoned, ///< the handler that waited for it was destroyed
};

/// One operation of a run. `started`, `completed`, `delivered` and `cancel_requested` are indices of events,
/// or `none`.
struct operation_record
{
    operation_id id;
    mishap::role role = role::use;
    mishap::result result = result::pending;
    mishap::fault fault = {};
    bool perturbed = false;    ///< the plan chose something other than plain success, and it happened
    bool fails_body = false;   ///< the failure delivered here stands for one of the body's own
    bool fails_before = false; ///< the body failed instead of starting it
    bool in_probe = false;     ///< started while fresh clients try to be served
    bool in_body = false;      ///< started by the body rather than by the manager
    bool blocking = false;     ///< a synchronous call, which nobody can cancel and which cannot hang
    wire_call wire = wire_call::none;
    bool ended = false;    ///< a receive that got the end: the other side sends no more
    std::size_t moved = 0; ///< bytes that a send or receive moved
    index resource = none;
    index started = none;
    index cancel_requested = none;
    index completed = none;
    index delivered = none;
    std::exception_ptr error = {}; ///< what was delivered
    symbol failed_by_itself = {};  ///< the error of a real operation that the plan let take effect
    index position = none;         ///< how many events had happened before it started
    std::uint64_t prefix_hash = 0; ///< of everything that happened before it started

    /// Whether it had its effect, also where its caller was told otherwise, because the reply was lost.
    bool took_effect() const noexcept
    {
        return result == result::ok || (fault.loses_reply() && !fails_body && completed != none);
    }

    /// The name of the registered error that was delivered here; empty where it succeeded, was cancelled or
    /// failed otherwise.
    symbol failed_with() const noexcept
    {
        if (!failed_by_itself.empty())
            return failed_by_itself;
        return result == result::failed || fails_body ? fault.error : symbol();
    }
};

/// The lane of the peers in the network of a run, which nobody judges.
inline constexpr lane peer_lane = -5;

/// No client at all, where a resource is not lent.
inline constexpr lane nobody = -2;

enum class life : std::uint8_t
{
    absent,
    creating,
    open,
    closing,
    closed
};

std::string_view to_string(life) noexcept;

/// One ledger entry: a resource, from its create's start.
struct resource_record
{
    symbol kind;
    mishap::lane home = 0;
    std::uint32_t ordinal = 0; ///< 0 until the create starts
    mishap::life life = life::absent;
    index create = none;
    index first_close = none;
    bool ever_open = false;
    mishap::lane borrower = nobody; ///< the client that it is lent to
    symbol broken_by = {};          ///< the breaking error that an operation on it failed with
    bool wire = false;              ///< a socket
};

enum class ending : std::uint8_t
{
    running,
    returned,
    threw,
    hung,      ///< was stuck until the caller gave up; `error` is what came out then, if anything did
    abandoned, ///< was destroyed where it was suspended
};

std::string_view to_string(ending) noexcept;

/// How a client ended.
struct outcome
{
    mishap::ending ending = ending::running;
    std::exception_ptr error = {};
    index started = none;
    index ended = none;
    index cancelled = none;          ///< for the first time
    index first_cancellation = none; ///< of its row in `trace::cancellations`
    index last_cancellation = none;
    index abandoned = none;
    /// Of one that was abandoned: how many events had happened when the last of its frames was destroyed.
    /// `none` where something that mishap cannot destroy holds one, such as a timer that nobody can cancel.
    index gone = none;
    index stuck = none;       ///< the stage event at which it was found waiting for ever
    std::uint32_t began = 0;  ///< the step in which its own code was entered; 0 until then
    bool probe = false;       ///< it came after the others, to see whether it is served
    symbol key = {};          ///< which resources serve it, where it said so; see `client::key`
    symbol mode = {};         ///< how it holds its resource; see `client::mode`
    std::uint32_t weight = 1; ///< how much of the capacity it takes; see `client::weight`
};

/// A cancellation of a client by its caller.
struct cancellation_record
{
    index event = none;
    /// The client waited for a callback, which hears of no cancellation.
    bool unheard = false;
    index next = none; ///< the same client's next one
};

/// One stay inside the body.
struct body_record
{
    mishap::lane lane = 0;
    index resource = none;
    index entered = none;
    index left = none;
    std::exception_ptr error = {}; ///< what left the body
};

struct report_record
{
    mishap::lane lane = 0;
    std::exception_ptr error;
};

/// A call that would have blocked the thread, or that left the simulation.
struct outside_call
{
    std::string call;
    std::uint64_t step = 0;
};

/// A check of the test itself that failed while the run was under way.
struct expectation_record
{
    mishap::lane lane = 0;
    std::string file = {}; ///< empty where the check cannot say
    int line = 0;
    std::string message = {};
    bool ended_lane = false; ///< `MISHAP_REQUIRE`: its client does not go on, and may leave anything behind
};

/// What a call on a socket was waiting for.
struct call_record
{
    index operation = none;
    std::string what; ///< `bytes from shop.example:443; the peer closed at 2s`
};

/// Work on the executor that nothing had ended: a suspended coroutine, a pending timer, a work guard.
struct work_record
{
    mishap::lane lane = 0;
    std::uint64_t step = 0; ///< in which it was started
    duration since{0};
};

/// An operation that was still being made again and again when the run was found at rest: a heartbeat, a
/// reaper.
struct tick_record
{
    index operation = none; ///< the latest one
    duration every{0};      ///< the distance of the last two
    std::uint32_t times = 0;
};

/// A place of the code that the run reached (`MISHAP_REACHED`).
struct reached_record
{
    std::string_view what;
    index event;             ///< the last one before
    std::uint64_t times = 1; ///< in this run
};

/// An interruption or deviation of the plan that struck, and where that was.
struct strike_record
{
    std::size_t plan_index = 0;
    perturbation what; ///< in the plan's words: relative to the last operation before it
    index event = none;
};

/// What the ledger can count, to be compared with a counter of the manager's.
enum class quantity : std::uint8_t
{
    open,       ///< resources that were created and whose close has not ended
    created,    ///< creates that gave a resource, so far
    closed,     ///< resources whose close has ended, so far
    in_use,     ///< clients that are inside their body now
    waiting,    ///< clients that came and have not been served yet
    idle,       ///< resources that are open and lent to nobody
    reserved,   ///< places of the capacity: resources that are being created, or open
    expression, ///< what the adapter computes from the supply
};

std::string_view to_string(quantity) noexcept;

/// A counter that the adapter gave to `environment::statistics`.
struct statistic_record
{
    std::string name;
    symbol kind = {}; ///< of the resources that it counts; empty for every kind
    quantity what = quantity::open;
    /// Of an expression: what the counter must show.
    std::function<long(const supply&)> expected = {};
};

/// What a counter showed when nothing was ready to run, or at its end.
struct sample_record
{
    index statistic = none;
    long value = 0;
    index position = 0; ///< how many events had happened before
    bool last = false;  ///< the counter goes away
};

/// An error that an operation returned in a result type, and that only its value tells again.
struct value_record
{
    index operation = none;
    std::function<bool(const std::exception_ptr&)> is_in;
};

/// What happened in a run, in order, with virtual times from the run's start.
struct trace
{
    std::vector<event> events;
    std::vector<operation_record> operations;
    std::vector<resource_record> resources;
    std::vector<outcome> outcomes; ///< by client; probes after the others
    /// How the adapter itself ended, where it served clients; otherwise it is client 0.
    outcome adapter;
    bool has_adapter = false;
    bool asked_for_body = false; ///< the adapter called `environment::body`
    std::vector<strike_record> strikes;
    std::vector<cancellation_record> cancellations;
    std::vector<body_record> bodies;
    std::vector<report_record> reports;
    std::vector<std::exception_ptr> escapes; ///< and those under way at std::terminate; may be null
    std::vector<std::string> notes;
    std::vector<reached_record> reached;
    std::vector<outside_call> outside_calls;
    std::vector<expectation_record> expectations;
    std::vector<statistic_record> statistics;
    std::vector<sample_record> samples;
    std::vector<value_record> values;
    std::vector<work_record> stuck_work;  ///< what was pending when the run was found stuck
    std::vector<tick_record> ticks;       ///< what went on periodically then
    std::vector<call_record> stuck_calls; ///< likewise, calls on sockets
    std::vector<work_record> stray_work;  ///< what was left after the grace
    /// To which the clock was advanced, in order, up to a few hundred: what timers were armed.
    std::vector<duration> instants;
    /// The longest time that the run was about to wait for a timer; Asio asks for no more than five minutes.
    duration longest_wait{0};
    bool stray_reactor = false; ///< the io_context itself still had something pending then
    /// The contract's own way to find an error inside another, or null.
    std::exception_ptr (*unwrap)(const std::exception_ptr&) = nullptr;
    index world_abandoned = none; ///< the event after which nothing ran any more
    /// The event at which the run was left where it stood: std::terminate, or a wait that nobody could end.
    index cut_off = none;
    std::uint64_t steps = 0;
    std::uint64_t hash = 0; ///< of all events; equal hashes mean equal traces

    void clear();
    duration time_of(index event_index) const noexcept { return events[event_index].at; }
};

/// The operation whose injected error `thrown` is, or `none`. It is recognised as the same exception object,
/// as one nested in it (`std::nested_exception`) or by the mark of the code in a `system_error`. Where
/// operations return errors of other types, it is the first that returned that value. The message is never
/// compared.
index find_source(const trace&, const std::exception_ptr& thrown);

/// Whether that operation returned the value that was thrown.
bool returned_value(const trace&, index operation, const std::exception_ptr& thrown);

/// The operation that delivered this code, or `none`. Recognised by the source location that injected codes
/// carry, which copies keep; never by value. It is lost through `std::error_code`.
index find_source(const trace&, const boost::system::error_code&) noexcept;

/// `resource.create` as it reads in the timeline, with the lane where several clients ran.
std::string to_string(const trace&, const operation_record&);

} // namespace mishap
