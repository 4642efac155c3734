// SPDX-License-Identifier: MIT
#include "wire_errors.hpp"

#include <mishap/error.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <errno.h>
#include <netdb.h>

#include <system_error>

namespace mishap::detail {

namespace {

/// As in the network in memory.
constexpr int end_of_file = -1;

struct row
{
    const char* name;
    int error;
};

/// Of calls; the first of several with one number is what it is called.
constexpr row calls[] = {{"connection_refused", ECONNREFUSED}, {"connection_reset", ECONNRESET},
    {"connection_aborted", ECONNABORTED}, {"broken_pipe", EPIPE}, {"timed_out", ETIMEDOUT},
    {"host_unreachable", EHOSTUNREACH}, {"network_unreachable", ENETUNREACH}, {"network_down", ENETDOWN},
    {"address_in_use", EADDRINUSE}, {"address_not_available", EADDRNOTAVAIL}, {"not_connected", ENOTCONN},
    {"too_many_files", EMFILE}, {"bad_descriptor", EBADF}, {"no_buffer_space", ENOBUFS},
    {"message_too_long", EMSGSIZE}, {"no_such_file", ENOENT}, {"access_denied", EACCES},
    {"bad_alloc", ENOMEM}, {"end_of_file", end_of_file}};

constexpr row names[] = {{"host_not_found", EAI_NONAME}, {"host_not_found", EAI_NODATA},
    {"host_not_found_try_again", EAI_AGAIN}, {"resolver_failed", EAI_FAIL},
    {"service_not_found", EAI_SERVICE}};

} // namespace

int errno_of(symbol error, bool resolves)
{
    if (resolves) {
        for (const row& known : names)
            if (error.text() == known.name)
                return known.error;
        return 0;
    }
    for (const row& known : calls)
        if (error.text() == known.name)
            return known.error;
    const mishap::error* known = find_error(error);
    const bool of_system =
        known && known->is_plain_code && known->code.category() == boost::system::system_category();
    // A network has no error of input and output that it does not name.
    return of_system && known->code.value() != EIO ? known->code.value() : 0;
}

symbol plain_error(wire_call call)
{
    static const symbol refused("connection_refused");
    static const symbol not_found("host_not_found");
    static const symbol no_descriptors("too_many_files");
    static const symbol reset("connection_reset");
    switch (call) {
    case wire_call::connect:
        return refused;
    case wire_call::resolve:
        return not_found;
    case wire_call::socket:
    case wire_call::accept:
        return no_descriptors;
    default:
        return reset;
    }
}

symbol name_of_errno(int error, bool resolves)
{
    if (resolves) {
        for (const row& known : names)
            if (error == known.error)
                return symbol(known.name);
        return symbol("resolver_failed");
    }
    for (const row& known : calls)
        if (error == known.error)
            return symbol(known.name);
    return symbol("io_error");
}

error_code code_of_errno(int error, bool resolves)
{
    namespace asio_error = boost::asio::error;
    if (!resolves) {
        if (error == end_of_file)
            return asio_error::make_error_code(asio_error::eof);
        return {error, boost::system::system_category()};
    }
    switch (error) {
    case EAI_NONAME:
    case EAI_NODATA:
        return asio_error::make_error_code(asio_error::host_not_found);
    case EAI_AGAIN:
        return asio_error::make_error_code(asio_error::host_not_found_try_again);
    case EAI_SERVICE:
        return asio_error::make_error_code(asio_error::service_not_found);
    default:
        return asio_error::make_error_code(asio_error::no_recovery);
    }
}

bool has_code(const std::exception_ptr& thrown, const error_code& code)
{
    try {
        std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& e) {
        return e.code() == code;
    } catch (const std::system_error& e) {
        return e.code() == std::error_code(code) || error_code(e.code()) == code;
    } catch (...) {
        return false;
    }
}

bool is_of_protocol(const std::exception_ptr& thrown)
{
    const auto is_of_system = [](const error_code& code) {
        return code.category() == boost::system::system_category() ||
               code.category() == boost::system::generic_category() ||
               code.category() == boost::asio::error::get_netdb_category();
    };
    try {
        std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& e) {
        return !is_of_system(e.code());
    } catch (const std::system_error& e) {
        return !is_of_system(error_code(e.code()));
    } catch (...) {
        return true;
    }
}

} // namespace mishap::detail
