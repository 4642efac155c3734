// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <mishap/mishap.hpp>

#include <string>

using namespace std::chrono_literals;

namespace {

/// The setting `settings` is invalid when it is empty.
const std::string* settings_of(const std::string& settings) { return settings.empty() ? nullptr : &settings; }

} // namespace

// The document bounds nothing.

MISHAP_CONTRACT(safe_resource_manager_as_written){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close}},
    .errors = {.close = mishap::close_error_policy::reported},
};

MISHAP_MANAGER(safe_resource_manager_as_written, mishap::environment& env)
{
    const auto settings = env.setting("settings", std::string("default"));
    mishap::mock_resource resource;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::safe_resource_manager_as_written(settings_of(settings), resource, env.body(), log);
}

MISHAP_CONTRACT(safe_resource_manager){
    .time = {.create = 30s, .close = 30s},
    .errors = {.close = mishap::close_error_policy::reported},
};

MISHAP_MANAGER(safe_resource_manager, mishap::environment& env)
{
    const auto settings = env.setting("settings", std::string("default"));
    mishap::mock_resource resource;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::safe_resource_manager(settings_of(settings), resource, env.body(), 30s, log);
}
