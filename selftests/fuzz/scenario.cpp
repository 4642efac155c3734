// SPDX-License-Identifier: MIT
// Goal: no text of a scenario file takes its reader down, and what is refused is refused with a place in the
// file.

#include <mishap/environment.hpp>
#include <mishap/manager.hpp>
#include <mishap/scenario.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

MISHAP_CONTRACT(small){.time = {.unbounded = {mishap::phase::create}}};

MISHAP_MANAGER(small, mishap::environment&) { co_return; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string text(reinterpret_cast<const char*>(data), size);
    try {
        mishap::parse_scenario(text, "fuzzed.yaml");
    } catch (const mishap::scenario_error& e) {
        if (e.where().line < 1 || e.where().column < 1)
            std::abort();
    }
    return 0;
}
