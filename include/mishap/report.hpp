// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/explore.hpp>
#include <mishap/run.hpp>

#include <string>

namespace mishap {

/// Options of `report`.
struct report_options
{
    /// `file:line` of what asked for the run; left out, the report begins with the manager.
    std::string location = {};
    /// The command that a token is appended to, such as `./session_test replay`. Left out: the environment
    /// variable `MISHAP_REPLAY`.
    std::string replay_command = {};
    /// The scenario file whose run repeats it, where a token does not carry all that it takes: changed terms
    /// of the contract, a narrowed verdict, a manager to compare with.
    std::string replay_file = {};
    /// Where the counterexample was saved, if it was.
    std::string saved = {};
    /// How many columns there are, from 80 to 120; 0: those of the terminal, or 120.
    std::size_t width = 0;
};

/// A violation as people read it: rule, sentence, plan, expected and actual, timeline, replay line.
std::string report(const run_result&, const violation&, const report_options& = {});

/// A counterexample, likewise, with how much of the plan that was found first matters.
std::string report(const counterexample&, const report_options& = {});

/// All that there is to say of a run: a report of each violation, or a line where it holds.
std::string report(const run_result&, const report_options& = {});

/// All that there is to say of a campaign: a report of each counterexample, or why nothing counts, and a line
/// of what it covered. For test frameworks without a matcher of ours.
std::string report(const campaign_result&, const report_options& = {});

/// What a campaign covered and what broke, in a few lines, with the coverage matrix.
std::string summary(const campaign_result&);

/// The trace as lines of `time  who  what`. The proof of a violation is marked with its remarks.
std::string timeline(const run_result&, const violation* = nullptr);

/// A page of HTML that needs nothing else: timelines to look into, the nearest plan that holds, the coverage
/// matrix. `MISHAP_HTML` writes one for all campaigns of a program.
std::string to_html(const campaign_result&, const report_options& = {});

/// The line that repeats the run of this result.
std::string replay_line(const run_result&, const std::string& replay_command = {});

/// The counterexample as a scenario file that fails as long as the violation is there.
std::string to_scenario(const counterexample&);

/// Writes `to_scenario` into a folder, made if need be, as `<manager>_<invariant>_<checksum>.yaml`; an equal
/// file is left alone. What cannot be written as a whole is not there at all.
///
/// Returns the path. Errors: throws `std::runtime_error` with the reason when it cannot be written.
std::string save_counterexample(const counterexample&, const std::string& folder);

} // namespace mishap
