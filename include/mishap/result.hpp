// SPDX-License-Identifier: MIT
#pragma once
/// Operations that return what went wrong instead of throwing it.

#include <mishap/detail/caught_as.hpp>
#include <mishap/fwd.hpp>
#include <mishap/symbol.hpp>

#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <any>
#include <concepts>
#include <exception>
#include <functional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace mishap {

/// What an operation failed with, in every form that it has.
struct failure
{
    /// The error's name, such as `io_error`; `operation_aborted` where the operation was cancelled.
    symbol name;
    /// What it would have thrown. Never null.
    std::exception_ptr thrown;
    /// What it would have given to a completion handler: marked, so that copies of it are recognised.
    boost::system::error_code code;
    /// What `returned_error` or `thrown_error` registered, by its own type; may hold nothing.
    std::any registered;

    /// The registered value, or null where the error was registered as something else.
    template <class Value>
    const Value* value() const noexcept
    {
        return std::any_cast<Value>(&registered);
    }
};

/// Makes the result of a failed operation, where its type holds a code or an exception pointer. Such a type
/// is constructible from a `boost::system::error_code`, a `std::error_code` or a `std::exception_ptr`, or,
/// as `std::expected` is, from its own `unexpected_type` of one of them.
///
/// For any other type give `resource::result` a function `R(const mishap::failure&)`.
template <class R>
struct failure_as
{
    R operator()(const failure& from) const
    {
        if constexpr (requires { typename R::unexpected_type; })
            return R(make<typename R::unexpected_type>(from));
        else
            return make<R>(from);
    }

private:
    template <class Made>
    static Made make(const failure& from)
    {
        if constexpr (std::is_arithmetic_v<Made>)
            static_assert(!std::is_same_v<Made, Made>,
                "a number or bool holds no error: give resource::result one more argument, a function that "
                "makes it from a mishap::failure");
        else if constexpr (std::constructible_from<Made, boost::system::error_code>)
            return Made(from.code);
        else if constexpr (std::constructible_from<Made, std::exception_ptr>)
            return Made(from.thrown);
        else if constexpr (std::constructible_from<Made, std::error_code>)
            return Made(std::error_code(from.code));
        else
            static_assert(!std::is_same_v<Made, Made>,
                "this type holds neither a code nor an exception pointer: give resource::result one more "
                "argument, a function that makes it from a mishap::failure");
    }
};

/// Throws what a result holds, if it holds an error: a code as a `system_error`, an exception pointer's
/// exception, anything else as itself. Returns otherwise.
///
/// For adapters, since a client ends by returning or by an exception. Its operations' errors are recognised
/// by the marks of their codes, by identity, or else by value.
///
/// Preconditions: `result` has `error()`, and `has_error()` or `has_value()`, or is contextually true where
/// it holds no error.
template <class R>
void throw_error_of(const R& result)
{
    if constexpr (requires { result.has_error(); }) {
        if (!result.has_error())
            return;
    } else if constexpr (requires { result.has_value(); }) {
        if (result.has_value())
            return;
    } else if (static_cast<bool>(result)) {
        return;
    }
    const auto& error = result.error();
    using held = std::decay_t<decltype(error)>;
    if constexpr (std::is_same_v<held, std::exception_ptr>)
        std::rethrow_exception(error);
    else if constexpr (std::is_same_v<held, boost::system::error_code>)
        throw boost::system::system_error(error);
    else if constexpr (std::is_same_v<held, std::error_code>)
        throw std::system_error(error);
    else
        throw error;
}

namespace detail {

/// The failure of an operation of the run under way, told by what it threw.
failure failure_of(std::exception_ptr thrown);

/// The operation that threw this also returned an error that only its value tells: `same` finds it in an
/// exception.
void remember_value(const std::exception_ptr& thrown, std::function<bool(const std::exception_ptr&)> same);

/// Makes the result, and remembers its error where nothing but the value can tell it again.
template <class R, class Make>
R make_failed(std::exception_ptr thrown, Make& make)
{
    R result = make(failure_of(thrown));
    if constexpr (requires { result.has_value(); })
        if (result.has_value())
            return result; // this failure is no error there
    if constexpr (requires {
                      {
                          result.error() == result.error()
                          } -> std::convertible_to<bool>;
                      std::decay_t<decltype(result.error())>(result.error());
                  }) {
        using held = std::decay_t<decltype(result.error())>;
        if constexpr (!std::is_same_v<held, boost::system::error_code> &&
                      !std::is_same_v<held, std::exception_ptr>)
            remember_value(thrown, [value = result.error()](const std::exception_ptr& other) {
                if (const held* const same = caught_as<held>(other))
                    return static_cast<bool>(*same == value);
                if constexpr (std::is_same_v<held, std::error_code>)
                    if (const auto* const same = caught_as<std::system_error>(other))
                        return same->code() == value;
                return false;
            });
    }
    return result;
}

} // namespace detail
} // namespace mishap
