// SPDX-License-Identifier: MIT
#include "shared/connection_pool.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

class fake_connection
{
    mishap::resource resource_{"connection"};

public:
    mishap::awaitable<void> open() { return resource_.create(); }
    mishap::awaitable<void> close() { return resource_.close(); }
    operator mishap::resource&() { return resource_; }
};

} // namespace

MISHAP_CONTRACT(connection_pool){
    .time = {.close = 30s, .acquire = 30s},
    .capacity = {.resources = 2, .fair = true},
    .work = {.cancelled_use_breaks = true},
};

MISHAP_MANAGER(connection_pool, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    catalogue::connection_pool<fake_connection> pool(env.setting("size_max", std::size_t(2)), 30s, log);
    co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
        co_await pool.with_connection(client.body());
    });
    co_await pool.shut_down();
}
