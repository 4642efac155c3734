// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include "shared/create_mock.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

catalogue::strict_settings settings_of(mishap::environment& env)
{
    return {env.setting("database_url", std::string("db://localhost")), env.setting("pool_size", 4L),
        env.setting("timeout", mishap::duration(30s))};
}

} // namespace

// The document bounds nothing.

MISHAP_CONTRACT(strict_manager_as_written){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(strict_manager_as_written, mishap::environment& env)
{
    co_await catalogue::strict_manager_as_written(settings_of(env), &catalogue::create_mock, env.body());
}

MISHAP_CONTRACT(late_manager){.time = {.create = 30s, .close = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(late_manager, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::late_manager(settings_of(env), &catalogue::create_mock, env.body(), log);
}

MISHAP_CONTRACT(strict_manager){.time = {.create = 30s, .close = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(strict_manager, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::strict_manager(settings_of(env), &catalogue::create_mock, env.body(), log);
}
