// SPDX-License-Identifier: MIT
// Goal: closes_everything blames whoever leaves a resource behind, and nobody who closes it in some way that
// counts. Method: wrong managers, each one edit away from `right`, and their right twins.

#include "support/under_test.hpp"

#include "shared/with_deadline.hpp"

namespace {

using namespace selftest;

awaitable<void> never_closes(environment& env)
{
    mock_resource resource;
    co_await resource.create();
    co_await env.body()(resource);
}

TEST(closes_everything, blames_a_manager_that_never_closes)
{
    const run_result done = run_under("", never_closes);
    EXPECT_TRUE(breaks_only(done, "closes_everything"));
    EXPECT_EQ(sentence_of(done), "resource#1 was created but never closed");
}

TEST(closes_everything, does_not_blame_the_right_one)
{
    EXPECT_TRUE(holds(run_under("", right)));
    EXPECT_TRUE(holds_under_any_two_faults(right));
}

// Nothing was created, so nothing is owed.
TEST(closes_everything, a_failed_create_leaves_nothing_behind)
{
    EXPECT_TRUE(holds(run_under("resource.create=fail(io_error)", never_closes)));
    EXPECT_TRUE(holds(run_under("resource.create=hang", never_closes)));
}

awaitable<void> closes_after_success_only(environment& env)
{
    mock_resource resource;
    co_await resource.create();
    co_await env.body()(resource);
    co_await resource.close();
}

TEST(closes_everything, blames_a_leak_on_the_error_path)
{
    EXPECT_TRUE(holds(run_under("", closes_after_success_only)));
    EXPECT_TRUE(breaks_only(
        run_under("resource.use=fail(io_error)", closes_after_success_only), "closes_everything"));
    EXPECT_TRUE(breaks_only(run_under("body=fail(foreign)", closes_after_success_only), "closes_everything"));
    EXPECT_TRUE(breaks_only(run_under("resource.use=hang", closes_after_success_only), "closes_everything"));
}

/// Catches, but forgets that a cancelled coroutine throws at its next co_await.
awaitable<void> closes_unshielded(environment& env)
{
    mock_resource resource;
    co_await resource.create();
    std::exception_ptr error;
    try {
        co_await env.body()(resource);
    } catch (...) {
        error = std::current_exception();
    }
    co_await resource.close();
    if (error)
        std::rethrow_exception(error);
}

TEST(closes_everything, blames_a_close_that_the_clients_cancellation_strikes_before_it_starts)
{
    EXPECT_TRUE(breaks_only(run_under("resource.use=hang", closes_unshielded), "closes_everything"));
    EXPECT_TRUE(holds(run_under("resource.use=hang", right)));
}

TEST(closes_everything, blames_a_close_that_the_clients_cancellation_strikes_while_it_runs)
{
    const run_result done = run_under("resource.close=hang", closes_unshielded);
    EXPECT_TRUE(breaks_only(done, "closes_everything"));
    EXPECT_TRUE(sentence_of(done).starts_with("the close of resource#1 was cancelled before it ended"));
    EXPECT_TRUE(holds(run_under("resource.close=hang", right)));
}

TEST(closes_everything, a_close_that_failed_counts)
{
    EXPECT_TRUE(holds(run_under("resource.close=fail(io_error)", right)));
}

TEST(closes_everything, a_force_close_counts)
{
    const auto drops = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        std::exception_ptr error;
        try {
            co_await env.body()(resource);
        } catch (...) {
            error = std::current_exception();
        }
        resource.force_close();
        if (error)
            std::rethrow_exception(error);
    };
    EXPECT_TRUE(holds_under_any_two_faults(drops));
}

/// Gives a close up after five seconds, and drops what did not close, or not.
mishap::adapter closing(bool forces)
{
    return [forces](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        const auto close = [&]() -> awaitable<void> {
            try {
                co_await catalogue::with_deadline([&] { return resource.close(); }, 5s);
            } catch (...) {
                if (forces)
                    resource.force_close();
                env.report(std::current_exception());
            }
        };
        co_await with_cleanup([&] { return env.body()(resource); }, close);
    };
}

TEST(closes_everything, blames_what_is_not_forced_to_close_where_that_is_promised)
{
    const contract silent{.time = {.close = 5s, .unbounded = {phase::create}}};
    contract promises = silent;
    promises.closing.forced = true;
    for (const char* plan : {"resource.close=fail(io_error)", "resource.close=hang"}) {
        const run_result done = run_under(plan, closing(false), promises);
        EXPECT_TRUE(breaks_only(done, "closes_everything")) << plan;
        EXPECT_EQ(sentence_of(done), "the close of resource#1 came to nothing, and no force_close followed");
        EXPECT_TRUE(holds(run_under(plan, closing(true), promises))) << plan;
        EXPECT_TRUE(holds(run_under(plan, closing(false), silent))) << plan;
    }
    EXPECT_TRUE(holds(run_under("", closing(false), promises)));
    EXPECT_TRUE(holds_under_any_two_faults(closing(true), promises));
}

awaitable<void> create_two(environment& env, bool guard_the_first)
{
    mock_resource first("first");
    mock_resource second("second");
    co_await first.create();
    std::exception_ptr error;
    if (guard_the_first) {
        try {
            co_await second.create();
        } catch (...) {
            error = std::current_exception();
        }
    } else {
        co_await second.create();
    }
    if (!error) {
        try {
            co_await env.body()(second);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        second.force_close();
    }
    first.force_close();
    if (error)
        std::rethrow_exception(error);
}

// The client was cancelled, but what ended its close was a deadline.
TEST(closes_everything, counts_a_close_that_was_given_up_later_than_its_client)
{
    const auto closing_at = [](bool shielded) -> mishap::adapter {
        return [shielded](environment& env) -> awaitable<void> {
            mock_resource resource;
            co_await resource.create();
            const auto close = [&]() -> awaitable<void> {
                if (!shielded)
                    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
                try {
                    co_await catalogue::with_deadline([&] { return resource.close(); }, 2s);
                } catch (...) {
                    env.report(std::current_exception());
                }
            };
            co_await with_cleanup([&] { return env.body()(resource); }, close);
        };
    };
    EXPECT_TRUE(holds(run_under("resource.use=hang resource.close=hang", closing_at(true), patient)));
    EXPECT_TRUE(holds(run_under("resource.use=cancel resource.close=hang", closing_at(true), patient)));
    EXPECT_TRUE(breaks_first(
        run_under("resource.use=fail(io_error) resource.close=cancel", closing_at(false), patient),
        "closes_everything"));
}

// Each of several is looked at, not only the last.
TEST(closes_everything, blames_the_first_of_two_that_is_left_when_the_second_fails)
{
    const auto guarded = [](environment& env) { return create_two(env, true); };
    const auto unguarded = [](environment& env) { return create_two(env, false); };
    const run_result done = run_under("second.create=fail(io_error)", unguarded);
    EXPECT_TRUE(breaks_only(done, "closes_everything"));
    EXPECT_EQ(sentence_of(done), "first#1 was created but never closed");
    EXPECT_TRUE(holds_under_any_two_faults(guarded));
}

TEST(closes_everything, says_where_it_was_dropped)
{
    const run_result done = run_under("", never_closes);
    ASSERT_EQ(done.verdict.violations.size(), 1u);
    bool destroyed = false;
    for (const auto& proof : done.verdict.violations.front().proof)
        destroyed = destroyed || done.trace.events[proof.event].kind == mishap::event_kind::destroyed;
    EXPECT_TRUE(destroyed);
}

} // namespace
