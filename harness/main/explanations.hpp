// SPDX-License-Identifier: MIT
#pragma once
/// What each verdict means, what usually causes it and what mends it: for `explain`, and for the guide.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

struct explanation
{
    /// Name of one of mishap's own invariants.
    std::string_view rule;
    std::string_view meaning;
    std::vector<std::string_view> causes;
    std::vector<std::string_view> remedies;
    /// The contract's terms, by their keys, that change what is demanded.
    std::vector<std::string_view> terms;
    /// A scenario of the catalogue that breaks it, as `folder/name.yaml`; empty where there is none.
    std::string_view shown_in;
};

/// One for each of mishap's own invariants, in the order of reports.
std::span<const explanation> explanations();

} // namespace mishap::detail
