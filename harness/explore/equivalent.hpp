// SPDX-License-Identifier: MIT
#pragma once
/// Comparing one manager's run with another's under the same plan.

#include "simulation/run.hpp"

#include <mishap/explore.hpp>

#include <cstdint>
#include <string>

namespace mishap::detail {

/// Puts plans that fired in a run of one manager to another one.
class comparison
{
public:
    comparison(const manager& other, contract promises, const limits& bounds, std::string name);

    /// Replaces the verdict on a run by that on its likeness to a run of the other manager; only `livelock`
    /// stays, since nothing can be compared then.
    void judge(run_result& done);

    runner& runs() noexcept { return runner_; }
    std::uint64_t& skipped() noexcept { return skipped_; }

private:
    runner runner_;
    std::string name_;
    std::uint64_t skipped_ = 0;
};

} // namespace mishap::detail
