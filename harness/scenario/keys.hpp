// SPDX-License-Identifier: MIT
#pragma once
/// What there is to say about the keys of scenario files: one row per key, from which the loader, the lists,
/// the reference in scenarios/README.md and the schema come.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

/// A key, and what stands there.
struct key_description
{
    std::string_view key;
    /// What may be written, in alternatives between `|`: a word as it stands, `1..100`, a list `[X, ...]` (or
    /// one X alone), a map `{X: Y, ...}`, a map with the keys of the section of this key `{...}`, and, in
    /// capitals, what the schema defines: `DURATION`, `ERROR`, `OPERATION`, `FAULT` and so on.
    std::string_view form;
    /// What it is where the key is left out; empty where that needs no word, `required` where it may not be.
    std::string_view otherwise;
    /// What it demands, permits or says, in a sentence.
    std::string_view about;
    /// For a term of the contract: the member of `mishap::contract` that it sets.
    std::string_view member = {};
};

/// The keys of one map. The path of the scenario itself is empty; others are named as `explore.sweep`.
struct key_section
{
    std::string_view path;
    std::vector<key_description> keys;
};

/// Every map with fixed keys, the scenario first.
std::vector<key_section> key_sections();

/// The parts of a form between `|`, where that stands in no bracket.
std::vector<std::string_view> alternatives(std::string_view form);

/// The section of the contract's terms.
key_section contract_section();

} // namespace mishap::detail
