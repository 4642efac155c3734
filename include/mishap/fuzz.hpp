// SPDX-License-Identifier: MIT
#pragma once
/// Coverage-guided plans: what a fuzzer such as libFuzzer mutates, as plans against a manager.
/// `mishap_add_fuzzer` makes a fuzz target of it.

#include <mishap/manager.hpp>
#include <mishap/plan.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace mishap {

/// Reads bytes as plans against one manager.
///
/// Every sequence of bytes is a plan. The first two say how many clients come and how; each six that follow
/// are one perturbation, of at most sixteen. So a byte that changes changes one perturbation. Zeroes are
/// none, and what is missing at the end counts as zeroes.
class fuzz_format
{
public:
    /// Learns which operations the manager has, from runs with each single perturbation.
    ///
    /// Errors: as `run`. Complexity: at most 500 runs.
    explicit fuzz_format(const manager&);

    fault_plan plan_of(std::span<const std::uint8_t> bytes) const;

    /// The kinds and names of operations that perturbations choose from, in order.
    std::span<const std::pair<symbol, symbol>> operations() const noexcept { return operations_; }

private:
    contract promises_;
    std::vector<std::pair<symbol, symbol>> operations_;
    std::uint32_t clients_ = 1;
};

/// The body of a `LLVMFuzzerTestOneInput`: runs the registered manager of that name under the plan of these
/// bytes. Where an invariant breaks, writes the report of the smallest plan that breaks it, with its token,
/// and aborts.
///
/// Errors: a name that is not registered ends the program with 2.
int fuzz_one_input(std::string_view manager, const std::uint8_t* data, std::size_t size);

} // namespace mishap

/// Defines the entry of libFuzzer for a registered manager, at namespace scope: `MISHAP_FUZZ(session)`.
#define MISHAP_FUZZ(manager_name)                                                                            \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)                        \
    {                                                                                                        \
        return ::mishap::fuzz_one_input(#manager_name, data, size);                                          \
    }
