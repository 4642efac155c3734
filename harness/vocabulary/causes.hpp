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

/// The registered error's name, if an operation of that run failed with it; else what it says.
std::string name_of_error(const trace&, const std::exception_ptr&);

/// Whether it failed with an error that breaks its resource.
bool has_broken(const operation_record&);

/// Whether an exception, or a cause of it, is one of the registered errors of those names.
bool is_one_of(const std::vector<std::string>& names, const std::exception_ptr& thrown);

} // namespace mishap::detail
