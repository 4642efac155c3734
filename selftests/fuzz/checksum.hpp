// SPDX-License-Identifier: MIT
#pragma once
/// Keeps the checksum of a mutated token right, since nothing would come past it otherwise.

#include <boost/crc.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace fuzz {

inline constexpr std::size_t checksum_size = 6; // " ~7f3a"

inline std::string_view text_of(const std::uint8_t* data, std::size_t size)
{
    return {reinterpret_cast<const char*>(data), size};
}

/// Mutates a token and gives it its checksum. Returns the new size.
///
/// Preconditions: `size_max` is `checksum_size` at least.
inline std::size_t mutate_token(std::uint8_t* data, std::size_t size, std::size_t size_max)
{
    if (const auto tilde = text_of(data, size).rfind(" ~"); tilde != std::string_view::npos)
        size = tilde;
    const std::size_t room = size_max - checksum_size;
    size = LLVMFuzzerMutate(data, std::min(size, room), room);
    boost::crc_ccitt_type crc;
    crc.process_bytes(data, size);
    char sum[checksum_size + 1];
    std::snprintf(sum, sizeof sum, " ~%04x", static_cast<unsigned>(crc.checksum()));
    std::memcpy(data + size, sum, checksum_size);
    return size + checksum_size;
}

} // namespace fuzz
