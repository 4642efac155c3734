// SPDX-License-Identifier: MIT
// Goal: each flawed pool is blamed by the rule that its flaw breaks, and its twin without a flaw holds
// everything. Method: sweeps of two perturbations, clients cancelled at every step, two clients more than
// there is capacity.

#include "blame.hpp"
#include "managers.hpp"

using namespace mutants;

namespace {

TEST(pool, without_a_flaw_holds_everything)
{
    EXPECT_TRUE(holds(pool_under_test(1), 2));
    EXPECT_TRUE(holds(pool_under_test(2), 1));
}

template <flaw Flaw>
void expect_blamed(const std::vector<std::string>& rules)
{
    EXPECT_TRUE(is_blamed(pool_under_test<Flaw>(), rules));
}

TEST(pool, that_leaks_a_slot_when_create_fails)
{
    expect_blamed<flaw::leaks_slot_when_create_fails>({"recovers"});
}
TEST(pool, that_creates_beyond_its_capacity)
{
    expect_blamed<flaw::creates_beyond_capacity>({"within_capacity"});
}
TEST(pool, that_loses_a_wake_up)
{
    expect_blamed<flaw::loses_wake_up_of_cancelled_waiter>({"completes", "honours_timeout", "recovers"});
}
TEST(pool, that_leaves_a_timed_out_waiter_queued)
{
    expect_blamed<flaw::leaves_timed_out_waiter_queued>({"recovers", "closes_everything"});
}
TEST(pool, that_recycles_broken_connections) { expect_blamed<flaw::recycles_broken>({"discards_broken"}); }
TEST(pool, that_discards_without_waking)
{
    expect_blamed<flaw::discards_without_waking>({"completes", "honours_timeout", "recovers"});
}
TEST(pool, that_wakes_nobody_when_create_fails)
{
    expect_blamed<flaw::fails_to_create_without_waking>({"completes"});
}
TEST(pool, that_gives_back_twice) { expect_blamed<flaw::gives_back_twice>({"exclusive", "closes_once"}); }
TEST(pool, that_waits_without_a_deadline)
{
    expect_blamed<flaw::waits_without_deadline>({"honours_timeout", "completes"});
}
TEST(pool, that_closes_unshielded) { expect_blamed<flaw::closes_unshielded>({"closes_everything"}); }
TEST(pool, that_drops_its_idle_connections)
{
    expect_blamed<flaw::drops_idle_at_shutdown>({"closes_everything"});
}
TEST(pool, that_swallows_a_cancellation)
{
    expect_blamed<flaw::swallows_cancellation_of_waiter>({"swallows_no_error"});
}
TEST(pool, that_serves_the_last_waiter_first) { expect_blamed<flaw::serves_last_waiter_first>({"fair"}); }

} // namespace
