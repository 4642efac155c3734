// SPDX-License-Identifier: MIT
#pragma once
/// `run --watch`: runs again whenever a file changes.

#include <functional>
#include <string>
#include <vector>

namespace mishap::detail {

/// Calls `run` once, and again whenever one of these files or what is in these folders has changed, or a line
/// is entered; until `q` is entered or the input ends. Returns what the last call returned.
int watch(const std::vector<std::string>& paths, const std::function<int()>& run);

} // namespace mishap::detail
