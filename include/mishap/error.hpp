// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/detail/caught_as.hpp>
#include <mishap/symbol.hpp>

#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <any>
#include <concepts>
#include <exception>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

namespace mishap {

/// An error that a fault can inject and a scenario can name.
struct error
{
    symbol name;
    /// Makes the object that an operation throws. Called once per injection.
    std::function<std::exception_ptr()> make;
    /// Whether an exception that mishap did not make counts as this error (a manager's own timeout, say).
    std::function<bool(const std::exception_ptr&)> matches;
    /// What operations that report error codes give. Unset for an error that can only be thrown: they then
    /// give a code of `error_category`.
    boost::system::error_code code;
    /// It is thrown as a plain `system_error` of `code`. The code is then marked with the operation that
    /// threw it, and recognised wherever it is copied to; `make` is used for any other.
    bool is_plain_code = false;
    /// A resource that reported it must not be lent again.
    bool breaking = false;
    std::string about;
    /// The example that it was registered with, for operations that return errors (`mishap::failure`).
    std::any value = {};
};

namespace detail {

template <class Exception>
concept carries_code = std::derived_from<Exception, boost::system::system_error> ||
    std::derived_from<Exception, std::system_error>;

/// The code that operations which report codes give, or none.
template <class Exception>
boost::system::error_code code_in(const Exception& example)
{
    if constexpr (std::derived_from<Exception, boost::system::system_error>)
        return example.code();
    else
        return {};
}

} // namespace detail

/// Options of `register_error`.
struct error_options
{
    bool breaking = false;
    std::string about = {};
};

/// Makes an error known by name, for the whole process. Registering a name again replaces it.
///
/// Thread safety: call before the first run (a static initialiser is the usual place).
void register_error(error);

/// An error thrown as a copy of `example`, and recognised by its type; where that carries an error code, by
/// the code as well.
template <class Exception>
error thrown_error(std::string_view name, Exception example, error_options options = {})
{
    return {
        .name = name,
        .make = [example] { return std::make_exception_ptr(example); },
        .matches =
            [example](const std::exception_ptr& thrown) {
                const Exception* const same = detail::caught_as<Exception>(thrown);
                if constexpr (detail::carries_code<Exception>)
                    return same && same->code() == example.code();
                else
                    return same != nullptr;
            },
        .code = detail::code_in(example),
        .breaking = options.breaking,
        .about = std::move(options.about),
        .value = example,
    };
}

/// Registers an error that is thrown as a copy of `example`.
template <class Exception>
void register_error(std::string_view name, Exception example, error_options options = {})
{
    register_error(thrown_error(name, std::move(example), std::move(options)));
}

/// A value that operations return, in a result type of the code under test; see `resource::result`.
template <std::equality_comparable Value>
struct returned
{
    Value value;
};

/// Registers an error that is a value: `register_error("not_found",
/// mishap::returned{service_errc::not_found})`. Where an operation throws, the value itself is thrown; it is
/// recognised by its type and by comparing.
template <class Value>
void register_error(std::string_view name, returned<Value> example, error_options options = {})
{
    error added = thrown_error(name, example.value, std::move(options));
    added.matches = [value = example.value](const std::exception_ptr& thrown) {
        const Value* const same = detail::caught_as<Value>(thrown);
        return same && static_cast<bool>(*same == value);
    };
    register_error(std::move(added));
}

/// An error that is a code: thrown as `boost::system::system_error`, and recognised by its value.
void register_error(std::string_view name, boost::system::error_code code, error_options options = {});

/// The category of codes that stand for errors which can only be thrown, where an operation reports codes.
/// The message is the error's name.
const boost::system::error_category& error_category() noexcept;

/// The code with which an operation that reports codes delivers this error.
///
/// Preconditions: the error is registered.
boost::system::error_code code_of(const error&);

/// The error of that name, or null.
const error* find_error(symbol name) noexcept;

/// The error of that name.
///
/// Errors: throws `input_error` naming the nearest match and all that are known.
const error& get_error(symbol name);

/// Names of all errors, alphabetically.
std::vector<std::string> error_names();

/// One line about any exception: `io_error` when a registered error matches, else its type and `what()`.
std::string describe(const std::exception_ptr&);

} // namespace mishap

/// Registers an error in a static initialiser: `MISHAP_ERROR(service_timeout,
/// service_timeout_error("create"));`
///
/// The first argument becomes its name in scenario files; the rest are those of `mishap::register_error`.
/// Restrictions: at namespace scope, in a file linked into the program itself (not only into an archive).
#define MISHAP_ERROR(name, ...)                                                                              \
    static const bool mishap_error_##name = (::mishap::register_error(#name, __VA_ARGS__), true)
