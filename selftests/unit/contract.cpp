// SPDX-License-Identifier: MIT
// Goal: a contract that cannot be meant says why.
// Method: each contradiction, and the contracts next to it that are fine.

#include <mishap/contract.hpp>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using mishap::contradiction;
using mishap::phase;

testing::AssertionResult contradicts(const mishap::contract& promises, std::string_view words)
{
    const std::string why = contradiction(promises);
    if (!why.empty() && why.find(words) != std::string::npos)
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << "'" << words << "' is not in '" << why << "'";
}

TEST(contract, the_default_can_be_meant) { EXPECT_EQ(contradiction({}), ""); }

TEST(contract, a_bounded_phase_is_not_unbounded)
{
    EXPECT_TRUE(contradicts(
        {.time = {.create = 5s, .unbounded = {phase::create}}}, "create phase has a timeout of 5s"));
    EXPECT_TRUE(contradicts({.time = {.close = 5s, .unbounded = {phase::create, phase::close}}},
        "close phase has a timeout of 5s"));
    EXPECT_TRUE(
        contradicts({.time = {.other = 5s, .unbounded = {phase::other}}}, "other phase has a timeout of 5s"));
    EXPECT_EQ(contradiction({.time = {.create = 5s, .unbounded = {phase::close}}}), "");
    EXPECT_EQ(contradiction({.time = {.other = 5s, .unbounded = {phase::close}}}), "");
}

TEST(contract, a_timeout_is_longer_than_nothing)
{
    EXPECT_TRUE(contradicts({.time = {.create = 0s}}, "create_timeout is 0s"));
    EXPECT_TRUE(contradicts({.time = {.close = -1ns}}, "close_timeout is negative"));
    EXPECT_TRUE(contradicts({.time = {.other = 0s}}, "other_timeout is 0s"));
    EXPECT_EQ(contradiction({.time = {.create = 1ns, .close = 1ns}}), "");
}

TEST(contract, what_breaks_is_not_kept)
{
    EXPECT_TRUE(
        contradicts({.work = {.keeps_broken = true, .cancelled_use_breaks = true}}, "say one of them"));
    EXPECT_EQ(contradiction({.work = {.keeps_broken = true}}), "");
    EXPECT_EQ(contradiction({.work = {.cancelled_use_breaks = true}}), "");
}

TEST(contract, a_body_has_an_attempt)
{
    EXPECT_TRUE(contradicts({.attempts = {.body = 0}}, "body_attempts is 0"));
    EXPECT_EQ(contradiction({.attempts = {.body = 2}}), "");
}

TEST(contract, timeout_errors_are_known)
{
    EXPECT_TRUE(contradicts({.time = {.errors = {}}}, "timeout_errors is empty"));
    EXPECT_TRUE(contradicts({.time = {.errors = {"timed_out", "timedout"}}}, "did you mean 'timed_out'?"));
    EXPECT_EQ(contradiction({.time = {.errors = {"timed_out", "io_error"}}}), "");
}

TEST(contract, unbounded_phases_are_found)
{
    const mishap::contract promises{.time = {.unbounded = {phase::close}}};
    EXPECT_TRUE(promises.is_unbounded(phase::close));
    EXPECT_FALSE(promises.is_unbounded(phase::create));
    EXPECT_FALSE(mishap::contract().is_unbounded(phase::body));
}

} // namespace
