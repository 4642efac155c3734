// SPDX-License-Identifier: MIT
// A program that answers clock_gettime itself, before mishap's answer is linked: it must refuse to run.

#include <mishap/environment.hpp>
#include <mishap/manager.hpp>
#include <mishap/resource.hpp>

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern "C" int clock_gettime(clockid_t clock, timespec* out) noexcept
{
    return static_cast<int>(syscall(SYS_clock_gettime, clock, out));
}

MISHAP_MANAGER(session, mishap::environment& env)
{
    mishap::mock_resource resource;
    co_await env.body()(resource);
}
