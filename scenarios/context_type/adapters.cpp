// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <mishap/mishap.hpp>

// The document gives neither create nor close a timeout, so neither is promised here.

MISHAP_CONTRACT(correct_type){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(correct_type, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await mishap::with(catalogue::correct_type(mishap::mock_resource()), env.body(), log);
}
