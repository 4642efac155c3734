// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include "shared/create_mock.hpp"

#include <mishap/mishap.hpp>

using mishap::phase;

MISHAP_CONTRACT(silent_cleanup){
    .time = {.unbounded = {phase::create, phase::close}}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(silent_cleanup, mishap::environment& env)
{
    co_await catalogue::silent_cleanup(&catalogue::create_mock, env.body());
}

MISHAP_CONTRACT(blocking_cleanup){.time = {.unbounded = {phase::create, phase::close}}};

MISHAP_MANAGER(blocking_cleanup, mishap::environment& env)
{
    co_await catalogue::blocking_cleanup(&catalogue::create_mock, env.body());
}

MISHAP_CONTRACT(two_in_one){.time = {.unbounded = {phase::create, phase::close}}};

MISHAP_MANAGER(two_in_one, mishap::environment& env)
{
    mishap::mock_resource outer("outer");
    mishap::mock_resource inner("inner");
    co_await catalogue::two_in_one(outer, inner, env.body());
}
