// SPDX-License-Identifier: MIT
#include "session.hpp"

#include <mishap/mishap.hpp>
#include <mishap/rapidcheck.hpp>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

using namespace std::chrono_literals;

static mishap::awaitable<void> lend_a_mock(mishap::environment& env)
{
    struct : mishap::mock_resource
    {
        mishap::awaitable<void> open() { return create(); }
    } session;
    co_await app::with_session(session, env.body());
}

RC_GTEST_PROP(session, closes_whatever_happens, (const mishap::fault_plan& plan))
{
    const mishap::run_result run =
        mishap::run(lend_a_mock, plan, {.contract = mishap::contract{.time = {.create = 5s, .close = 5s}}});
    RC_LOG(mishap::timeline(run));
    RC_ASSERT(!run.violates("closes_everything"));
}
