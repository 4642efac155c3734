// SPDX-License-Identifier: MIT
// An adapter that calls the manager, and forgot to await it.

#include <mishap/mishap.hpp>

MISHAP_MANAGER(session, mishap::environment& env)
{
    mishap::resource session("session");
    auto work = env.body();
    auto later = work(session);
}
