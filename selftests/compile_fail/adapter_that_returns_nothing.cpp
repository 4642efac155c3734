// SPDX-License-Identifier: MIT
// A lambda that awaits nothing, since it is no coroutine.

#include <mishap/mishap.hpp>

void test()
{
    mishap::sweep([](mishap::environment& env) { (void)env.body(); });
}
