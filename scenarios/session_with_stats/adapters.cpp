// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include "shared/create_mock.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

// The document bounds nothing.

MISHAP_CONTRACT(session_with_stats_as_written){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(session_with_stats_as_written, mishap::environment& env)
{
    catalogue::query_stats stats;
    const auto active = env.statistics("open", [&] { return stats.active_sessions; });
    co_await catalogue::session_with_stats_as_written(&catalogue::create_mock, stats, env.body());
}

MISHAP_CONTRACT(session_with_stats){
    .time = {.create = 30s, .close = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(session_with_stats, mishap::environment& env)
{
    catalogue::query_stats stats;
    const auto active = env.statistics("open", [&] { return stats.active_sessions; });
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::session_with_stats(&catalogue::create_mock, stats, env.body(), 30s, log);
}
