// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include "shared/create_mock.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

/// Works with the resource, or ends with what kept it from being created.
auto operate(mishap::environment& env)
{
    return [&env](auto result) -> mishap::awaitable<void> {
        mishap::throw_error_of(result);
        co_await env.body()(result.data().get());
    };
}

} // namespace

// The documents bound nothing.

MISHAP_CONTRACT(result_aware_manager_as_written){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(result_aware_manager_as_written, mishap::environment& env)
{
    co_await catalogue::result_aware_manager_as_written(&catalogue::create_mock, operate(env));
}

MISHAP_CONTRACT(result_aware_manager){
    .time = {.create = 30s, .close = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(result_aware_manager, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::result_aware_manager(&catalogue::create_mock, operate(env), 30s, log);
}
