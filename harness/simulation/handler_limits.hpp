// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace mishap::detail {

/// What one handler may use before it is taken for one that never returns; 0 for no limit.
struct handler_limits
{
    std::uint64_t nanoseconds = 10'000'000'000; ///< of the processor's time
    std::uint64_t bytes = std::uint64_t(2) << 30;
};

/// As `MISHAP_HANDLER_TIME` (a duration, or `off`) and `MISHAP_HANDLER_MEMORY` (MiB, or `off`) have it.
///
/// Errors: throws `input_error` for a value that cannot be read.
handler_limits read_handler_limits();

} // namespace mishap::detail
