// SPDX-License-Identifier: MIT
#pragma once
/// What the words of a sub-command that runs campaigns mean.

#include "options.hpp"

#include "fault/plan_words.hpp"

#include <mishap/contract.hpp>
#include <mishap/fault.hpp>
#include <mishap/manager.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

/// Keeps only the files whose path has the pattern of `--filter` in it.
void keep_matching(std::vector<std::string>& files, const arguments&);

/// The options of a sub-command that runs campaigns, with its own.
std::vector<std::string> with_campaign_options(std::vector<std::string> own);

/// `--with NAME=VALUE`. Errors: as all here, throws `input_error` for what does not read.
std::map<std::string, std::string, std::less<>> named_settings(const arguments&);

/// The words of `--name A,B`; none where it is not given.
std::vector<std::string> listed(const arguments&, std::string_view name);

std::vector<fault> named_kinds(const arguments&);

/// `--horizon 2h --steps-max 1000`
limits named_limits(const arguments&);

/// `--schedule 'pct 3'`.
asked_schedule named_schedule(const arguments&, bool of_sweep);

/// The one manager that the command line names.
const manager& named_manager(const arguments&);

/// `--save DIR`, or where counterexamples are saved by default.
std::string folder_to_save_in(const arguments&);

/// A seed `random` becomes the one that is drawn, so that whoever goes on draws the same plans.
void settle_seed(std::vector<std::string>& words);

} // namespace mishap::detail
