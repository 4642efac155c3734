// SPDX-License-Identifier: MIT
// Goal: no token takes its reader down, and one that is taken is written as an equal one. The mutator keeps
// the checksum right, since nothing would come past it otherwise.

#include "checksum.hpp"

#include <mishap/input_error.hpp>
#include <mishap/plan.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" std::size_t LLVMFuzzerCustomMutator(
    std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned seed)
{
    if (size_max < fuzz::checksum_size || seed % 16 == 0)
        return LLVMFuzzerMutate(data, size, size_max); // a wrong one now and then
    return fuzz::mutate_token(data, size, size_max);
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
