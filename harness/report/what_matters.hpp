// SPDX-License-Identifier: MIT
#pragma once
/// What of a counterexample's plan matters, in words.

#include <mishap/report.hpp>

#include <string>
#include <vector>

namespace mishap::detail {

/// The words of a plan, one for each thing that goes wrong and each setting.
std::vector<std::string> parts_of(const fault_plan&);

/// `with session.close=fail(io_error) only`; empty where no neighbour is known.
std::string what_holds(const counterexample&);

/// `session.query may just as well hang or be cancelled`; empty where nothing is known.
std::string what_is_alike(const counterexample&);

/// Both in one sentence; empty where nothing is known.
std::string about_neighbours(const counterexample&);

/// The line that repeats a run, as these options have it.
std::string replay_command_of(const run_result&, const report_options&);

} // namespace mishap::detail
