// SPDX-License-Identifier: MIT
#pragma once
/// Errors of calls on sockets and names: an `errno` or `EAI_` code, and the error that mishap has for it.

#include <mishap/symbol.hpp>
#include <mishap/trace.hpp>

#include <boost/system/error_code.hpp>

#include <exception>

namespace mishap::detail {

using boost::system::error_code;

/// What a call gives for a registered error, or 0 where none says it: an `errno`, `network::end_of_file`, or,
/// for names, an `EAI_` code.
int errno_of(symbol error, bool resolves);

/// The plainest way in which such a call fails.
symbol plain_error(wire_call);

/// The name of the registered error that a call failed with.
symbol name_of_errno(int error, bool resolves);

/// The code with which Asio reports it.
error_code code_of_errno(int error, bool resolves);

/// Whether the exception is a `system_error`, of Boost's or of the standard library, with that code.
bool has_code(const std::exception_ptr&, const error_code&);

/// Whether the exception may be what a protocol makes of a connection that ended, or of bytes: anything but
/// an error of the operating system, a timeout and a cancellation.
bool is_of_protocol(const std::exception_ptr&);

} // namespace mishap::detail
