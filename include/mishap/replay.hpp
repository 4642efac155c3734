// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/plan.hpp>

#include <optional>
#include <string>

namespace mishap {

/// The token in the environment variable `MISHAP_REPLAY`, if it is set: campaigns of that name then repeat
/// its run instead of exploring.
///
/// Errors: throws `input_error` for a token that cannot be read, at every call: a damaged token never passes.
const std::optional<replay_token>& requested_replay();

/// Whether a campaign has taken the requested replay. A program that ends without one was asked for a run of
/// a manager that it does not have, which is an error.
bool replay_was_taken() noexcept;

namespace detail {
void take_replay() noexcept;
} // namespace detail

} // namespace mishap
