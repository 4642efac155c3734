// SPDX-License-Identifier: MIT
// Goal: each flawed semaphore is blamed by the rule that its flaw breaks, and its twin without a flaw holds
// everything. Method: sweeps of two perturbations, each client with a session of its own, two clients more
// than there are permits, cancelled at every step.

#include "blame.hpp"
#include "managers.hpp"

using namespace mutants;

namespace {

TEST(semaphore, without_a_flaw_holds_everything)
{
    EXPECT_TRUE(holds(semaphore_under_test(1), 2));
    EXPECT_TRUE(holds(semaphore_under_test(2), 1));
    EXPECT_TRUE(holds_staggered(semaphore_under_test()));
    EXPECT_TRUE(holds_at_random(semaphore_under_test(2), 2000));
}

TEST(semaphore, that_returns_a_permit_without_waking)
{
    EXPECT_TRUE(
        is_blamed(semaphore_under_test<semaphore_flaw::returns_permit_without_waking>(), {"completes"}));
}
TEST(semaphore, that_leaves_a_cancelled_waiter_queued)
{
    EXPECT_TRUE(is_blamed(
        semaphore_under_test<semaphore_flaw::leaves_cancelled_waiter_queued>(), {"completes", "recovers"}));
}
TEST(semaphore, that_swallows_a_cancellation)
{
    EXPECT_TRUE(is_blamed(
        semaphore_under_test<semaphore_flaw::swallows_cancellation_of_waiter>(), {"swallows_no_error"}));
}
TEST(semaphore, that_counts_down_on_wake)
{
    EXPECT_TRUE(is_blamed_staggered(semaphore_under_test<semaphore_flaw::counts_down_on_wake>(),
        semaphore_under_test(), "within_capacity"));
}
TEST(semaphore, that_sleeps_without_looking_again)
{
    EXPECT_TRUE(is_blamed_staggered(semaphore_under_test<semaphore_flaw::sleeps_without_looking_again>(),
        semaphore_under_test(), "completes"));
}
TEST(semaphore, that_serves_the_last_waiter_first)
{
    EXPECT_TRUE(is_blamed(semaphore_under_test<semaphore_flaw::serves_last_waiter_first>(), {"fair"}));
}
TEST(semaphore, that_loses_a_permit_when_create_fails)
{
    EXPECT_TRUE(
        is_blamed(semaphore_under_test<semaphore_flaw::loses_permit_when_create_fails>(), {"recovers"}));
}
TEST(semaphore, that_loses_a_permit_when_create_is_cancelled)
{
    EXPECT_TRUE(is_blamed(
        semaphore_under_test<semaphore_flaw::loses_permit_when_create_is_cancelled>(), {"recovers"}));
}
TEST(semaphore, that_loses_a_permit_granted_at_the_deadline)
{
    EXPECT_TRUE(is_blamed(
        semaphore_under_test<semaphore_flaw::loses_permit_granted_at_the_deadline>(), {"recovers"}));
}
TEST(semaphore, that_releases_twice_when_the_body_throws)
{
    EXPECT_TRUE(is_blamed(
        semaphore_under_test<semaphore_flaw::releases_twice_when_body_throws>(), {"within_capacity"}));
}

} // namespace
