// SPDX-License-Identifier: MIT
#pragma once
/// A client's end in the words of scenario files.

#include "vocabulary/causes.hpp"

#include <mishap/trace.hpp>

#include <string>

namespace mishap::detail {

/// `returns`, `throws ERROR`, `cancelled`, `hangs` or `abandoned`.
std::string outcome_in_words(const trace&, const outcome&);

/// Whether the client ended so. An error that the manager made itself counts when the registered one
/// recognises it.
bool ends_with(const trace&, const outcome&, const std::string& words);

} // namespace mishap::detail
