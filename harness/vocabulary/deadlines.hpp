// SPDX-License-Identifier: MIT
#pragma once
/// Which term of the contract bounds an operation.

#include <mishap/contract.hpp>
#include <mishap/operation.hpp>

#include <optional>

namespace mishap::detail {

/// How much later than its deadline a phase may end: Asio rounds timers up to a microsecond.
inline constexpr duration timer_precision = std::chrono::microseconds(1);

/// How long an operation of that role may take, if the contract says so.
inline std::optional<duration> timeout_of(const contract& promises, role what, bool in_body)
{
    switch (what) {
    case role::create:
        return promises.time.create;
    case role::close:
        return promises.time.close;
    case role::use:
        return in_body ? promises.time.use : promises.time.other;
    case role::body:
    case role::force_close:
        return std::nullopt;
    default:
        return promises.time.other;
    }
}

} // namespace mishap::detail
