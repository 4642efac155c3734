// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace mishap::detail {

/// Writes counterexamples, each a line of JSON, as SARIF 2.1.0, which code scanning reads.
///
/// Errors: throws `input_error` where the file cannot be written.
void write_sarif(const std::string& file, const std::vector<std::string>& counterexamples);

} // namespace mishap::detail
