// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace bench {

/// Allocations so far on any thread: calls of the global operator new, and of aligned_alloc, which Asio uses.
std::uint64_t allocations() noexcept;

} // namespace bench
