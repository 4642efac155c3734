// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include "shared/fake_connection.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

using pool_that_resets = catalogue::resetting_pool<catalogue::fake_connection>;

} // namespace

MISHAP_CONTRACT(pooled_connection_as_written){
    .time = {.close = 30s, .acquire = 30s, .other = 30s}, .capacity = {.resources = 2}};

MISHAP_MANAGER(pooled_connection_as_written, mishap::environment& env)
{
    pool_that_resets shared(env.setting("size_max", std::size_t(2)), 30s,
        [&env](std::exception_ptr error) { env.report(error); });
    co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
        co_await catalogue::pooled_connection_as_written(shared, client.body());
    });
    co_await shared.shut_down();
}

MISHAP_CONTRACT(pooled_connection){
    .time = {.close = 30s, .acquire = 30s, .other = 30s},
    .capacity = {.resources = 2, .fair = true},
    .work = {.cancelled_use_breaks = true},
};

MISHAP_MANAGER(pooled_connection, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    pool_that_resets shared(env.setting("size_max", std::size_t(2)), 30s, log);
    co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
        co_await catalogue::pooled_connection(shared, client.body(), log);
    });
    co_await shared.shut_down();
}
