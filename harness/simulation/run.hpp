#pragma once

#include <mishap/run.hpp>

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

    /// Runs a plan and judges it; the result is overwritten by the next run.
    run_result& run(const fault_plan& plan);

    /// Indices of the last plan's perturbations that never came up.
    const std::vector<std::size_t>& inert() const noexcept { return inert_; }

    const manager& under_test() const noexcept { return *manager_; }

private:
    const manager* manager_;
    limits bounds_;
    chooser* order_;
    std::vector<const invariant*> only_;
    run_result result_;
    std::vector<std::size_t> inert_;
};

} // namespace mishap::detail
