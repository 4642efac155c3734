// SPDX-License-Identifier: MIT
// Clients that nobody awaits.

#include <mishap/mishap.hpp>

mishap::awaitable<void> adapter(mishap::environment& env)
{
    env.clients([](mishap::client& client) -> mishap::awaitable<void> { co_await client.body()(); });
    co_return;
}
