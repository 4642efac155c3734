// SPDX-License-Identifier: MIT
// A fake that forgot to say which ledger entry it holds.

#include <mishap/mishap.hpp>

struct fake_session
{};

mishap::awaitable<void> adapter(mishap::environment& env)
{
    fake_session session;
    auto body = env.body();
    co_await body(session);
}
