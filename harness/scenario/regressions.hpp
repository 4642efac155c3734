// SPDX-License-Identifier: MIT
#pragma once
/// Counterexamples that were saved before: they are tried before anything new is looked for.

#include <mishap/scenario.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

/// What became of one.
struct saved_case
{
    std::string file;
    /// It breaks something still.
    bool is_broken = false;
    /// What is to be said of it, on one line.
    std::string line;
    /// The report of what it breaks.
    std::string failure = {};
};

/// Runs each example of a folder that was saved for such an exploration: of the same manager, with the same
/// terms, judged by the same rules, and with the settings that it gives. A folder that is not there has none.
///
/// Errors: none; what cannot be used is told by its line.
std::vector<saved_case> try_saved(
    const std::string& folder, const scenario& exploration, const std::string& replay_command);

/// Their lines, each with its end.
std::string lines_of(const std::vector<saved_case>&);

/// The reports of those that break something still, but for the files that were told otherwise.
std::string reports_of(const std::vector<saved_case>&, const std::vector<std::string>& told);

} // namespace mishap::detail
