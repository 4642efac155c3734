// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include "shared/fake_connection.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

MISHAP_ERROR(pool_exhausted, catalogue::pool_exhausted_error());

// The document bounds the wait for a connection.

MISHAP_CONTRACT(connection_pool_as_written){
    .time = {.acquire = 30s, .errors = {"pool_exhausted"}, .unbounded = {mishap::phase::close}},
    .capacity = {.resources = 2},
};

MISHAP_MANAGER(connection_pool_as_written, mishap::environment& env)
{
    catalogue::connection_pool_as_written<catalogue::fake_connection> pool(2, 30s);
    co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
        co_await pool.with_connection(client.body());
    });
}
