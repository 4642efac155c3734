// SPDX-License-Identifier: MIT
// Goal: each flawed mutex is blamed by the rule that its flaw breaks, and its twin without a flaw holds
// everything. Method: sweeps of two perturbations, three clients of one session, cancelled at every step; and
// named plans in which a release and a cancellation fall together.

#include "blame.hpp"
#include "managers.hpp"

#include <mishap/error.hpp>
#include <mishap/gtest.hpp>
#include <mishap/run.hpp>

using namespace mutants;
using mishap::Holds;

namespace {

TEST(mutex, without_a_flaw_holds_everything)
{
    EXPECT_TRUE(holds(mutex_under_test(), 2));
    EXPECT_TRUE(holds(mutex_under_test(true), 1));
    EXPECT_TRUE(holds_staggered(mutex_under_test()));
    EXPECT_TRUE(holds_at_random(mutex_under_test(), 2000));
}

TEST(mutex, that_loses_a_wake_up)
{
    EXPECT_TRUE(is_blamed(
        mutex_under_test<mutex_flaw::loses_wake_up_of_cancelled_waiter>(), {"completes", "recovers"}));
}
TEST(mutex, that_leaves_a_cancelled_waiter_queued)
{
    EXPECT_TRUE(
        is_blamed(mutex_under_test<mutex_flaw::leaves_cancelled_waiter_queued>(), {"completes", "recovers"}));
}
TEST(mutex, that_swallows_a_cancellation)
{
    // With a deadline it would be harmless: the coroutine around it is cancelled, too.
    EXPECT_TRUE(is_blamed(
        mutex_under_test<mutex_flaw::swallows_cancellation_of_waiter>(true), {"swallows_no_error"}));
}
TEST(mutex, that_loses_the_lock_of_a_cancelled_newcomer)
{
    EXPECT_TRUE(is_blamed(
        mutex_under_test<mutex_flaw::loses_lock_of_cancelled_newcomer>(), {"completes", "recovers"}));
}
TEST(mutex, that_stays_locked_when_the_body_throws)
{
    EXPECT_TRUE(
        is_blamed(mutex_under_test<mutex_flaw::stays_locked_when_body_throws>(), {"completes", "recovers"}));
}
TEST(mutex, that_unlocks_twice_when_the_body_throws)
{
    EXPECT_TRUE(is_blamed(
        mutex_under_test<mutex_flaw::unlocks_twice_when_body_throws>(), {"exclusive", "within_capacity"}));
}
TEST(mutex, that_barges)
{
    EXPECT_TRUE(is_blamed_staggered(mutex_under_test<mutex_flaw::barges>(), mutex_under_test(), "fair"));
}
TEST(mutex, that_serves_the_last_waiter_first)
{
    EXPECT_TRUE(is_blamed(mutex_under_test<mutex_flaw::serves_last_waiter_first>(), {"fair"}));
}
TEST(mutex, that_lets_two_in)
{
    EXPECT_TRUE(is_blamed(mutex_under_test<mutex_flaw::lets_two_in>(), {"exclusive", "within_capacity"}));
}
TEST(mutex, that_resumes_the_waiter_inside_unlock)
{
    EXPECT_TRUE(is_blamed_staggered(
        mutex_under_test<mutex_flaw::resumes_inside_unlock>(), mutex_under_test(), "exclusive"));
}
TEST(mutex, that_waits_without_a_deadline)
{
    EXPECT_TRUE(
        is_blamed(mutex_under_test<mutex_flaw::waits_without_deadline>(), {"honours_timeout", "completes"}));
}

/// Client 0 releases the lock in the handler of its use. The cancellation of client 1, who is next in line,
/// strikes right before that handler or right after it, and always before client 1 has run.
constexpr auto cancelled_then_granted = "cancel(c1 queued c0/session.use#1)";
constexpr auto granted_then_cancelled = "cancel(c1 after c0/session.use#1)";

mishap::run_result run(const mishap::manager& under_test, const char* plan)
{
    return mishap::run(under_test, mishap::parse_plan(plan));
}

/// Client 1 was cancelled while client 0 still had the session, and never got it; client 2 did, at once.
void expect_handed_on(const mishap::run_result& done, bool cancelled_first)
{
    EXPECT_THAT(done, Holds());
    ASSERT_EQ(done.trace.bodies.size(), 3u) << mishap::timeline(done); // the third is a fresh client's
    const mishap::body_record& first = done.trace.bodies[0];
    const mishap::body_record& second = done.trace.bodies[1];
    EXPECT_EQ(first.lane, 0);
    EXPECT_EQ(second.lane, 2);
    EXPECT_EQ(done.trace.time_of(second.entered), mishap::duration(0));
    const mishap::outcome& cancelled = done.trace.outcomes[1];
    EXPECT_EQ(cancelled_first, cancelled.cancelled < first.left) << mishap::timeline(done);
    EXPECT_EQ(mishap::describe(cancelled.error), "operation_aborted") << mishap::timeline(done);
    EXPECT_EQ(done.trace.strikes.size(), 1u);
}

TEST(mutex, hands_on_the_lock_of_a_waiter_cancelled_just_before_it_is_granted)
{
    expect_handed_on(run(mutex_under_test(), cancelled_then_granted), true);
}

TEST(mutex, hands_on_the_lock_of_a_waiter_cancelled_just_after_it_is_granted)
{
    expect_handed_on(run(mutex_under_test(), granted_then_cancelled), false);
}

TEST(mutex, that_loses_a_wake_up_is_blamed_whichever_came_first)
{
    const auto flawed = mutex_under_test<mutex_flaw::loses_wake_up_of_cancelled_waiter>();
    EXPECT_THAT(run(flawed, cancelled_then_granted), mishap::Violates("completes"));
    EXPECT_THAT(run(flawed, granted_then_cancelled), mishap::Violates("completes"));
}

TEST(mutex, that_swallows_a_cancellation_is_blamed_whichever_came_first)
{
    const auto flawed = mutex_under_test<mutex_flaw::swallows_cancellation_of_waiter>(true);
    EXPECT_THAT(run(flawed, cancelled_then_granted), mishap::Violates("swallows_no_error"));
    EXPECT_THAT(run(flawed, granted_then_cancelled), mishap::Violates("swallows_no_error"));
}

} // namespace
