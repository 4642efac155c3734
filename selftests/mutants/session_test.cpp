// SPDX-License-Identifier: MIT
// Goal: each flawed session manager is blamed by the rule that its flaw breaks, and its two twins without a
// flaw hold everything. Method: sweeps of two perturbations, cancelled at every step; and named plans in
// which a second cancellation strikes during the clean-up after the first.

#include "blame.hpp"
#include "managers.hpp"

#include <mishap/gtest.hpp>
#include <mishap/run.hpp>

using namespace mutants;
using mishap::Holds;

namespace {

TEST(session, without_a_flaw_holds_everything)
{
    EXPECT_TRUE(holds(session_under_test(), 2));
    EXPECT_TRUE(holds_at_random(session_under_test(), 2000));
}
TEST(session, without_a_shield_holds_everything_where_it_closes_by_force)
{
    EXPECT_TRUE(holds(session_under_test<session_flaw::none_but_unshielded>(), 2));
    EXPECT_TRUE(holds_at_random(session_under_test<session_flaw::none_but_unshielded>(), 2000));
}

TEST(session, that_closes_unshielded)
{
    EXPECT_TRUE(is_blamed(session_under_test<session_flaw::closes_unshielded>(), {"closes_everything"}));
}
TEST(session, that_drops_its_shield_once_cancelled)
{
    EXPECT_TRUE(
        is_blamed(session_under_test<session_flaw::unshields_once_cancelled>(), {"closes_everything"}));
}
TEST(session, that_closes_without_a_deadline)
{
    EXPECT_TRUE(is_blamed(
        session_under_test<session_flaw::closes_without_deadline>(), {"completes", "honours_timeout"}));
}
TEST(session, that_closes_under_an_or_operator)
{
    EXPECT_TRUE(is_blamed(
        session_under_test<session_flaw::closes_under_or_operator>(), {"completes", "honours_timeout"}));
}
TEST(session, whose_close_error_replaces_the_body_error)
{
    EXPECT_TRUE(
        is_blamed(session_under_test<session_flaw::close_error_replaces_body_error>(), {"preserves_error"}));
}
TEST(session, that_closes_what_was_never_opened)
{
    EXPECT_TRUE(is_blamed(
        session_under_test<session_flaw::closes_what_was_never_opened>(), {"closes_only_what_exists"}));
}
TEST(session, that_skips_its_close_when_cancelled)
{
    EXPECT_TRUE(
        is_blamed(session_under_test<session_flaw::skips_close_when_cancelled>(), {"closes_everything"}));
}
TEST(session, that_skips_its_close_on_foreign_errors)
{
    EXPECT_TRUE(
        is_blamed(session_under_test<session_flaw::skips_close_on_foreign_errors>(), {"closes_everything"}));
}
TEST(session, that_swallows_a_cancellation)
{
    EXPECT_TRUE(is_blamed(session_under_test<session_flaw::swallows_cancellation>(), {"swallows_no_error"}));
}
TEST(session, that_loses_a_late_session)
{
    EXPECT_TRUE(is_blamed(session_under_test<session_flaw::loses_late_session>(), {"closes_everything"}));
}
TEST(session, that_leaves_a_timer_running)
{
    EXPECT_TRUE(is_blamed(session_under_test<session_flaw::leaves_timer_running>(), {"no_stray_work"}));
}

/// The body is cancelled, and so is, once more, the clean-up that follows.
constexpr auto cancelled_twice = "session.use#1=cancel session.close#1=cancel";

mishap::run_result run(const mishap::manager& under_test, const char* plan)
{
    return mishap::run(under_test, mishap::parse_plan(plan));
}

TEST(session, closes_although_its_clean_up_is_cancelled_once_more)
{
    const auto done = run(session_under_test(), cancelled_twice);
    EXPECT_THAT(done, Holds());
    ASSERT_EQ(done.fired.perturbations.size(), 2u) << mishap::timeline(done);
    const mishap::operation_record& close = done.trace.operations.back();
    EXPECT_EQ(close.role, mishap::role::close) << mishap::timeline(done);
    EXPECT_EQ(close.result, mishap::result::ok) << mishap::timeline(done);
}

TEST(session, without_a_shield_is_closed_by_force)
{
    const auto done = run(session_under_test<session_flaw::none_but_unshielded>(), "session.close#1=cancel");
    EXPECT_THAT(done, Holds());
    EXPECT_EQ(done.trace.operations.back().role, mishap::role::force_close) << mishap::timeline(done);
}

TEST(session, that_drops_its_shield_once_cancelled_is_blamed_for_the_second_cancellation_only)
{
    const auto flawed = session_under_test<session_flaw::unshields_once_cancelled>();
    EXPECT_THAT(run(flawed, "session.use#1=cancel"), Holds());
    EXPECT_THAT(run(flawed, "session.close#1=cancel"), Holds());
    EXPECT_THAT(run(flawed, cancelled_twice), mishap::Violates("closes_everything"));
}

} // namespace
