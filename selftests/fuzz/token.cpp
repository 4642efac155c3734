// SPDX-License-Identifier: MIT
// Goal: no token takes its reader down, and one that is taken is written as an equal one. The mutator keeps
// the checksum right, since nothing would come past it otherwise.

#include <mishap/input_error.hpp>
#include <mishap/plan.hpp>

#include <boost/crc.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace {

constexpr std::size_t checksum_size = 6; // " ~7f3a"

std::string_view without_checksum(std::string_view token)
{
    const auto tilde = token.rfind(" ~");
    return tilde == std::string_view::npos ? token : token.substr(0, tilde);
}

} // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(
    std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned seed)
{
    if (size_max < checksum_size || seed % 16 == 0)
        return LLVMFuzzerMutate(data, size, size_max); // a wrong one now and then
    size = without_checksum({reinterpret_cast<const char*>(data), size}).size();
    size = LLVMFuzzerMutate(data, std::min(size, size_max - checksum_size), size_max - checksum_size);
    boost::crc_ccitt_type crc;
    crc.process_bytes(data, size);
    char sum[checksum_size + 1];
    std::snprintf(sum, sizeof sum, " ~%04x", static_cast<unsigned>(crc.checksum()));
    std::memcpy(data + size, sum, checksum_size);
    return size + checksum_size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        const mishap::replay_token token = mishap::parse_token(text);
        const mishap::replay_token again = mishap::parse_token(to_string(token));
        if (again.manager != token.manager || again.plan != token.plan)
            std::abort();
    } catch (const mishap::input_error& e) {
        if (e.offset() > size)
            std::abort();
    }
    return 0;
}
