// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

struct injected_driver
{
    mishap::awaitable<mishap::mock_resource> session(const catalogue::injected_settings&)
    {
        mishap::mock_resource opened("session");
        co_await opened.create();
        co_return opened;
    }
};

/// Runs `manage(settings, driver, metrics)`: any of the three may be left out by a setting of that name, and
/// metrics that are there are compared with the ledger.
template <class Manage>
mishap::awaitable<void> injected(mishap::environment& env, Manage manage)
{
    const catalogue::injected_settings settings{.database_name = "mydb"};
    injected_driver driver;
    catalogue::metrics_collector metrics;
    const auto created = env.statistics("session.created", [&] { return metrics.sessions_created; });
    const auto closed = env.statistics("session.closed", [&] { return metrics.sessions_closed; });
    co_await manage(env.setting("settings", true) ? &settings : nullptr,
        env.setting("driver", true) ? &driver : nullptr, &metrics);
}

} // namespace

// The document bounds nothing.

MISHAP_CONTRACT(injected_manager_as_written){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(injected_manager_as_written, mishap::environment& env)
{
    co_await injected(env, [&](auto* settings, auto* driver, auto* metrics) {
        return catalogue::injected_manager_as_written(settings, driver, metrics, env.body());
    });
}

MISHAP_CONTRACT(injected_manager){.time = {.create = 30s, .close = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(injected_manager, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await injected(env, [&](auto* settings, auto* driver, auto* metrics) {
        return catalogue::injected_manager(settings, driver, metrics, env.body(), 30s, log);
    });
}

MISHAP_CONTRACT(injected_manager_without_metrics){
    .time = {.create = 30s, .close = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(injected_manager_without_metrics, mishap::environment& env)
{
    const catalogue::injected_settings settings{.database_name = "mydb"};
    injected_driver driver;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::injected_manager(&settings, &driver, nullptr, env.body(), 30s, log);
}
