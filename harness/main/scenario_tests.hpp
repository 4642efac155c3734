// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace mishap::detail {

/// Registers every scenario file of the program's folders as a GoogleTest test, reported at the file's line.
/// Returns how many files were bad, after printing why to stderr.
int register_scenario_tests(const std::string& replay_command);

/// How many files could not be used so far, when they were read or when they ran.
int unusable_scenarios() noexcept;

/// `session`, for `DIR/session/random.yaml`: the folder of a file below DIR as one word, or DIR's own name.
std::string suite_of(const std::string& folder, const std::string& file);

} // namespace mishap::detail
