// SPDX-License-Identifier: MIT
// Goal: one_at_a_time blames operations that overlap on one resource, and no others.
// Method: managers that overlap two uses, a close and a use, and twins that do the same things in order.

#include "support/under_test.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace {

using namespace selftest;

using namespace boost::asio::experimental::awaitable_operators;

contract nothing_bounded() { return {.time = {.unbounded = {phase::create, phase::close, phase::other}}}; }

awaitable<void> two_uses_at_once(environment&)
{
    mock_resource resource;
    co_await resource.create();
    co_await (resource.use("read") && resource.use("write"));
    co_await resource.close();
}

TEST(one_at_a_time, blames_overlapping_uses)
{
    // They overlap in time only if the first one takes any.
    EXPECT_TRUE(breaks_only(
        run_under("resource.read=delay(1s)", two_uses_at_once, nothing_bounded()), "one_at_a_time"));
}

TEST(one_at_a_time, permits_them_where_they_are_declared_pipelined)
{
    contract pipelined = nothing_bounded();
    pipelined.work.pipelined = true;
    EXPECT_TRUE(holds(run_under("resource.read=delay(1s)", two_uses_at_once, pipelined)));
}

TEST(one_at_a_time, does_not_blame_one_after_the_other)
{
    const auto in_order = [](environment&) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        co_await resource.use("read");
        co_await resource.use("write");
        co_await resource.close();
    };
    EXPECT_TRUE(holds(run_under("resource.read=delay(1s)", in_order, nothing_bounded())));
}

TEST(one_at_a_time, blames_a_close_over_a_use_in_flight)
{
    const auto hasty = [](environment&) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        co_await (resource.use("read") && resource.close());
    };
    EXPECT_TRUE(run_under("resource.read=delay(1s)", hasty, nothing_bounded()).violates("one_at_a_time"));
}

TEST(one_at_a_time, does_not_blame_dropping_by_force)
{
    const auto drops = [](environment&) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        const auto drop = [&]() -> awaitable<void> {
            resource.force_close();
            co_return;
        };
        co_await (resource.use("read") && drop());
    };
    EXPECT_FALSE(run_under("resource.read=delay(1s)", drops, nothing_bounded()).violates("one_at_a_time"));
}

} // namespace
