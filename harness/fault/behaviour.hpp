// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/fault.hpp>

#include <cstdint>

namespace mishap::detail {

/// When an operation with a certain fault ends by itself, unless its fault says after how much time.
enum class ends : std::uint8_t
{
    within_its_start, ///< its starter does not suspend
    soon,             ///< as soon as its starter has suspended, or when a chooser says so
    never,
    after_a_strike, ///< its client is cancelled first
};

/// What an operation with a certain fault does.
struct behaviour
{
    fault_kind kind;
    ends when;
    /// Ends with an error, by itself.
    bool fails;
    /// A cancellation stops it while it is pending.
    bool listens;
    /// A synchronous call can do the same, since it ends.
    bool can_block;
    /// It took effect although it failed or was given up: its reply was lost.
    bool loses_reply;
    /// A create that succeeds yields no resource.
    bool yields_nothing;
};

/// The behaviour of that fault.
const behaviour& behaviour_of(fault_kind) noexcept;

} // namespace mishap::detail
