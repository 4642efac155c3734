// SPDX-License-Identifier: MIT
// Goal: a run is a function of its plan: the same plan, the same seed and the canonical plan of a drawn one
// all give the same trace; and a right manager is right under any plan. Method: plans drawn as in random
// campaigns, run against hand-made managers.

#include "support/under_test.hpp"

#include <mishap/rapidcheck.hpp>

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h> // needs the former

namespace {

using namespace selftest;

/// Two resources, one inside the other, and several uses: more operations than `right` has.
awaitable<void> nested(environment& env)
{
    mock_resource outer("outer");
    co_await outer.create();
    std::exception_ptr error;
    try {
        co_await outer.maintain("ping");
        mock_resource inner("inner");
        co_await inner.create();
        try {
            co_await env.body()(inner);
        } catch (...) {
            error = std::current_exception();
        }
        inner.force_close();
    } catch (...) {
        if (!error)
            error = std::current_exception();
    }
    co_await shield();
    try {
        co_await outer.close();
    } catch (...) {
        if (!error)
            throw;
        env.report(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

mishap::manager manager_of(mishap::adapter adapter)
{
    contract promises = patient;
    promises.time.unbounded.push_back(phase::other);
    promises.work.uses = {"query", "query", "commit"};
    return {"session", std::move(adapter), promises};
}

const mishap::manager adapter = manager_of(&right);
const mishap::manager larger = manager_of(&nested);

// As a user would write it.
RC_GTEST_PROP(session, holds_under_any_plan, (const mishap::fault_plan& plan))
{
    RC_ASSERT(mishap::run(adapter, plan).holds());
}

RC_GTEST_PROP(run, the_same_plan_gives_the_same_trace, (const mishap::fault_plan& plan))
{
    const run_result first = mishap::run(larger, plan);
    const run_result second = mishap::run(larger, plan);
    RC_ASSERT(first.trace.hash == second.trace.hash);
    RC_ASSERT(first.fired == second.fired);
    RC_ASSERT(first.trace.steps == second.trace.steps);
}

// What was drawn is written down, and what is written down is the same run.
RC_GTEST_PROP(run, the_canonical_plan_replays_a_drawn_one, (const mishap::fault_plan& plan))
{
    const run_result drawn = mishap::run(larger, plan);
    RC_ASSERT(!drawn.fired.lazy);
    const mishap::replay_token token =
        mishap::parse_token(to_string(mishap::replay_token{"session", drawn.fired}));
    const run_result replayed = mishap::run(larger, token.plan);
    RC_ASSERT(replayed.trace.hash == drawn.trace.hash);
    RC_ASSERT(replayed.fired == drawn.fired);
}

// A fault depends on its operation alone, so another manager's operations between do not change it.
RC_GTEST_PROP(run, a_draw_fires_no_more_than_it_may, (const mishap::fault_plan& plan))
{
    const run_result done = mishap::run(larger, plan);
    RC_ASSERT(done.fired.perturbations.size() <= plan.lazy->at_most);
}

// Nothing of a run is left for the next, whatever it was.
RC_GTEST_PROP(run, leaves_nothing_for_the_next, (const mishap::fault_plan& plan))
{
    static const auto fresh = mishap::run(larger, {}).trace.hash;
    mishap::run(larger, plan, {.limits = {.steps_max = *rc::gen::inRange<std::uint64_t>(1, 60)}});
    RC_ASSERT(mishap::run(larger, {}).trace.hash == fresh);
}

} // namespace
