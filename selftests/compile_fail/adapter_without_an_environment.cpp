// SPDX-License-Identifier: MIT
// A coroutine that cannot know of the run.

#include <mishap/mishap.hpp>

void test()
{
    mishap::sweep([]() -> mishap::awaitable<void> { co_return; });
}
