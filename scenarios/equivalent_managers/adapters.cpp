// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include "shared/create_mock.hpp"

#include <mishap/mishap.hpp>

// The document gives neither create nor close a timeout, so neither is promised here.

MISHAP_CONTRACT(auto_manager){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(auto_manager, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await mishap::with(catalogue::auto_manager(&catalogue::create_mock), env.body(), log);
}

MISHAP_CONTRACT(manual_manager){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(manual_manager, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await mishap::with(catalogue::manual_manager(&catalogue::create_mock), env.body(), log);
}
