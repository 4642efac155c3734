#pragma once
/// What documents on writing resource managers ask for, and which invariants check it.

#include <span>
#include <string_view>
#include <vector>

namespace mishap::detail {

struct document_rule
{
    std::string_view says;
    /// Names of mishap's own invariants.
    std::vector<std::string_view> checked_by;
};

std::span<const document_rule> document_rules();

} // namespace mishap::detail
