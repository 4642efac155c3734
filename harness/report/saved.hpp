// SPDX-License-Identifier: MIT
#pragma once
/// How files of saved counterexamples are named.

#include <string>

namespace mishap::detail {

/// With what the names of a manager's files begin.
std::string saved_prefix(const std::string& manager);

} // namespace mishap::detail
