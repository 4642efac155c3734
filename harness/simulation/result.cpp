// SPDX-License-Identifier: MIT
#include "world.hpp"

#include "vocabulary/site.hpp"

#include <mishap/error.hpp>
#include <mishap/result.hpp>

#include <boost/asio/error.hpp>

namespace mishap::detail {

failure failure_of(std::exception_ptr thrown)
{
    failure found{.name = {}, .thrown = thrown, .code = {}, .registered = {}};
    trace* const happened = world::current() ? world::current()->happened() : nullptr;
    const index source = happened ? find_source(*happened, thrown) : none;
    if (source != none)
        found.name = happened->operations[source].failed_with();
    if (const error* known = found.name.empty() ? nullptr : find_error(found.name)) {
        found.registered = known->value;
        found.code = marked(code_of(*known), source);
    } else if (source != none && happened->operations[source].result == result::peer_gone) {
        found.code = marked(peer_gone_code(), source);
    }
    try {
        std::rethrow_exception(std::move(thrown));
    } catch (const boost::system::system_error& e) {
        if (!found.code)
            found.code = e.code();
    } catch (...) {
    }
    if (found.name.empty())
        found.name = describe(found.thrown);
    return found;
}

void remember_value(const std::exception_ptr& thrown, std::function<bool(const std::exception_ptr&)> same)
{
    trace* const happened = world::current() ? world::current()->happened() : nullptr;
    const index source = happened ? find_source(*happened, thrown) : none;
    if (source != none)
        happened->values.push_back({source, std::move(same)});
}

} // namespace mishap::detail
