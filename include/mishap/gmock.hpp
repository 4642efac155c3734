// SPDX-License-Identifier: MIT
#pragma once
/// GoogleMock actions that put a mock's methods under the plan. Link `mishap::gtest`.
///
/// ```
/// class mock_driver : public driver {
/// public:
///     MOCK_METHOD(mishap::awaitable<int>, query, (std::string), (override));
/// };
/// ...
/// mishap::resource session("session");
/// testing::NiceMock<mock_driver> driver;
/// EXPECT_CALL(driver, query).WillRepeatedly(mishap::Scripted(session, "query", 42));
/// ```
///
/// One action serves every style of delivery; the mocked method's type decides:
/// - it returns an `awaitable<R>`: the operation begins when that is awaited, and throws;
/// - it returns `void` and its last parameter can be called with `(error_code, values...)` or
///   `(std::exception_ptr, values...)`: that is the completion handler, as `resource::async` calls one;
/// - anything else: a synchronous call, as `resource::now` makes it.
///
/// Expectations belong inside the adapter, where the mock is made and verified once in each run. What fails
/// there breaks `expectation`. Make mocks `NiceMock` or `StrictMock`: a plain one prints a warning for each
/// uninteresting call of each run. An `awaitable` that no action was given for is at once complete, with a
/// default-constructed value.

#include <mishap/environment.hpp>
#include <mishap/gtest.hpp>
#include <mishap/resource.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <gmock/gmock.h>

#include <concepts>
#include <exception>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

namespace mishap {

namespace detail {

template <class T>
struct awaited
{};

template <class T, class Executor>
struct awaited<boost::asio::awaitable<T, Executor>>
{
    using type = T;
};

template <class T>
concept is_awaitable = requires
{
    typename awaited<T>::type;
};

template <class... Args>
struct last_of
{
    using type = void;
};

template <class First, class... Rest>
struct last_of<First, Rest...>
{
    using type = std::tuple_element_t<sizeof...(Rest), std::tuple<First, Rest...>>;
};

/// The signature that `resource::async` calls this handler with, or `void` if it is none.
template <class Handler, class... Values>
struct handler_signature
{
    using type = std::conditional_t<std::is_invocable_v<Handler, boost::system::error_code, Values...>,
        void(boost::system::error_code, Values...),
        std::conditional_t<std::is_invocable_v<Handler, std::exception_ptr, Values...>,
            void(std::exception_ptr, Values...), void>>;
};

template <class... Values>
struct handler_signature<void, Values...>
{
    using type = void;
};

template <class... Args>
decltype(auto) last_argument(Args&&... args)
{
    return std::get<sizeof...(Args) - 1>(std::forward_as_tuple(std::forward<Args>(args)...));
}

inline awaitable<void> awaited_operation(resource& on, role what, symbol name)
{
    return on.async<void(std::exception_ptr)>(what, name, boost::asio::use_awaitable);
}

template <class R, class Value>
awaitable<R> awaited_value(resource& on, role what, symbol name, Value value)
{
    co_await awaited_operation(on, what, name);
    co_return std::move(value);
}

/// An operation on a resource that exists before the mock is called.
template <class... Values>
class scripted_action
{
public:
    scripted_action(resource& on, role what, symbol name, Values... values)
        : on_(&on), what_(what), name_(name), values_(std::move(values)...)
    {}

    template <class R, class... Args>
    operator testing::Action<R(Args...)>() const
    {
        return [script = *this](
                   Args... args) -> R { return script.template perform<R>(std::forward<Args>(args)...); };
    }

private:
    template <class R, class... Args>
    R perform(Args&&... args) const
    {
        using handler = typename last_of<Args...>::type;
        using signature = typename handler_signature<handler, Values...>::type;
        if constexpr (is_awaitable<R>) {
            using value = typename awaited<R>::type;
            if constexpr (std::is_void_v<value>) {
                static_assert(sizeof...(Values) == 0, "an awaitable<void> gives no value");
                return awaited_operation(*on_, what_, name_);
            } else {
                static_assert(sizeof...(Values) == 1, "give the value that the awaitable gives on success");
                return awaited_value<value>(*on_, what_, name_, static_cast<value>(std::get<0>(values_)));
            }
        } else if constexpr (std::is_void_v<R> && !std::is_void_v<signature>) {
            std::apply(
                [&](const auto&... values) {
                    on_->async<signature>(
                        what_, name_, last_argument(std::forward<Args>(args)...), values...);
                },
                values_);
        } else if constexpr (std::is_void_v<R>) {
            static_assert(sizeof...(Values) == 0,
                "a value was given, but the mocked method returns void and its last parameter cannot be "
                "called with (error_code, values...) or (std::exception_ptr, values...)");
            on_->now(what_, name_);
        } else {
            static_assert(sizeof...(Values) == 1, "give the value that the mocked method returns on success");
            on_->now(what_, name_);
            return static_cast<R>(std::get<0>(values_));
        }
    }

    resource* on_;
    role what_;
    symbol name_;
    std::tuple<Values...> values_;
};

template <class R, class Made>
awaitable<R> awaited_creation(Made made)
{
    co_await awaited_operation(resource_in(made), role::create, "create");
    co_return R(std::move(made));
}

/// The creation of what a factory makes.
template <class Factory>
class creating_action
{
    using made = std::invoke_result_t<Factory&>;

public:
    explicit creating_action(Factory factory) : factory_(std::move(factory)) {}

    template <class R, class... Args>
    operator testing::Action<R(Args...)>() const
    {
        return [factory = factory_](
                   Args... args) mutable -> R { return perform<R>(factory, std::forward<Args>(args)...); };
    }

private:
    /// Creates, then hands over what was made, to a handler of that signature.
    template <class Signature>
    struct hand_over;

    template <class Error, class Value>
    struct hand_over<void(Error, Value)>
    {
        template <class Handler>
        static void start(made fresh, Handler handler)
        {
            const auto executor = boost::asio::get_associated_executor(
                handler, boost::asio::any_io_executor(environment::current().executor()));
            const auto slot = boost::asio::get_associated_cancellation_slot(handler);
            // In a place of its own: the resource must not move while its create is under way.
            auto kept = std::make_shared<made>(std::move(fresh));
            resource& on = resource_in(*kept);
            on.async<void(Error)>(role::create, "create",
                boost::asio::bind_cancellation_slot(
                    slot, boost::asio::bind_executor(
                              executor, [kept, handler = std::move(handler)](Error failed) mutable {
                                  if (failed)
                                      std::move(handler)(std::move(failed), Value());
                                  else
                                      std::move(handler)(std::move(failed), Value(std::move(*kept)));
                              })));
        }
    };

    template <class R, class... Args>
    static R perform(Factory& factory, Args&&... args)
    {
        using handler = typename last_of<Args...>::type;
        if constexpr (is_awaitable<R>) {
            return awaited_creation<typename awaited<R>::type>(factory());
        } else if constexpr (std::is_void_v<R>) {
            using signature = typename handler_signature<handler, made>::type;
            static_assert(!std::is_void_v<signature>,
                "what the factory makes can be handed over by an awaitable<T>, by a return value, or to a "
                "last parameter that can be called with (error_code, T) or (std::exception_ptr, T)");
            hand_over<signature>::start(
                factory(), std::decay_t<handler>(last_argument(std::forward<Args>(args)...)));
        } else {
            made fresh = factory();
            resource_in(fresh).now(role::create, "create");
            return R(std::move(fresh));
        }
    }

    Factory factory_;
};

template <class T, class Executor>
boost::asio::awaitable<T, Executor> complete_at_once()
{
    if constexpr (std::is_void_v<T>)
        co_return;
    else if constexpr (std::is_default_constructible_v<T>)
        co_return T();
    else
        throw std::logic_error(
            "a mocked method was called for which no action is set, and what it should give has no default "
            "value");
}

} // namespace detail

/// A use of that resource, which gives `value` when it succeeds. A completion handler may be given several
/// values.
///
/// Lifetimes: the resource must outlive the mock's calls.
template <class... Values>
auto Scripted(resource& on, symbol name, Values... values)
{
    return detail::scripted_action<Values...>(on, role::use, name, std::move(values)...);
}

/// Any other operation of that resource.
template <class... Values>
auto Scripted(resource& on, role what, symbol name, Values... values)
{
    return detail::scripted_action<Values...>(on, what, name, std::move(values)...);
}

/// The creation of that resource, by a method that gives no value.
inline auto Creates(resource& on) { return detail::scripted_action<>(on, role::create, "create"); }

/// The creation of what `factory` makes, anew for each call: a fake, or a pointer to one, in which the
/// `mishap::resource` is found as it is in what a manager lends. A create that fails destroys it.
template <class Factory>
requires std::invocable<Factory&>
auto Creates(Factory factory) { return detail::creating_action<Factory>(std::move(factory)); }

/// The creation of a default-constructed `T`.
template <class T>
auto Creates()
{
    return Creates([] { return T(); });
}

/// The close of that resource.
inline auto Closes(resource& on) { return detail::scripted_action<>(on, role::close, "close"); }

} // namespace mishap

/// GoogleMock would give a default-constructed awaitable, and to await that is undefined.
template <class T, class Executor>
class testing::internal::BuiltInDefaultValue<boost::asio::awaitable<T, Executor>>
{
public:
    static bool Exists() { return true; }
    static boost::asio::awaitable<T, Executor> Get()
    {
        return mishap::detail::complete_at_once<T, Executor>();
    }
};
