// SPDX-License-Identifier: MIT
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

/// One item of the documents' lists: dos, don'ts and red flags.
struct document_item
{
    std::string_view list;
    int number;
    std::string_view says;
    /// Names of mishap's own invariants; none where the compiler checks it.
    std::vector<std::string_view> checked_by;
    /// Where breaking it is caught: a scenario of the catalogue, or a source that must not compile.
    std::string_view caught_in;
};

std::span<const document_item> document_items();

} // namespace mishap::detail
