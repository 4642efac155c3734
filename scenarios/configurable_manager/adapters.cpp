// SPDX-License-Identifier: MIT
#include "as_written.hpp"
#include "configurable_manager.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

mishap::awaitable<mishap::mock_resource> create_session()
{
    mishap::mock_resource session("session");
    co_await session.create();
    co_return session;
}

catalogue::configuration configuration_of(mishap::environment& env)
{
    catalogue::configuration config{.database = env.setting("database", std::string("mydb"))};
    config.timeout = env.setting("timeout", config.timeout);
    config.max_retries = env.setting("max_retries", config.max_retries);
    config.retry_delay = env.setting("retry_delay", config.retry_delay);
    return config;
}

} // namespace

// The document bounds the attempts only in their number.

MISHAP_CONTRACT(configurable_manager_as_written){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close}},
    .attempts = {.create = 4},
};

MISHAP_MANAGER(configurable_manager_as_written, mishap::environment& env)
{
    co_await catalogue::configurable_manager_as_written(configuration_of(env), &create_session, env.body());
}

MISHAP_CONTRACT(configurable_manager){
    .time = {.create = 30s, .close = 30s},
    .attempts = {.create = 4},
    .errors = {.reports_cleanup = true},
};

MISHAP_MANAGER(configurable_manager, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::configurable_manager(configuration_of(env), &create_session, env.body(), log);
}
