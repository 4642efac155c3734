// SPDX-License-Identifier: MIT
#pragma once
/// Lending a resource with asynchronous clean-up, for production code: what Python calls an asynchronous
/// context manager. Needs Boost.Asio's headers and nothing else of mishap; nothing here simulates anything.
///
/// ```
/// mishap::context<session> open_session(driver& driver)
/// {
///     session s = co_await driver.connect();
///     std::exception_ptr error;
///     try {
///         co_yield s; // the body runs here
///     } catch (...) {
///         error = std::current_exception(); // what the body threw; a catch block cannot co_await
///     }
///     co_await s.close();
///     if (error)
///         std::rethrow_exception(error);
/// }
///
/// int rows = co_await mishap::with(
///     open_session(driver), [](session& s) { return s.query(); }, log);
/// ```

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace mishap {

/// A context broke its protocol: it lends nothing, lends twice, or is entered or left out of turn.
class context_error : public std::logic_error
{
public:
    using std::logic_error::logic_error;
};

namespace detail {

/// What `co_await` gives for each thing that may be awaited inside a context.
template <class Awaited>
struct awaited_result;

template <class T>
struct awaited_result<boost::asio::awaitable<T>>
{
    using type = T;
};
template <>
struct awaited_result<boost::asio::this_coro::executor_t>
{
    using type = boost::asio::any_io_executor;
};
template <>
struct awaited_result<boost::asio::this_coro::cancellation_state_t>
{
    using type = boost::asio::cancellation_state;
};
template <>
struct awaited_result<boost::asio::this_coro::reset_cancellation_state_0_t>
{
    using type = void;
};
template <class Filter>
struct awaited_result<boost::asio::this_coro::reset_cancellation_state_1_t<Filter>>
{
    using type = void;
};
template <class InFilter, class OutFilter>
struct awaited_result<boost::asio::this_coro::reset_cancellation_state_2_t<InFilter, OutFilter>>
{
    using type = void;
};
template <>
struct awaited_result<boost::asio::this_coro::throw_if_cancelled_0_t>
{
    using type = bool;
};
template <>
struct awaited_result<boost::asio::this_coro::throw_if_cancelled_1_t>
{
    using type = void;
};

/// The part of a context's promise that does not depend on what it lends.
///
/// A context cannot await by itself: Asio's awaitables are resumed by Asio's own coroutines only. So it stops
/// at each `co_await`, and the coroutine that entered or left it awaits in its place. That way executor and
/// cancellation are that coroutine's, with nothing to forward.
class context_promise
{
public:
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { failure_ = std::current_exception(); }

    template <class Awaited>
    auto await_transform(Awaited awaited)
    {
        constexpr bool known = requires { typename awaited_result<Awaited>::type; };
        static_assert(known, "inside a mishap::context, co_await takes an asio::awaitable<T> (the token "
                             "asio::use_awaitable gives one) or what asio::this_coro offers");
        if constexpr (known)
            return relayed<Awaited, typename awaited_result<Awaited>::type>(*this, std::move(awaited));
        else
            return std::suspend_never();
    }

    /// Resumes the coroutine, and awaits for it until it lends, ends or fails.
    static boost::asio::awaitable<void> run(std::coroutine_handle<> coroutine, context_promise& promise)
    {
        namespace this_coro = boost::asio::this_coro;
        for (;;) {
            coroutine.resume();
            const request next = std::exchange(promise.request_, {});
            if (!next.await)
                co_return;
            // Where a cancelled coroutine awaits, Asio throws. It must do so inside the context, so not here.
            const bool throws = co_await this_coro::throw_if_cancelled();
            co_await this_coro::throw_if_cancelled(false);
            co_await next.await(next.on, throws);
        }
    }

    /// Makes the `co_yield` at which the coroutine stands throw; null lets it go on.
    void throw_at_yield(std::exception_ptr error) noexcept { thrown_ = std::move(error); }

    std::exception_ptr take_failure() noexcept { return std::exchange(failure_, nullptr); }

protected:
    /// Where the coroutine stands while the body runs.
    class lending
    {
    public:
        explicit lending(context_promise& by) noexcept : by_(&by) {}
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<>) const noexcept {}
        void await_resume() const
        {
            if (by_->thrown_)
                std::rethrow_exception(std::exchange(by_->thrown_, nullptr));
        }

    private:
        context_promise* by_;
    };

private:
    struct request
    {
        boost::asio::awaitable<void> (*await)(void* on, bool throws) = nullptr;
        void* on = nullptr;
    };

    /// A `co_await` inside the context.
    template <class Awaited, class Result>
    class relayed
    {
    public:
        relayed(context_promise& by, Awaited&& awaited) : by_(&by), awaited_(std::move(awaited)) {}

        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<>) noexcept { by_->request_ = {&await, this}; }
        Result await_resume()
        {
            if (error_)
                std::rethrow_exception(std::exchange(error_, nullptr));
            if constexpr (!std::is_void_v<Result>)
                return std::move(*result_);
        }

    private:
        static boost::asio::awaitable<void> await(void* on, bool throws)
        {
            auto& self = *static_cast<relayed*>(on);
            try {
                co_await boost::asio::this_coro::throw_if_cancelled(throws);
                if constexpr (std::is_void_v<Result>)
                    co_await std::move(self.awaited_);
                else
                    self.result_.emplace(co_await std::move(self.awaited_));
            } catch (...) {
                self.error_ = std::current_exception();
            }
        }

        using stored = std::conditional_t<std::is_void_v<Result>, bool, Result>;

        context_promise* by_;
        Awaited awaited_;
        std::optional<stored> result_;
        std::exception_ptr error_;
    };

    request request_;
    std::exception_ptr thrown_;
    std::exception_ptr failure_;
};

} // namespace detail

/// A coroutine that makes a resource, lends it with one `co_yield`, and cleans up after the body, whatever
/// the body did.
///
/// An error of the body is thrown at the `co_yield`. Whoever lets it pass on, or rethrows it, hands it to the
/// caller; ending without it suppresses it. Inside, `co_await` takes any `asio::awaitable` and what
/// `asio::this_coro` offers, which speaks of the coroutine that enters or leaves: executor and cancellation
/// are that one's.
///
/// Functions, member functions and lambdas can be such coroutines. Parameters are copied into it; what they
/// refer to, the object of a member function and a lambda with captures must live until it has been left.
///
/// Errors: `enter` throws what the coroutine throws before it lends, and `context_error` when it ends without
/// a `co_yield`. `exit` throws what clean-up throws, other than the body's own error, and `context_error`
/// when the coroutine comes to a second `co_yield`. That error is thrown at the second `co_yield`, too, so
/// that the clean-up behind it runs.
///
/// Lifetimes: what is lent is valid until `exit` starts. A context must not be moved or destroyed while it is
/// being entered or left. One that is destroyed between the two cleans up nothing but what destructors do.
///
/// Thread safety: that of an Asio coroutine; its parts run one after the other, on the executor's threads.
template <class T>
class [[nodiscard]] context
{
public:
    class promise_type : public detail::context_promise
    {
    public:
        context get_return_object() noexcept
        {
            return context(std::coroutine_handle<promise_type>::from_promise(*this));
        }

        template <class Lent>
        auto yield_value(Lent&& lent) noexcept
        {
            constexpr bool fits = std::is_convertible_v<std::remove_reference_t<Lent>*, T*>;
            static_assert(fits, "a coroutine that is declared as mishap::context<T> lends a T: give co_yield "
                                "a T, or declare the type of what it lends");
            if constexpr (fits)
                lent_ = std::addressof(lent);
            return lending(*this);
        }

    private:
        friend class context;
        T* lent_ = nullptr;
    };

    context(context&& other) noexcept
        : coroutine_(std::exchange(other.coroutine_, nullptr)), stage_(other.stage_)
    {}
    context& operator=(context&& other) noexcept
    {
        std::swap(coroutine_, other.coroutine_);
        std::swap(stage_, other.stage_);
        return *this;
    }
    ~context()
    {
        if (coroutine_)
            coroutine_.destroy();
    }

    /// Runs the coroutine to its `co_yield`, and gives what it lends.
    boost::asio::awaitable<std::reference_wrapper<T>> enter()
    {
        if (std::exchange(stage_, stage::failed) != stage::fresh)
            throw context_error(
                "a mishap::context can be entered once: call the coroutine again for a new one");
        promise_type& promise = coroutine_.promise();
        co_await detail::context_promise::run(coroutine_, promise);
        if (const std::exception_ptr failure = promise.take_failure())
            std::rethrow_exception(failure);
        if (coroutine_.done())
            throw context_error("a mishap::context ended without lending anything: every path that does not "
                                "throw needs a co_yield");
        stage_ = stage::entered;
        co_return std::ref(*promise.lent_);
    }

    /// Runs the rest of the coroutine, with `error`, if there is one, thrown at its `co_yield`. Gives true
    /// when there was an error and the coroutine ended without it.
    boost::asio::awaitable<bool> exit(std::exception_ptr error)
    {
        if (std::exchange(stage_, stage::left) != stage::entered)
            throw context_error("a mishap::context is left once, and after it was entered");
        promise_type& promise = coroutine_.promise();
        promise.throw_at_yield(error);
        co_await detail::context_promise::run(coroutine_, promise);
        if (!coroutine_.done()) {
            const context_error twice(
                "a mishap::context came to a second co_yield: it can lend once; to lend several resources, "
                "lend a tuple of references");
            const auto thrown = std::make_exception_ptr(twice);
            promise.throw_at_yield(thrown);
            co_await detail::context_promise::run(coroutine_, promise);
            const std::exception_ptr failure = promise.take_failure();
            try {
                if (failure && failure != thrown)
                    std::rethrow_exception(failure);
            } catch (...) {
                std::throw_with_nested(twice);
            }
            throw twice;
        }
        const std::exception_ptr failure = promise.take_failure();
        if (failure && failure != error)
            std::rethrow_exception(failure);
        co_return error && !failure;
    }

private:
    enum class stage
    {
        fresh,
        failed, ///< or being entered
        entered,
        left
    };

    explicit context(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}

    std::coroutine_handle<promise_type> coroutine_;
    stage stage_ = stage::fresh;
};

namespace detail {

template <class Awaitable>
struct value_of;
template <class T>
struct value_of<boost::asio::awaitable<T>>
{
    using type = T;
};

/// What `enter` gives is lent itself, or, where it is a `std::reference_wrapper`, what that refers to.
template <class Entered>
Entered& lent_by(Entered& entered) noexcept
{
    return entered;
}
template <class T>
T& lent_by(std::reference_wrapper<T>& entered) noexcept
{
    return entered.get();
}

template <class Context>
using entered_by = typename value_of<decltype(std::declval<Context&>().enter())>::type;

template <class Context>
using lent_by_context = decltype(lent_by(std::declval<entered_by<Context>&>()));

template <class Body, class Context>
using result_of_body = typename value_of<std::invoke_result_t<Body&, lent_by_context<Context>>>::type;

/// Whether `error` is `wanted`, or carries it as its cause.
inline bool carries(std::exception_ptr error, const std::exception_ptr& wanted)
{
    while (error && error != wanted) {
        std::exception_ptr cause;
        try {
            std::rethrow_exception(error);
        } catch (const std::nested_exception& nesting) {
            cause = nesting.nested_ptr();
        } catch (...) { // nothing is nested in it
        }
        error = std::move(cause);
    }
    return error != nullptr;
}

} // namespace detail

/// Something to enter and to leave: a `mishap::context<T>`, or a class with
///
/// - `enter()`: an `asio::awaitable` of the resource that is lent, or of a `std::reference_wrapper` to it;
/// - `exit(std::exception_ptr error)`: an `asio::awaitable<bool>`. It is called once after `enter` succeeded,
///   with what the body threw or null, and tells whether that error ends here.
template <class Context>
concept async_context = std::move_constructible<Context> &&
    requires(Context& context, std::exception_ptr error)
{
    typename detail::entered_by<Context>;
    requires !std::is_void_v<detail::entered_by<Context>>;
    {
        context.exit(error)
        } -> std::same_as<boost::asio::awaitable<bool>>;
};

/// The work that a context lends its resource to: a callable that takes it by reference and gives an
/// `asio::awaitable`.
template <class Body, class Context>
concept body_for = std::move_constructible<Body> && requires
{
    typename detail::result_of_body<Body, Context>;
};

/// What becomes of a clean-up error that yields to the body's. What it throws itself is dropped.
using report_sink = std::function<void(std::exception_ptr)>;

/// Enters the context, runs `body` with what it lends, and leaves it, whatever the body did. Gives what the
/// body gives.
///
/// What the caller sees when
/// - entering fails or is cancelled: that error. The body is not run, and there is nothing to leave.
/// - the body throws: its error.
/// - the body throws and leaving suppresses it: success. Where the body was to give a value there is none, so
///   it is a `context_error` with the body's error nested in it.
/// - the body throws and leaving throws something else: the body's error. `report` gets the other one, which
///   is lost without a `report`.
/// - the same, and the other one has the body's nested in it (`std::throw_with_nested`): that one, since it
///   loses nothing.
/// - the body succeeds and leaving throws: that error.
///
/// Cancellation reaches entering and the body; a body that it ends has thrown `operation_aborted`. Leaving is
/// shielded: it runs as a coroutine of its own on the same executor, without a cancellation slot. The
/// caller's cancellation state stays as it is, so that a cancellation which comes meanwhile shows at the
/// caller's next `co_await`.
///
/// Lifetimes: context and body are kept until all has ended; what they refer to must live as long.
template <async_context Context, body_for<Context> Body>
boost::asio::awaitable<detail::result_of_body<Body, Context>> with(
    Context context, Body body, report_sink report = {})
{
    namespace asio = boost::asio;
    using result_type = detail::result_of_body<Body, Context>;
    constexpr bool gives_value = !std::is_void_v<result_type>;

    auto entered = co_await context.enter();
    std::optional<std::conditional_t<gives_value, result_type, bool>> result;
    std::exception_ptr error;
    try {
        if constexpr (gives_value)
            result.emplace(co_await std::invoke(body, detail::lent_by(entered)));
        else
            co_await std::invoke(body, detail::lent_by(entered));
    } catch (...) {
        error = std::current_exception();
    }

    // Of a cancelled coroutine each co_await throws; this one must not.
    const auto executor = co_await asio::this_coro::executor;
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    bool suppressed = false;
    std::exception_ptr failure;
    try {
        suppressed = co_await asio::co_spawn(executor, context.exit(error),
            asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
    } catch (...) {
        failure = std::current_exception();
    }
    co_await asio::this_coro::throw_if_cancelled(throws);

    if (failure && (!error || detail::carries(failure, error)))
        std::rethrow_exception(failure);
    if (failure && report) {
        try {
            report(failure);
        } catch (...) { // the body's error matters more
        }
    }
    if (error && !suppressed)
        std::rethrow_exception(error);
    if constexpr (gives_value) {
        if (!result) {
            try {
                std::rethrow_exception(error);
            } catch (...) {
                std::throw_with_nested(context_error(
                    "the context suppressed the body's error, but the body was to give a value"));
            }
        }
        co_return std::move(*result);
    }
}

/// Says what a context is, where something else is given for one.
template <class Context, class Body, class... Report>
requires(!async_context<std::remove_cvref_t<Context>>) boost::asio::awaitable<void> with(
    Context&&, Body&&, Report&&...)
{
    static_assert(async_context<std::remove_cvref_t<Context>>,
        "mishap::with takes an async_context: declare a coroutine that lends a T with co_yield as "
        "mishap::context<T>, or give a class enter() and exit(std::exception_ptr) -> asio::awaitable<bool>");
    return {};
}

} // namespace mishap
