// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <mishap/mishap.hpp>

// The documents bound nothing.

MISHAP_CONTRACT(missing_finally){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(missing_finally, mishap::environment& env)
{
    mishap::mock_resource resource;
    co_await mishap::with(catalogue::missing_finally(resource), env.body());
}

MISHAP_CONTRACT(cleanup_on_exception){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(cleanup_on_exception, mishap::environment& env)
{
    mishap::mock_resource resource;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await mishap::with(catalogue::cleanup_on_exception(resource), env.body(), log);
}
