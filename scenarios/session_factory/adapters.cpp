// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

struct factory_driver
{
    mishap::awaitable<mishap::mock_resource> session(std::string)
    {
        mishap::mock_resource opened("session");
        co_await opened.create();
        co_return opened;
    }
};

} // namespace

// The document bounds nothing.

MISHAP_CONTRACT(session_factory_as_written){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(session_factory_as_written, mishap::environment& env)
{
    factory_driver driver;
    const auto with_session = catalogue::session_factory_as_written(driver, "mydb");
    co_await with_session(env.body());
}

MISHAP_CONTRACT(session_factory){.time = {.create = 30s, .close = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(session_factory, mishap::environment& env)
{
    factory_driver driver;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    const auto with_session = catalogue::session_factory(driver, "mydb", 30s, log);
    co_await with_session(env.body());
}
