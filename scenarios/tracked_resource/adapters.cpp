// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

struct fake_tracked : mishap::mock_resource
{
    mishap::awaitable<void> cleanup() { return close(); }
};

mishap::awaitable<fake_tracked> create_fake()
{
    fake_tracked created;
    co_await created.create();
    co_return created;
}

} // namespace

// The document bounds nothing.

MISHAP_CONTRACT(tracked_resource_as_written){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(tracked_resource_as_written, mishap::environment& env)
{
    co_await catalogue::tracked_resource_as_written(&create_fake, env.body());
}

MISHAP_CONTRACT(tracked_resource){.time = {.create = 30s, .close = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(tracked_resource, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::tracked_resource(&create_fake, env.body(), 30s, log);
}
