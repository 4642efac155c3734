// SPDX-License-Identifier: MIT
#pragma once
/// How an injected error code is recognised again: by the source location that it carries. Codes with
/// different locations compare equal, and copies keep theirs.

#include <mishap/trace.hpp>

#include <boost/system/error_code.hpp>

namespace mishap::detail {

/// The code, marked as delivered by that operation of a run.
///
/// The mark points to memory that lives as long as the process. Operations over a million have none.
boost::system::error_code marked(const boost::system::error_code& code, index operation);

/// What an operation reports whose peer is gone at the end of a run.
boost::system::error_code peer_gone_code() noexcept;

/// The operation that a code is marked with, or `none`.
index marked_operation(const boost::system::error_code&) noexcept;

} // namespace mishap::detail
