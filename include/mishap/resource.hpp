#pragma once

#include <mishap/manager.hpp>
#include <mishap/operation.hpp>
#include <mishap/symbol.hpp>
#include <mishap/trace.hpp>

#include <string_view>
#include <utility>

namespace mishap {

namespace detail {
class world;

/// One operation under way, between its start and its delivery.
///
/// `begin` decides what it does; if it does not end at once, `wait` suspends until it has ended; `finish`
/// throws what was injected.
class operation_run
{
public:
    static operation_run begin(const resource&, role, symbol name, lane in);

    bool immediate() const noexcept;
    awaitable<void> wait() const;
    void finish() const;

private:
    operation_run(world& where, index which) : world_(&where), index_(which) {}

    world* world_;
    index index_;
};
} // namespace detail

/// One entry of the ledger: the mock half of a resource, which a fake holds as a member.
///
/// ```
/// class fake_session {
///     mishap::resource resource_{"session"};
/// public:
///     mishap::awaitable<void> open() { return resource_.create(); }
///     mishap::awaitable<int> query() { return resource_.use("query", 42); }
///     mishap::awaitable<void> close() { return resource_.close(); }
///     operator mishap::resource&() { return resource_; }
/// };
/// ```
///
/// Every operation does what the run's plan says: it succeeds after one suspension, or fails, hangs, takes
/// time. A fake that is a moved-from husk must not be used. Destroying it while it is open is recorded.
///
/// Lifetimes: must not outlive the run in which it was made, and must not be moved while an operation is
/// under way.
class resource
{
public:
    /// An absent resource of that kind, in the current run.
    ///
    /// Errors: throws `std::logic_error` when no run is under way on this thread.
    explicit resource(symbol kind);
    resource(resource&& other) noexcept;
    resource& operator=(resource&& other) noexcept;
    ~resource();

    /// Opens it. A second create after a failed one begins a new entry of the ledger.
    awaitable<void> create();

    /// A use; what it is called is how plans and scenarios name it.
    awaitable<void> use(symbol name);

    /// A use that gives `on_success` when it succeeds.
    template <class R>
    awaitable<R> use(symbol name, R on_success)
    {
        co_await use(name);
        co_return on_success;
    }

    /// An operation of the manager's own on this resource, such as a ping before it is lent.
    awaitable<void> maintain(symbol name);

    awaitable<void> close();

    /// Drops it at once. Cannot fail.
    void force_close() noexcept;

    /// True while it is open and no breaking error has been delivered on it.
    bool usable() const noexcept;

    symbol kind() const noexcept { return kind_; }

private:
    friend class detail::operation_run;
    friend class detail::world;

    awaitable<void> operate(role, symbol name);

    detail::world* world_ = nullptr;
    /// Which run of the world: a resource that outlives its run must not touch the next one's ledger.
    std::uint64_t run_ = 0;
    mutable index index_ = none;
    symbol kind_;
};

/// The ready-made fake: a resource whose kind is `resource`, or as given, and whose uses are named by the
/// caller. Enough for managers that are templates over what they manage.
class mock_resource : public resource
{
public:
    explicit mock_resource(symbol kind = "resource") : resource(kind) {}
};

} // namespace mishap
