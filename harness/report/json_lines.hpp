// SPDX-License-Identifier: MIT
#pragma once
/// Results as JSON lines, for programs that read them. `results.schema.json` describes each line.

#include <mishap/explore.hpp>
#include <mishap/scenario.hpp>

#include <functional>
#include <string>

namespace mishap::detail {

/// A counterexample with its plan, token, rule and events. `location` and `saved` may be empty.
std::string counterexample_line(const counterexample&, const std::string& location, const std::string& saved);

/// What a campaign came to, with its coverage.
std::string campaign_line(const campaign_result&);

/// What came of a scenario file.
std::string scenario_line(const scenario&, const scenario_result&);

/// Who is told of each counterexample, as a line; nobody at first.
std::function<void(const std::string& line)>& on_counterexample();

/// Tells whoever wants to know.
void tell_counterexample(const counterexample&, const std::string& location, const std::string& saved);

} // namespace mishap::detail
