// SPDX-License-Identifier: MIT
#pragma once
/// What a part of a campaign came to, as it goes from a worker to its parent and into files.

#include "bugs.hpp"
#include "workers.hpp"

#include <mishap/explore.hpp>

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

/// One row of the coverage: an operation, and what became of the faults at it.
struct coverage_of_operation
{
    symbol kind;
    symbol name;
    std::array<coverage_cell, fault_kinds> by_fault;
};

struct campaign_part
{
    std::uint64_t runs = 0;
    std::uint64_t fired = 0;
    std::uint64_t violating = 0;
    std::uint64_t first_violation = 0; ///< which of its runs broke something first, from 1
    std::uint64_t deaths = 0;          ///< of processes, in runs
    std::uint64_t skipped = 0;         ///< plans under which nothing could be compared
    bool entered = false;
    bool asked = false; ///< for a body
    bool nondeterministic = false;
    bool cut_short = false; ///< by a signal, or since its time was up: not all of what it would be
    std::vector<coverage_of_operation> coverage;
    std::vector<bugs::met> met;
    std::vector<times_reached> reached;
    std::vector<std::uint64_t> required; ///< in how many runs, in the order of what is
    std::set<std::string, std::less<>> settings_read;
    std::set<std::string, std::less<>> others_settings_read; ///< by the manager that it is compared with

    // What a sweep or a random campaign adds.
    std::uint64_t parts = 0; ///< how many there are, where this one shows it
    std::uint64_t lost = 0;
    std::uint64_t limited = 0;
    std::uint64_t drawn = 0;
    bool bounded = false;
    bool repeated = false;
    std::int64_t longest_wait = 0;
    std::int64_t tick = 0;
    std::uint64_t pruned = 0;

    std::string to_json() const;
    /// Errors: throws `input_error` for what is none.
    static campaign_part from_json(std::string_view);
};

/// What the death of a process breaks.
violation violation_of(const death&);

/// What happened in the run, and what a sanitizer or the C library said, out of a process's last words.
std::string events_in(const std::string& words);

/// What a worker that told of the bugs says: the counterexamples, their traces in words.
std::string told_to_json(const campaign_result&);
void told_from_json(std::string_view, const limits& asked, const contract&, campaign_result& into);

} // namespace mishap::detail
