// SPDX-License-Identifier: MIT
#include "world.hpp"

#include "vocabulary/expectations.hpp"

#include <mishap/require.hpp>

#include <fmt/format.h>

#include <stdexcept>

namespace mishap::detail {

bool expectation_failed(expectation_record failed)
{
    world* const here = world::current();
    if (!here)
        return false;
    here->expectation_failed(std::move(failed));
    return true;
}

void fail_requirement(const char* condition, const char* file, int line)
{
    std::string message = fmt::format("MISHAP_REQUIRE({}) does not hold", condition);
    expectation_record failed{.file = file, .line = line, .message = message, .ended_lane = true};
    if (!expectation_failed(std::move(failed)))
        throw std::logic_error(fmt::format("{}:{}: {}, and no run is under way", file, line, message));
    throw requirement_failed{};
}

} // namespace mishap::detail
