// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/run.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace mishap::detail {

/// Runs many times with one set of buffers: what campaigns use, where `mishap::run` serves one run.
class runner
{
public:
    /// Errors: as `mishap::run`.
    runner(const manager& under_test, contract promises, limits bounds, chooser* order = nullptr,
        std::span<const std::string> only = {});

    /// Runs a plan and judges it; the result is overwritten by the next run. A setting `capacity` of the plan
    /// is the contract's, where that has one.
    ///
    /// Errors: throws `misuse_error` where the run misused mishap itself.
    run_result& run(const fault_plan& plan);

    /// A setting of the plan that no run of this runner has asked for, or an empty string.
    std::string unread_setting(const fault_plan&) const;
    /// What to say of it.
    std::string about_unread(const std::string& setting) const;

    /// Indices of the last plan's perturbations that never came up.
    const std::vector<std::size_t>& inert() const noexcept { return inert_; }

    /// The run under way, as far as it has come.
    const run_result& under_way() const noexcept { return result_; }
    const limits& asked_limits() const noexcept { return result_.limits; }

    /// Which settings were asked for, here or in another process.
    const std::set<std::string, std::less<>>& settings_read() const noexcept { return settings_read_; }
    void note_read(const std::set<std::string, std::less<>>& settings)
    {
        settings_read_.insert(settings.begin(), settings.end());
    }

    const manager& under_test() const noexcept { return *manager_; }

private:
    void check_usage();
    std::optional<std::uint32_t> capacity_of(const fault_plan&) const;

    const manager* manager_;
    std::optional<std::uint32_t> capacity_; ///< of the contract
    limits bounds_;                         ///< of the run under way, with its horizon
    chooser* order_;
    std::vector<const invariant*> only_;
    run_result result_;
    std::vector<std::size_t> inert_;
    std::set<std::string, std::less<>> settings_read_;
};

} // namespace mishap::detail
