// SPDX-License-Identifier: MIT
// A manager that does what is undefined once its use has failed, under a sanitizer that ends the program.

#include <mishap/environment.hpp>
#include <mishap/manager.hpp>
#include <mishap/resource.hpp>

#include <limits>

namespace {

volatile int most = std::numeric_limits<int>::max();

} // namespace

MISHAP_CONTRACT(undefined){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(undefined, mishap::environment& env)
{
    mishap::mock_resource session("session");
    co_await session.create();
    try {
        co_await env.body()(session);
    } catch (...) {
        most = most + 1;
    }
    co_await session.close();
}
