// SPDX-License-Identifier: MIT
#pragma once
/// How the campaigns of a sub-command are run, as its words ask for: processes, machines, files of results.

#include "options.hpp"
#include "progress.hpp"
#include "results_file.hpp"

#include "explore/conductor.hpp"

#include <mishap/explore.hpp>
#include <mishap/scenario.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

/// The options of every sub-command that runs campaigns; those with a value, and those without.
const std::vector<std::string>& campaign_options();
const std::vector<std::string>& campaign_flags();

/// What of them `help` says.
std::string_view campaign_usage() noexcept;
std::string_view campaign_help() noexcept;

/// While it lives, campaigns are run as these words ask for.
class campaign_command
{
public:
    /// Errors: throws `input_error` for options that cannot be used, or not together.
    campaign_command(std::string_view name, const arguments&);
    ~campaign_command();
    campaign_command(const campaign_command&) = delete;
    campaign_command& operator=(const campaign_command&) = delete;

    /// Takes results up as they come.
    void found(const campaign_result&);
    void found(const scenario&, const scenario_result&);

    /// Whether an example with this number is another machine's. Each has one.
    bool is_elsewhere(std::uint64_t number) const noexcept;

    /// One that this machine leaves out has its number all the same.
    void pass_over() noexcept { ++led_.campaigns; }

    bool is_quiet() const noexcept { return quiet_; }
    bool is_stopped() const noexcept { return stopped_by() != 0; }

    /// Something else is said now.
    void clear_line() { progress_.clear(); }

    /// Writes what is told in the end. Errors: throws `input_error` where it cannot be written.
    void finish();

private:
    void read_shard(const arguments&);
    void open_results(std::string_view name, const arguments&);
    void annotate(const std::string& line);

    bool quiet_;
    progress progress_;
    conductor led_;
    bool conducts_;
    results results_;
    std::string sarif_;
    bool annotates_ = false;
    std::vector<std::string> counterexamples_; ///< as lines, for SARIF
    std::optional<stopping_signals> signals_;
};

/// The results of other machines, where the sub-command under way only makes one report of them.
results*& merged() noexcept;

/// Runs the sub-command whose results these files hold, out of them. Returns it with its words.
std::vector<std::string> read_shards(const std::vector<std::string>& files);

/// `--for`; zero where it is left out. Errors: throws `input_error`.
duration named_time(const arguments&);
std::uint64_t random_seed();

} // namespace mishap::detail
