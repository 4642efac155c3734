// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include "shared/create_mock.hpp"

#include <mishap/mishap.hpp>

// The document gives neither create nor close a timeout, so neither is promised here.

MISHAP_CONTRACT(bad_cleanup){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(bad_cleanup, mishap::environment& env)
{
    co_await catalogue::bad_cleanup(&catalogue::create_mock, env.body());
}

MISHAP_CONTRACT(good_cleanup){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(good_cleanup, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::good_cleanup(&catalogue::create_mock, env.body(), log);
}
