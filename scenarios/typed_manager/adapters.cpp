// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

using mishap::phase;

/// Made at once, closed by an operation.
struct fake_stream : mishap::resource
{
    fake_stream() : resource("stream") { now(mishap::role::create, "create"); }
};

/// Made at once; its destructor is all that there is to close it.
class fake_buffer
{
    mishap::resource resource_{"buffer"};

public:
    fake_buffer() { resource_.now(mishap::role::create, "create"); }
    operator mishap::resource&() { return resource_; }
};

} // namespace

// The document bounds nothing.

MISHAP_CONTRACT(typed_manager_as_written){.time = {.unbounded = {phase::close}}};

MISHAP_MANAGER(typed_manager_as_written, mishap::environment& env)
{
    co_await catalogue::typed_manager_as_written([] { return fake_stream(); }, env.body());
}

MISHAP_CONTRACT(typed_manager){.time = {.close = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(typed_manager, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::typed_manager([] { return fake_stream(); }, env.body(), 30s, log);
}

MISHAP_CONTRACT(typed_manager_without_close){.closing = {.by = mishap::closing::destruction}};

MISHAP_MANAGER(typed_manager_without_close, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::typed_manager([] { return fake_buffer(); }, env.body(), 30s, log);
}
