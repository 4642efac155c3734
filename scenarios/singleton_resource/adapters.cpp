// SPDX-License-Identifier: MIT
#include "as_written.hpp"
#include "singleton_resource.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

// The document bounds neither the wait for the lock nor the creation.

MISHAP_CONTRACT(singleton_resource_as_written){
    .time = {.unbounded = {mishap::phase::acquire, mishap::phase::create}},
    .capacity = {.resources = 1, .fair = true},
    .work = {.cancelled_use_breaks = true},
};

MISHAP_MANAGER(singleton_resource_as_written, mishap::environment& env)
{
    catalogue::singleton_resource_as_written<mishap::mock_resource> singleton(env.executor());
    co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
        co_await singleton.with_resource(client.body());
    });
}

MISHAP_CONTRACT(singleton_resource){
    .time = {.close = 30s, .acquire = 30s},
    .capacity = {.resources = 1, .fair = true},
    .work = {.cancelled_use_breaks = true},
};

MISHAP_MANAGER(singleton_resource, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    catalogue::singleton_resource<mishap::mock_resource> singleton(env.executor(), 30s, log);
    co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
        co_await singleton.with_resource(client.body());
    });
    co_await singleton.shut_down();
}
