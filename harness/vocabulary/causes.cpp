#include "causes.hpp"

#include <mishap/error.hpp>

#include <boost/asio/multiple_exceptions.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>

namespace mishap::detail {

contents contents_of(const std::exception_ptr& thrown)
{
    try {
        std::rethrow_exception(thrown);
    } catch (const boost::asio::multiple_exceptions& several) {
        return {{}, several.first_exception()};
    } catch (const boost::system::system_error& made_of_code) {
        const auto* const wrapped = dynamic_cast<const std::nested_exception*>(&made_of_code);
        return {made_of_code.code(), wrapped ? wrapped->nested_ptr() : nullptr};
    } catch (const std::nested_exception& wrapped) {
        return {{}, wrapped.nested_ptr()};
    } catch (...) {
        return {};
    }
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
