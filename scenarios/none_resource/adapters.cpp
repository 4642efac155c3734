// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <mishap/mishap.hpp>

// The document gives neither create nor close a timeout, so neither is promised here.

MISHAP_CONTRACT(unsafe){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(unsafe, mishap::environment& env)
{
    mishap::mock_resource resource;
    co_await catalogue::unsafe(resource, env.body());
}

MISHAP_CONTRACT(safe){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(safe, mishap::environment& env)
{
    mishap::mock_resource resource;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::safe(resource, env.body(), log);
}
