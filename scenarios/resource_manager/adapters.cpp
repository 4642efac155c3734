// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

struct fake_resource : mishap::mock_resource
{
    mishap::awaitable<void> initialize() { return use("initialize"); }
    mishap::awaitable<void> cleanup() { return use("cleanup"); }
};

/// The setting `config` is invalid when it is empty.
const catalogue::resource_config* config_of(const catalogue::resource_config& config)
{
    return config.name.empty() ? nullptr : &config;
}

} // namespace

// The document bounds nothing.

MISHAP_CONTRACT(resource_manager_as_written){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::other}}};

MISHAP_MANAGER(resource_manager_as_written, mishap::environment& env)
{
    const catalogue::resource_config config{env.setting("config", std::string("default"))};
    fake_resource resource;
    co_await catalogue::resource_manager_as_written(config_of(config), resource, env.body());
}

MISHAP_CONTRACT(resource_manager){
    .time = {.create = 30s, .close = 30s, .other = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(resource_manager, mishap::environment& env)
{
    const catalogue::resource_config config{env.setting("config", std::string("default"))};
    fake_resource resource;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::resource_manager(config_of(config), resource, env.body(), 30s, log);
}
