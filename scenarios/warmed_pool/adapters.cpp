// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include "shared/fake_connection.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

using warm_pool = catalogue::connection_pool<catalogue::fake_connection>;

/// The work: one client of the pool.
auto lend_one(mishap::environment& env)
{
    return [&env](warm_pool& warm) { return warm.with_connection(env.body()); };
}

warm_pool pool_in(mishap::environment& env)
{
    return {4, 30s, [&env](std::exception_ptr error) { env.report(error); }};
}

} // namespace

// The pool bounds each creation and close, and what it keeps has no order.

MISHAP_CONTRACT(warmed_pool_as_written){
    .time = {.create = 30s, .close = 30s}, .closing = {.any_order = true}};

MISHAP_MANAGER(warmed_pool_as_written, mishap::environment& env)
{
    warm_pool cold = pool_in(env);
    co_await catalogue::warmed_pool_as_written(cold, 2, lend_one(env));
}

MISHAP_CONTRACT(warmed_pool){.time = {.create = 30s, .close = 30s}, .closing = {.any_order = true}};

MISHAP_MANAGER(warmed_pool, mishap::environment& env)
{
    warm_pool cold = pool_in(env);
    co_await catalogue::warmed_pool(cold, 2, lend_one(env));
}
