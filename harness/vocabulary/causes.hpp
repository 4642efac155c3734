// SPDX-License-Identifier: MIT
#pragma once
/// What an error was made of, and which of the registered ones it is.

#include <mishap/trace.hpp>

#include <boost/system/error_code.hpp>

#include <exception>
#include <string>
#include <vector>

namespace mishap::detail {

/// Causes are followed so far, and not for ever.
inline constexpr int causes_max = 16;

/// What an exception was made of: a code, or none; and the cause nested in it, or the first of several, as a
/// cancelled `a || b` throws, or null.
struct contents
{
    boost::system::error_code code;
    std::exception_ptr cause;
};
contents contents_of(const std::exception_ptr& thrown);

/// Whether an exception, or a cause of it, is such a one.
template <class Tells>
bool is_or_wraps(std::exception_ptr thrown, Tells tells)
{
    for (int depth = 0; thrown && depth < causes_max; ++depth) {
        if (tells(thrown))
            return true;
        thrown = contents_of(thrown).cause;
    }
    return false;
}

/// Whether that is how Asio says that something was cancelled.
bool says_cancelled(const boost::system::error_code&) noexcept;

/// The operation whose mark or object is in an exception, or `none`. `operation_of` finds the operation that
/// delivered that very object, or gives `none`.
template <class OperationOf>
index find_marked(const trace& happened, std::exception_ptr thrown, OperationOf operation_of, int depth = 0)
{
    for (; thrown; ++depth) {
        if (const index found = operation_of(thrown); found != none)
            return found;
        if (depth == causes_max)
            return none;
        if (happened.unwrap)
            if (const std::exception_ptr cause = happened.unwrap(thrown); cause && cause != thrown)
                if (const index found = find_marked(happened, cause, operation_of, depth + 1); found != none)
                    return found;
        const contents inside = contents_of(thrown);
        if (const index marked = find_source(happened, inside.code); marked != none)
            return marked;
        thrown = inside.cause;
    }
    return none;
}

/// `mishap::find_source`, where the operation that delivered an object can be looked up.
template <class OperationOf>
index find_source(const trace& happened, const std::exception_ptr& thrown, OperationOf operation_of)
{
    if (const index found = find_marked(happened, thrown, operation_of); found != none)
        return found;
    for (const value_record& value : happened.values)
        if (thrown && value.is_in(thrown))
            return value.operation;
    return none;
}

/// The registered error's name, if an operation of that run failed with it; else what it says.
std::string name_of_error(const trace&, const std::exception_ptr&);

/// Whether it failed with an error that breaks its resource.
bool has_broken(const operation_record&);

/// Whether an exception, or a cause of it, is one of the registered errors of those names.
bool is_one_of(const std::vector<std::string>& names, const std::exception_ptr& thrown);

} // namespace mishap::detail
