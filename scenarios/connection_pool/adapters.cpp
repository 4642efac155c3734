#include "managers.hpp"

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

MISHAP_ERROR(pool_exhausted, catalogue::pool_exhausted_error());

// The document bounds the wait for a connection.

MISHAP_CONTRACT(connection_pool_as_written){
    .acquire_timeout = 30s,
    .unbounded = {mishap::phase::close},
    .capacity = 2,
    .timeout_errors = {"pool_exhausted"},
};

MISHAP_MANAGER(connection_pool_as_written, mishap::environment& env)
{
    catalogue::connection_pool_as_written<fake_connection> pool(2, 30s);
    co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
        co_await pool.with_connection(client.body());
    });
}

MISHAP_CONTRACT(connection_pool){
    .close_timeout = 30s,
    .acquire_timeout = 30s,
    .capacity = 2,
    .fair = true,
    .cancelled_use_breaks = true,
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
