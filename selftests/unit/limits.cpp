// SPDX-License-Identifier: MIT
// Goal: the bounds of a run follow the contract and the plan where nobody gives them, scenarios give them,
// and counterexamples keep them.

#include "support/under_test.hpp"

#include <mishap/manager.hpp>
#include <mishap/report.hpp>
#include <mishap/scenario.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <gtest/gtest.h>

namespace {

using namespace selftest;

/// Naps for ever: has no end but the horizon.
awaitable<void> naps(environment& env)
{
    for (;;) {
        boost::asio::steady_timer timer(env.executor(), 1min);
        co_await timer.async_wait(boost::asio::use_awaitable);
        env.note("woke up");
        timer.expires_after(17s);
        co_await timer.async_wait(boost::asio::use_awaitable);
    }
}

awaitable<void> pauses(environment& env, mishap::duration how_long)
{
    boost::asio::steady_timer timer(env.executor(), how_long);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

} // namespace

TEST(limits, the_default_horizon_is_a_day_or_four_times_the_largest_deadline)
{
    const auto long_pause = [](environment& env) { return pauses(env, 25h); };
    EXPECT_TRUE(breaks_only(run_under("", long_pause, patient), "completes"));
    contract generous = patient;
    generous.time.other = 7h;
    EXPECT_TRUE(holds(run_under("", long_pause, generous)));
}

TEST(limits, the_default_horizon_lies_beyond_what_the_plan_delays)
{
    const auto uses = [](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        co_await env.body()(session);
        co_await session.close();
    };
    EXPECT_TRUE(holds(run_under("session.use=delay(2h)", uses, patient)));
}

TEST(limits, scenarios_give_them_and_counterexamples_keep_them)
{
    mishap::register_manager(mishap::manager("limits_naps", naps, patient));
    const auto s = mishap::parse_scenario(
        "mishap: 1\nmanager: limits_naps\nlimits: {horizon: 90s, steps_max: 500}\nfaults: {}\n", "naps.yaml");
    EXPECT_EQ(s.limits.horizon, 90s);
    EXPECT_EQ(s.limits.steps_max, 500u);
    mishap::counterexample broken;
    broken.invariant = "completes";
    broken.minimal = run_under("", naps, patient, s.limits);
    EXPECT_EQ(broken.minimal.trace.time_of(broken.minimal.trace.outcomes[0].stuck), 77s);
    EXPECT_NE(
        mishap::to_scenario(broken).find("limits:\n  horizon: 90s\n  steps_max: 500\n"), std::string::npos)
        << mishap::to_scenario(broken);
    EXPECT_THROW(mishap::parse_scenario(
                     "mishap: 1\nmanager: limits_naps\nlimits: {horizon: 0s}\nfaults: {}\n", "naps.yaml"),
        mishap::scenario_error);
}
