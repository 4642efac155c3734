// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/symbol.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace mishap {

/// What an operation means for the resource it is made on. Invariants read roles, never names.
enum class role : std::uint8_t
{
    create,
    use,
    close,
    force_close, ///< synchronous, cannot fail visibly
    maintenance, ///< ping, reset, validate: the manager's own, never the body's
    begin,
    commit,
    rollback,
    acquire,
    release,
    body, ///< the work itself, as one operation: it succeeds, fails or hangs like any other
};

std::string_view to_string(role) noexcept;

/// Where an operation belongs: a client (0, 1, …) or the background (-1).
using lane = std::int16_t;
inline constexpr lane background_lane = -1;

/// Names one operation of a run, the same one in every schedule: `session.query#2`, `c1/session.close`,
/// `bg/session.create#3`.
///
/// `occurrence` counts within (lane, kind, name) from 1. For create and close it is the resource's ordinal in
/// that lane instead: its number among the resources of that kind which the lane began or took over, so that
/// `session.close#2` closes what `session.create#2` created. `attempt` tells a repeated close of one resource
/// from the first: `session.close#1.2`.
struct operation_id
{
    mishap::lane lane = 0;
    symbol kind;
    symbol name;
    std::uint32_t occurrence = 1;
    std::uint32_t attempt = 1;

    friend bool operator==(const operation_id&, const operation_id&) noexcept = default;
};

/// Whether it can be the kind of a resource or the name of an operation: letters, digits and `_`.
bool is_word(std::string_view) noexcept;

/// Writes `[lane/]kind.name#n[.attempt]`. The lane is left out where there is one client and it is that
/// one's.
std::string to_string(const operation_id&, bool show_client = false);

/// Reads what `to_string` writes; `#1` may be left out, and no lane means client 0.
///
/// Errors: throws `input_error` with the offset of what is wrong (an empty word, `#0`, an occurrence over a
/// million, an unknown lane).
operation_id parse_operation(std::string_view text);

/// `c0`, `c1`, …, or `bg`.
std::string lane_name(lane);

/// The body of a client as an operation: `body#1`.
operation_id body_operation(lane, std::uint32_t occurrence = 1);

} // namespace mishap
