// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <mishap/mishap.hpp>

MISHAP_ERROR(context_error, mishap::context_error("a mishap::context came to a second co_yield"));

namespace {

using mishap::mock_resource;
using mishap::phase;

/// Two open resources, and a manager in between that lends them.
template <class Manager>
mishap::awaitable<void> with_two(mishap::environment& env, Manager lend)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    mock_resource first("first");
    mock_resource second("second");
    const auto with_first = [&](mock_resource&) {
        const auto with_both = [&](mock_resource&) { return lend(first, second); };
        return mishap::with(catalogue::opened(second), with_both, log);
    };
    co_await mishap::with(catalogue::opened(first), with_first, log);
}

} // namespace

// The document bounds nothing, so nothing is promised here.

MISHAP_CONTRACT(broken_manager){.time = {.unbounded = {phase::create, phase::close}}};

MISHAP_MANAGER(broken_manager, mishap::environment& env)
{
    const auto lend = [&env](mock_resource& first, mock_resource& second) {
        return catalogue::broken_manager(first, second, env.body());
    };
    co_await with_two(env, lend);
}

MISHAP_CONTRACT(broken_context){.time = {.unbounded = {phase::create, phase::close}}};

MISHAP_MANAGER(broken_context, mishap::environment& env)
{
    const auto lend = [&env](mock_resource& first, mock_resource& second) {
        return mishap::with(catalogue::broken_context(first, second), env.body());
    };
    co_await with_two(env, lend);
}

MISHAP_CONTRACT(fixed_manager){.time = {.unbounded = {phase::create, phase::close}}};

MISHAP_MANAGER(fixed_manager, mishap::environment& env)
{
    const auto use_both = [&env](
                              std::tuple<mock_resource&, mock_resource&>& lent) -> mishap::awaitable<void> {
        const auto work = [&lent](mock_resource& first) -> mishap::awaitable<void> {
            co_await first.use("read");
            co_await std::get<1>(lent).use("write");
        };
        co_await env.body(work)(std::get<0>(lent));
    };
    const auto lend = [&use_both](mock_resource& first, mock_resource& second) {
        return mishap::with(catalogue::fixed_manager(first, second), use_both);
    };
    co_await with_two(env, lend);
}
