// SPDX-License-Identifier: MIT
#include "behaviour.hpp"

#include <algorithm>
#include <cstddef>

namespace mishap::detail {

namespace {

// kind, when it ends, fails, listens, can block, loses its reply, yields nothing
constexpr behaviour table[fault_kinds] = {
    {fault_kind::ok, ends::soon, false, true, true, false, false},
    {fault_kind::ok_now, ends::within_its_start, false, true, true, false, false},
    {fault_kind::fail, ends::soon, true, true, true, false, false},
    {fault_kind::fail_after_effect, ends::soon, true, true, true, true, false},
    {fault_kind::delay, ends::soon, false, true, true, false, false},
    {fault_kind::hang, ends::never, false, true, false, false, false},
    {fault_kind::deaf, ends::never, false, false, false, false, false},
    {fault_kind::late, ends::soon, false, false, true, false, false},
    {fault_kind::empty, ends::soon, false, true, true, false, true},
    {fault_kind::bad_alloc, ends::within_its_start, true, true, true, false, false},
    {fault_kind::cancel, ends::after_a_strike, false, true, true, false, false},
    {fault_kind::cancel_after_effect, ends::after_a_strike, false, true, true, true, false},
    {fault_kind::hang_after_effect, ends::never, false, true, false, true, false},
    {fault_kind::one_byte, ends::soon, false, true, true, false, false},
};

static_assert(std::all_of(std::begin(table), std::end(table),
    [](const behaviour& row) { return &row - table == static_cast<std::ptrdiff_t>(row.kind); }));

} // namespace

const behaviour& behaviour_of(fault_kind kind) noexcept { return table[static_cast<std::size_t>(kind)]; }

} // namespace mishap::detail
