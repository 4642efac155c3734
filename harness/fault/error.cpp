// SPDX-License-Identifier: MIT
#include <mishap/error.hpp>
#include <mishap/input_error.hpp>

#include <boost/asio/error.hpp>
#include <boost/core/demangle.hpp>
#include <boost/system/errc.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cxxabi.h>
#include <new>
#include <stdexcept>
#include <typeinfo>

namespace mishap {

namespace {

/// Thrown by `foreign`: deliberately no std::exception, as some libraries throw.
struct foreign_error
{};

error from_code(std::string_view name, boost::system::error_code code, error_options options)
{
    return {
        .name = name,
        .make = [code] { return std::make_exception_ptr(boost::system::system_error(code)); },
        .matches =
            [code](const std::exception_ptr& thrown) {
                if (const auto* const of_boost = detail::caught_as<boost::system::system_error>(thrown))
                    return of_boost->code() == code;
                const auto* const of_std = detail::caught_as<std::system_error>(thrown);
                return of_std && of_std->code() == std::error_code(code);
            },
        .code = code,
        .is_plain_code = true,
        .breaking = options.breaking,
        .about = std::move(options.about),
    };
}

std::vector<error>& registry()
{
    namespace errc = boost::system::errc;
    namespace asio_error = boost::asio::error;
    static auto& errors = *new std::vector<error>{
        from_code("io_error", errc::make_error_code(errc::io_error), {.about = "system_error, EIO"}),
        from_code("access_denied", errc::make_error_code(errc::permission_denied),
            {.about = "system_error, EACCES"}),
        from_code("connection_reset", asio_error::make_error_code(asio_error::connection_reset),
            {.breaking = true, .about = "system_error, asio::error::connection_reset"}),
        from_code("timed_out", asio_error::make_error_code(asio_error::timed_out),
            {.about = "system_error, asio::error::timed_out"}),
        from_code("connection_refused", asio_error::make_error_code(asio_error::connection_refused),
            {.breaking = true, .about = "system_error, asio::error::connection_refused"}),
        from_code("connection_aborted", asio_error::make_error_code(asio_error::connection_aborted),
            {.breaking = true, .about = "system_error, asio::error::connection_aborted"}),
        from_code("broken_pipe", asio_error::make_error_code(asio_error::broken_pipe),
            {.breaking = true, .about = "system_error, asio::error::broken_pipe"}),
        from_code("end_of_file", asio_error::make_error_code(asio_error::eof),
            {.breaking = true, .about = "system_error, asio::error::eof; of a receive: the peer is gone"}),
        from_code("host_unreachable", asio_error::make_error_code(asio_error::host_unreachable),
            {.breaking = true, .about = "system_error, asio::error::host_unreachable"}),
        from_code("network_unreachable", asio_error::make_error_code(asio_error::network_unreachable),
            {.breaking = true, .about = "system_error, asio::error::network_unreachable"}),
        from_code("host_not_found", asio_error::make_error_code(asio_error::host_not_found),
            {.about = "system_error, asio::error::host_not_found"}),
        from_code("host_not_found_try_again",
            asio_error::make_error_code(asio_error::host_not_found_try_again),
            {.about = "system_error, asio::error::host_not_found_try_again"}),
        from_code("too_many_files", asio_error::make_error_code(asio_error::no_descriptors),
            {.about = "system_error, asio::error::no_descriptors"}),
        thrown_error(
            "value_error", std::invalid_argument("injected value_error"), {.about = "std::invalid_argument"}),
        thrown_error("bad_alloc", std::bad_alloc(), {.about = "std::bad_alloc"}),
        thrown_error("foreign", foreign_error{}, {.about = "a thrown type that is no std::exception"}),
    };
    return errors;
}

// Boost's base class, by its own design, has no virtual destructor.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"

/// Its values are positions in the registry, from 1.
class thrown_only final : public boost::system::error_category
{
public:
    const char* name() const noexcept override { return "mishap"; }
    std::string message(int value) const override
    {
        const auto& errors = registry();
        const bool known = value > 0 && static_cast<std::size_t>(value) <= errors.size();
        return known ? std::string(errors[static_cast<std::size_t>(value) - 1].name.text())
                     : "no injected error";
    }
};

#pragma GCC diagnostic pop

} // namespace

const boost::system::error_category& error_category() noexcept
{
    static const thrown_only category;
    return category;
}

boost::system::error_code code_of(const error& of)
{
    if (of.code)
        return of.code;
    const auto& errors = registry();
    const auto found =
        std::find_if(errors.begin(), errors.end(), [&](const error& e) { return e.name == of.name; });
    return {static_cast<int>(found - errors.begin()) + 1, error_category()};
}

void register_error(error registered)
{
    auto& errors = registry();
    const auto found =
        std::find_if(errors.begin(), errors.end(), [&](const error& e) { return e.name == registered.name; });
    if (found != errors.end())
        *found = std::move(registered);
    else
        errors.push_back(std::move(registered));
}

void register_error(std::string_view name, boost::system::error_code code, error_options options)
{
    register_error(from_code(name, code, std::move(options)));
}

const error* find_error(symbol name) noexcept
{
    for (const error& e : registry())
        if (e.name == name)
            return &e;
    return nullptr;
}

const error& get_error(symbol name)
{
    if (const error* found = find_error(name))
        return *found;
    throw input_error(unknown_word("error", name.text(), error_names()));
}

std::vector<std::string> error_names()
{
    std::vector<std::string> names;
    for (const error& e : registry())
        names.emplace_back(e.name.text());
    std::sort(names.begin(), names.end());
    return names;
}

std::string describe(const std::exception_ptr& thrown)
{
    if (!thrown)
        return "nothing";
    for (const error& e : registry())
        if (e.matches && e.matches(thrown))
            return std::string(e.name.text());
    try {
        std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& e) {
        if (e.code() == boost::asio::error::operation_aborted)
            return "operation_aborted";
        if (e.code().category() == error_category())
            return e.code().message();
        return e.what();
    } catch (const std::exception& e) {
        return fmt::format("{} ({})", boost::core::demangle(typeid(e).name()), e.what());
    } catch (...) {
        const std::type_info* type = abi::__cxa_current_exception_type();
        return type ? boost::core::demangle(type->name()) : "an unknown exception";
    }
}

} // namespace mishap
