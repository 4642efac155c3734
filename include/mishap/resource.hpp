// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/detail/completion.hpp>
#include <mishap/manager.hpp>
#include <mishap/operation.hpp>
#include <mishap/result.hpp>
#include <mishap/symbol.hpp>
#include <mishap/trace.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/system/error_code.hpp>

#include <concepts>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace mishap {

namespace detail {
class world;

/// What an operation does outside the simulation.
using real_effect = std::function<void()>;
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
/// time. Once an operation on it failed with a breaking error, such as `connection_reset`, all others on it
/// fail with that error. Its close does not, nor what the plan lets succeed or fail otherwise, nor anything
/// where the contract says `keeps_broken`. A fake that is a moved-from husk must not be used. Destroying it
/// while it is open is recorded.
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

    /// Begins a transaction. As `commit` and `rollback`, an operation named after itself. Transactions of one
    /// resource do not nest: make a savepoint a resource of its own.
    awaitable<void> begin();
    awaitable<void> commit();
    awaitable<void> rollback();

    /// Takes something that is held on this resource, such as an advisory lock, and gives it back; named
    /// after themselves.
    awaitable<void> acquire();
    awaitable<void> release();

    awaitable<void> close();

    /// Any operation, for code that takes completion tokens: callbacks, `use_awaitable`, `deferred`,
    /// `as_tuple` and the like.
    ///
    /// ```
    /// template <class Token> auto async_query(Token&& token)
    /// {
    ///     return resource_.async<void(error_code, int)>(role::use, "query", std::forward<Token>(token), 42);
    /// }
    /// ```
    ///
    /// `Signature` is `void(E, R...)`, where `E` is `boost::system::error_code`, something made of one, or
    /// `std::exception_ptr`. On success the handler is given `on_success`, otherwise an error and
    /// default-constructed results. It is never called from within the initiation, and runs on its associated
    /// executor, or on the simulation's; its cancellation slot stops the operation, which then completes with
    /// `operation_aborted`.
    ///
    /// Errors: an error that can only be thrown arrives as a code of `mishap::error_category` where codes are
    /// asked for. Codes are marked with their operation, so that copies of them are recognised.
    /// Lifetimes: the resource must outlive the initiation, which lazy tokens put off.
    template <class Signature, class Token, class... Results>
    auto async(role what, symbol name, Token&& token, Results... on_success)
    {
        using results = typename detail::completion_signature<Signature>::results;
        static_assert(std::is_constructible_v<results, Results...>,
            "give resource::async one value for each result of its signature");
        return boost::asio::async_initiate<Token, Signature>(
            []<class Handler>(Handler&& handler, resource* on, role as, symbol called, results values) {
                detail::start_async<Signature, std::decay_t<Handler>>(
                    *on, as, called, std::forward<Handler>(handler), std::move(values));
            },
            token, this, what, name, results(std::move(on_success)...));
    }

    /// Any operation, for code whose functions return what went wrong: gives `on_success`, or what
    /// `on_failure` makes of a `mishap::failure`, also where the operation was cancelled.
    ///
    /// ```
    /// auto query() { return resource_.result(role::use, "query", result<int>(42)); }
    /// auto fetch() { return resource_.result(role::use, "fetch", service_result::success(row{}),
    ///     [](const mishap::failure& f) { return service_result::failure(f.name.text()); }); }
    /// ```
    ///
    /// An error that `R::error()` returns, and that is no code with a mark and no exception pointer, is
    /// recognised by its value: make different ones of different failures.
    ///
    /// Errors: throws what `on_failure` throws, and `std::bad_alloc` under the fault of that name.
    template <class R, std::invocable<const failure&> OnFailure = failure_as<R>>
    awaitable<R> result(role what, symbol name, R on_success, OnFailure on_failure = {})
    {
        std::exception_ptr thrown;
        try {
            co_await operate(what, name);
        } catch (const std::bad_alloc&) {
            throw;
        } catch (...) {
            thrown = std::current_exception();
        }
        if (thrown)
            co_return detail::make_failed<R>(std::move(thrown), on_failure);
        co_return on_success;
    }

    /// Likewise, synchronously: see `now`.
    template <class R, std::invocable<const failure&> OnFailure = failure_as<R>>
    R result_now(role what, symbol name, R on_success, OnFailure on_failure = {})
    {
        try {
            now(what, name);
        } catch (const std::bad_alloc&) {
            throw;
        } catch (...) {
            return detail::make_failed<R>(std::current_exception(), on_failure);
        }
        return on_success;
    }

    /// Any operation, for code that calls it synchronously and gets an exception.
    ///
    /// `delay` and `late` block the thread for their duration: virtual time passes, and nobody else runs.
    /// `cancel` strikes after the step in which the call was made. `hang` and `deaf` cannot be expressed:
    /// such a fault does not fire, and sweeps leave it out. While a run is torn down the call does nothing.
    ///
    /// Errors: throws what the plan injects. A destructor that lets it out calls std::terminate, which breaks
    /// `no_escape`: destructors call the overload below.
    void now(role what, symbol name);

    /// Likewise, with the error as a code.
    void now(role what, symbol name, boost::system::error_code& error) noexcept;

    /// Any operation on a real resource: calls `operation` when it takes effect, and gives what that returns.
    ///
    /// ```
    /// mishap::awaitable<int> exchange(std::string query)
    /// {
    ///     return resource_.around(role::use, "exchange", [this, query] { return socket_.exchange(query); });
    /// }
    /// ```
    ///
    /// The plan decides as for any operation. An operation that fails, hangs or is cancelled in time has no
    /// effect, so `operation` is not called; under `fail after effect` it is called and its result is lost.
    /// Of a create, nothing is left then that anybody could close, so there it is not called. Under `empty`
    /// the result is value-initialised.
    ///
    /// `operation` is called once at most, in one step, and runs outside the simulation: it may block, use
    /// real descriptors and threads, or run an `io_context` of its own to its end. Virtual time stands still
    /// meanwhile, and nothing else of the run goes on. It must not touch the run: no resource, no executor.
    ///
    /// Errors: throws what the plan injects, or else what `operation` throws: the operation failed then, and
    /// that error is judged like one that was injected.
    template <std::invocable Operation>
    awaitable<std::invoke_result_t<Operation&>> around(role what, symbol name, Operation operation)
    {
        using returned = std::invoke_result_t<Operation&>;
        if constexpr (std::is_void_v<returned>) {
            const detail::real_effect effect = std::ref(operation);
            co_await operate(what, name, &effect);
        } else {
            static_assert(std::is_default_constructible_v<returned>,
                "what resource::around calls must return something that a null handle can stand for");
            std::optional<returned> value;
            const detail::real_effect effect = [&] { value.emplace(operation()); };
            co_await operate(what, name, &effect);
            co_return value ? std::move(*value) : returned();
        }
    }

    /// Drops it at once. Cannot fail.
    void force_close() noexcept;

    /// From now on, operations of that name on resources of this kind wait for what a peer sends, as a read
    /// does. Unless the plan gives one a delay, an outcome or a fault, it ends when it is asked to stop, when
    /// its resource is aborted, or with the run. Call it before the first, in the fake's constructor.
    void waits_for_peer(symbol name);

    /// What is in flight on it ends with `operation_aborted`, as when a socket is closed. It stays open: what
    /// closes it for the ledger is a close, a `force_close` or, by contract, its destruction.
    void abort() noexcept;

    /// True from the end of a create that succeeded until its close starts.
    bool is_open() const noexcept;

    /// True while it is open and no breaking error has been delivered on it.
    bool usable() const noexcept;

    symbol kind() const noexcept { return kind_; }

private:
    friend class detail::async_operation;
    friend class detail::world;

    awaitable<void> operate(role, symbol name, const detail::real_effect* effect = nullptr);
    /// The world it lives in.
    ///
    /// Errors: throws `std::logic_error` when that runs nothing any more.
    detail::world& home() const;

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
