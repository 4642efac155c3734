// SPDX-License-Identifier: MIT
#pragma once
/// The rules, one function and one file each; `invariant.cpp` lists them.

#include <mishap/invariant.hpp>

#include <span>
#include <string_view>
#include <vector>

namespace mishap::detail {

using violations = std::vector<violation>;

void judge_no_escape(const evidence&, violations&);
void judge_leaves_the_simulation(const evidence&, violations&);
void judge_blocks_the_thread(const evidence&, violations&);
void judge_livelock(const evidence&, violations&);
void judge_completes(const evidence&, violations&);
void judge_waits_in_vain(const evidence&, violations&);
void judge_expectation(const evidence&, violations&);
void judge_no_stray_work(const evidence&, violations&);
void judge_closes_everything(const evidence&, violations&);
void judge_closes_once(const evidence&, violations&);
void judge_closes_only_what_exists(const evidence&, violations&);
void judge_no_use_after_close(const evidence&, violations&);
void judge_one_at_a_time(const evidence&, violations&);
void judge_body_runs_once(const evidence&, violations&);
void judge_closes_in_reverse(const evidence&, violations&);
void judge_commits_or_rolls_back(const evidence&, violations&);
void judge_releases_what_it_acquires(const evidence&, violations&);
void judge_validates_first(const evidence&, violations&);
void judge_balanced_statistics(const evidence&, violations&);
void judge_reports_cleanup_errors(const evidence&, violations&);
void judge_exclusive(const evidence&, violations&);
void judge_within_capacity(const evidence&, violations&);
/// Part of `within_capacity`: the rate of creates, what is closed unused, and the weights of clients.
void judge_thrift(const evidence&, violations&);
void judge_discards_broken(const evidence&, violations&);
void judge_fair(const evidence&, violations&);
void judge_recovers(const evidence&, violations&);
void judge_honours_timeout(const evidence&, violations&);
void judge_preserves_error(const evidence&, violations&);
void judge_swallows_no_error(const evidence&, violations&);
void judge_invents_no_error(const evidence&, violations&);

/// What else the table knows of a rule.
struct rule_traits
{
    /// It speaks of somebody that waits too long, or for ever.
    bool about_waiting = false;
    /// Of several rules that one plan breaks it is told last: often its violation is a consequence.
    bool told_last = false;
};

/// Complexity: linear in the rules. Of a user's rule, nothing is known.
rule_traits traits_of(std::string_view name) noexcept;

/// Rules that are judged on several runs, by campaigns: they have names, but no function here.
std::span<const invariant> invariants_between_runs() noexcept;

} // namespace mishap::detail
