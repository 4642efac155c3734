// SPDX-License-Identifier: MIT
#pragma once

#include "recorder.hpp"

#include <mishap/contract.hpp>
#include <mishap/detail/completion.hpp>
#include <mishap/operation.hpp>
#include <mishap/plan.hpp>
#include <mishap/resource.hpp>
#include <mishap/trace.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace mishap::detail {

/// What an operation under way waits for.
enum class waits_for : std::uint8_t
{
    nothing, ///< it hangs
    time,    ///< it has an entry in the agenda
    chooser, ///< it may complete whenever the chooser says so
    turns,   ///< a deviation holds it back until others have run
    strike,  ///< its client is cancelled next
    rest,    ///< it outlived that, and goes on when nothing else is ready
    barrier, ///< a fresh client that was served waits for the others
    socket,  ///< a call on a socket that has given nothing yet
};

inline constexpr std::size_t ways_to_wait = 8;

/// What the ledger needs of a resource's object.
struct handle
{
    index& entry; ///< in the ledger; `none` until there is one
    std::uint64_t run;
    symbol kind;
};

/// The operations and the ledger of a run: who they are, what they do, how they end.
///
/// It queues nothing: what has ended is returned, with the handler that waits for it.
class operations
{
public:
    /// An operation that has ended, and the handler that waits for it, or null.
    struct ended
    {
        bool now = false; ///< false where it had ended before
        std::unique_ptr<suspended> handler;
    };

    explicit operations(recorder& record) noexcept : record_(record) {}

    /// A run begins.
    void begin(const contract&, const fault_plan&, std::uint64_t run);

    /// Operations of that name hang where the plan says nothing of them.
    void wait_for_peer(symbol kind, symbol name);

    // Identity.
    /// The identity that the next operation of that kind would have.
    operation_id next_id(const handle& on, role what, symbol name, lane running) const;

    // The life of an operation.
    /// Records the start of an operation and decides what it does. It may have ended when this returns, where
    /// the body fails in its place.
    index start(const handle& on, role what, symbol name, lane running, bool blocking, bool inside_body,
        wire_call wire = wire_call::none);
    /// Likewise, the resolution of a name, which belongs to no resource.
    index start_resolution(lane running, bool inside_body);
    /// The fault that was decided on cannot be expressed there: it does not happen.
    void take_back(index operation);
    /// An operation that belongs to no resource and that the plan may strike: the end of a body.
    index start_body_end(const operation_id& id);
    /// Likewise, one that the plan leaves alone: a fresh client holds what it got.
    index start_holding(const operation_id& id);
    void record_start(index operation);
    /// From now on it is under way. `effect` is what it does outside the simulation when it takes effect, or
    /// null; it lives as long as the operation.
    void put_under_way(index operation, waits_for what, const real_effect* effect = nullptr);
    /// The handler that waits for it. Preconditions: it is under way.
    void suspend(std::unique_ptr<suspended> handler);
    ended complete(index operation, result how);
    /// Completes as it was decided that it should.
    ended complete(index operation) { return complete(operation, planned_result(operation)); }
    /// Records that somebody asked it to stop. Returns whether it does.
    bool ask_to_stop(index operation);
    /// Its handler is taken away and destroyed where it is suspended: it will never be delivered.
    std::unique_ptr<suspended> abandon(index operation);
    /// Records that the manager's code sees the result; returns whether it had not seen it before.
    bool deliver(index operation);

    /// What an operation comes to that ends by itself.
    result planned_result(index operation) const noexcept;
    /// Whether it ended where it was started, without suspending whoever started it.
    bool is_immediate(index operation) const noexcept;
    delivered_error error_of(index operation) const;
    /// What the handler of an operation that has ended has as its cause.
    root root_of_handler(index operation) const noexcept;

    // Those under way.
    /// `nothing` also where it is not under way.
    waits_for waiting_for(index operation) const noexcept;
    void wait_for(index operation, waits_for what) noexcept;
    std::size_t count(waits_for what) const noexcept { return counts_[static_cast<std::size_t>(what)]; }
    /// Lists those that are under way on a resource, in the order of their starts.
    void list_on(index resource, std::vector<index>& into) const;
    /// Lists those that wait for this, in the order in which they came to.
    void list(waits_for what, std::vector<index>& into);
    /// How many a handler waits for.
    std::size_t suspended_count() const noexcept { return suspended_; }
    template <class Visit>
    void for_each_suspended(Visit visit) const
    {
        for (const pending& one : pending_)
            if (one.handler)
                visit(one.operation);
    }
    /// Takes out the last that a handler waits for, or null.
    std::unique_ptr<suspended> take_last_suspended() noexcept;

    // The ledger.
    lane lane_of(const handle& on, lane otherwise) const;
    /// The entry of a resource, new where it had none.
    ///
    /// Errors: throws `std::logic_error` for a resource of an earlier run.
    index entry_of(const handle& on, lane in);
    void force_close(const handle& on);
    /// `nobody_is_left`: nobody is left to run a close that is under way.
    void destroyed(const handle& on, bool nobody_is_left);
    life life_of(const handle& on) const noexcept;
    bool is_broken(const handle& on) const noexcept;

    /// Whether fresh clients try to be served.
    void set_probing(bool probing) noexcept { probing_ = probing; }

private:
    /// An operation under way.
    struct pending
    {
        index operation;
        waits_for what;
        std::uint64_t turn; ///< orders those that wait for the same
        const real_effect* effect;
        std::unique_ptr<suspended> handler;
    };

    /// Counters from which operations of a lane get their identity.
    struct counter
    {
        symbol kind;
        symbol name;
        std::uint32_t count;
    };
    struct lane_counters
    {
        std::vector<counter> uses;
        std::vector<counter> resources;
    };

    lane_counters& counters_of(lane in);
    static std::uint32_t count_in(const std::vector<counter>&, symbol kind, symbol name) noexcept;
    static std::uint32_t& count_up(std::vector<counter>&, symbol kind, symbol name);
    operation_record& at(index operation) const noexcept { return record_->operations[operation]; }
    index add(const operation_id& id, role what, index resource);
    bool waits_for_peer(const operation_record& op) const noexcept;
    /// With what this fails because the resource is broken, or nothing. Of what broke, nothing but the close
    /// succeeds, unless the plan says so.
    symbol error_of_broken(const operation_record& op) const;
    bool fails_for_being_broken(index operation) const noexcept;
    void decide(operation_record& op);
    pending* find(index operation) noexcept;
    void count_wait(waits_for what, int change) noexcept
    {
        counts_[static_cast<std::size_t>(what)] += static_cast<std::size_t>(change);
    }
    result take_effect(index operation, const real_effect& effect, result how);
    void update_ledger(const operation_record& op);

    recorder& record_;
    const contract* contract_ = nullptr;
    const fault_plan* plan_ = nullptr;
    std::uint64_t run_ = 0;
    std::vector<lane_counters> lanes_;
    std::vector<pending> pending_; ///< in the order in which they were started
    std::array<std::size_t, ways_to_wait> counts_{};
    std::vector<std::pair<std::uint64_t, index>> by_turn_;
    std::size_t suspended_ = 0;
    std::uint64_t turns_ = 0;
    std::uint32_t lazily_fired_ = 0;
    std::vector<index> on_broken_; ///< what started on a broken resource, and does not fail by its own fault
    std::vector<std::pair<symbol, symbol>> waiting_; ///< kinds and names that wait for a peer
    bool probing_ = false;
};

} // namespace mishap::detail
