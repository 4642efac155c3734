// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/operation.hpp>

#include <cstdint>

namespace mishap::detail {

/// Adds a value to a running hash.
///
/// Source: the finaliser of SplitMix64 (G. L. Steele et al., OOPSLA 2014).
constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) noexcept
{
    hash += 0x9e3779b97f4a7c15ull + value;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ull;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebull;
    return hash ^ (hash >> 31);
}

/// The same in every process: from the words' text, not from the symbols' numbers.
inline std::uint64_t hash_of(const operation_id& id) noexcept
{
    return mix(mix(mix(id.kind.stable_hash(), id.name.stable_hash()), id.occurrence),
        (std::uint64_t(id.attempt) << 16) ^ static_cast<std::uint16_t>(id.lane));
}

} // namespace mishap::detail
