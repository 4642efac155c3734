// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

MISHAP_ERROR(service_timeout, catalogue::service_timeout_error("create_resource", 30s));

// The document bounds the creation only.

MISHAP_CONTRACT(timeout_protected_as_written){
    .time = {.create = 30s, .errors = {"service_timeout"}, .unbounded = {mishap::phase::close}},
};

MISHAP_MANAGER(timeout_protected_as_written, mishap::environment& env)
{
    mishap::mock_resource resource;
    co_await catalogue::timeout_protected_as_written(resource, env.body(), 30s);
}

MISHAP_CONTRACT(timeout_protected){
    .time = {.create = 30s, .errors = {"service_timeout"}, .unbounded = {mishap::phase::close}},
};

MISHAP_MANAGER(timeout_protected, mishap::environment& env)
{
    mishap::mock_resource resource;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::timeout_protected(resource, env.body(), 30s, log);
}
