// SPDX-License-Identifier: MIT
#include "causes.hpp"

#include <mishap/detail/caught_as.hpp>
#include <mishap/error.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>

namespace mishap::detail {

contents contents_of(const std::exception_ptr& thrown)
{
    if (const auto* const several = caught_as<boost::asio::multiple_exceptions>(thrown))
        return {{}, several->first_exception()};
    contents found;
    if (const auto* const made_of_code = caught_as<boost::system::system_error>(thrown))
        found.code = made_of_code->code();
    if (const auto* const wrapped = caught_as<std::nested_exception>(thrown))
        found.cause = wrapped->nested_ptr();
    return found;
}

bool says_cancelled(const boost::system::error_code& code) noexcept
{
    return code == boost::asio::error::operation_aborted ||
           code == boost::asio::experimental::error::channel_cancelled;
}

std::string name_of_error(const trace& happened, const std::exception_ptr& error)
{
    const index source = find_source(happened, error);
    const symbol name = source == none ? symbol() : happened.operations[source].failed_with();
    return name.empty() ? describe(error) : std::string(name.text());
}

bool has_broken(const operation_record& op)
{
    const error* known =
        op.result == result::failed && !op.fails_body ? find_error(op.failed_with()) : nullptr;
    return known && known->breaking;
}

bool is_one_of(const std::vector<std::string>& names, const std::exception_ptr& thrown)
{
    return is_or_wraps(thrown, [&](const std::exception_ptr& one) {
        return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
            const error* known = find_error(name);
            return known && known->matches && known->matches(one);
        });
    });
}

} // namespace mishap::detail
