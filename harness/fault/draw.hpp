// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/contract.hpp>
#include <mishap/plan.hpp>
#include <mishap/trace.hpp>

#include <optional>

namespace mishap::detail {

/// The fault that an operation draws, or nothing. It depends on the seed, the contract's timeouts and the
/// operation's identity and role only.
std::optional<fault> draw(const lazy_faults&, const contract&, const operation_record&);

} // namespace mishap::detail
