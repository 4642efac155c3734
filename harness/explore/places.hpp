// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/contract.hpp>
#include <mishap/plan.hpp>
#include <mishap/trace.hpp>

#include <cstdint>
#include <vector>

namespace mishap::detail {

/// Where a child run may differ from a run: at an operation, or at the boundary after a step.
struct place
{
    index position; ///< events that happened before it
    bool boundary = false;
    operation_id id = {};
    role what = role::use;
    std::uint64_t prefix_hash = 0;
    std::uint32_t step = 0;
    std::vector<duration> deadlines = {}; ///< which fall on its end, from its start
    bool blocking = false;
    wire_call wire = wire_call::none;
};

/// The steps after which a client can be interrupted: from `from` on, and before `to`.
struct presence
{
    std::uint32_t from = 1;
    std::uint32_t to = 0;

    bool has(std::uint32_t step) const noexcept { return from <= step && step < to; }
};

/// Where the children of a run may differ from it.
struct places
{
    std::vector<place> all;
    std::vector<presence> clients;
    /// Operations that differ only in their number were left out, since there are more than asked for.
    bool repeated = false;
};

/// Equal operations are counted anew from `idle_until` on, unless that is `none`: what goes on while all lies
/// idle, as a ping does, leaves nothing out of what follows.
///
/// Complexity: linear in operations and steps, where operations have few names.
places list_places(const trace&, const fault_plan&, const contract&, index from,
    std::uint32_t occurrences_max, bool with_boundaries, index idle_until = none);

} // namespace mishap::detail
