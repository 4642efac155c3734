// SPDX-License-Identifier: MIT
// Goal: closes_once blames a second close, and allows what is none: a force_close after a close that did not
// succeed. Method: managers that close in one way after another.

#include "support/under_test.hpp"

namespace {

using namespace selftest;

enum class again
{
    never,
    close,
    force
};

/// Closes, and then, after the close ended as `on` says, closes in another way.
enum class on
{
    success,
    failure
};

mishap::adapter closing(on when, again how)
{
    return [when, how](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        std::exception_ptr error;
        try {
            co_await env.body()(resource);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        std::exception_ptr close_error;
        try {
            co_await resource.close();
        } catch (...) {
            close_error = std::current_exception();
        }
        if ((when == on::failure) == bool(close_error)) {
            if (how == again::close)
                co_await resource.close();
            else if (how == again::force)
                resource.force_close();
        }
        if (close_error)
            env.report(close_error);
        if (error)
            std::rethrow_exception(error);
    };
}

TEST(closes_once, does_not_blame_one_close)
{
    EXPECT_TRUE(holds_under_any_two_faults(closing(on::success, again::never)));
}

TEST(closes_once, blames_a_second_close)
{
    const run_result done = run_under("", closing(on::success, again::close));
    EXPECT_TRUE(breaks_only(done, "closes_once"));
    EXPECT_EQ(sentence_of(done), "resource#1 was closed twice");
}

TEST(closes_once, blames_a_second_close_after_one_that_failed)
{
    EXPECT_TRUE(breaks_only(
        run_under("resource.close=fail(io_error)", closing(on::failure, again::close)), "closes_once"));
}

// The second is a perturbation's target of its own: `#1.2`.
TEST(closes_once, the_second_close_has_a_name_of_its_own)
{
    const run_result done =
        run_under("resource.close#1.2=fail(io_error)", closing(on::success, again::close));
    EXPECT_TRUE(done.violates("closes_once"));
    EXPECT_EQ(to_string(done.fired), "resource.close#1.2=fail(io_error)");
}

TEST(closes_once, a_force_close_after_a_failed_close_is_right)
{
    EXPECT_TRUE(holds_under_any_two_faults(closing(on::failure, again::force)));
    const run_result done = run_under("resource.close=fail(io_error)", closing(on::failure, again::force));
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(done.trace.operations.back().role, mishap::role::force_close);
}

TEST(closes_once, a_force_close_after_a_successful_close_is_blamed)
{
    EXPECT_TRUE(breaks_only(run_under("", closing(on::success, again::force)), "closes_once"));
}

TEST(closes_once, blames_two_force_closes)
{
    const auto twice = [](environment&) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        resource.force_close();
        resource.force_close();
    };
    EXPECT_TRUE(breaks_only(run_under("", twice), "closes_once"));
}

TEST(closes_once, two_resources_are_closed_once_each)
{
    const auto two = [](environment&) -> awaitable<void> {
        mock_resource a;
        mock_resource b;
        co_await a.create();
        co_await b.create();
        co_await b.close();
        co_await a.close();
    };
    const run_result done = run_under("", two);
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(to_string(done.trace, done.trace.operations.back()), "resource.close#1");
}

// A reconnect: the same object, but another entry of the ledger.
TEST(closes_once, an_object_that_is_created_again_is_another_resource)
{
    const auto reconnects = [](environment&) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        co_await resource.close();
        co_await resource.create();
        co_await resource.close();
    };
    const run_result done = run_under("", reconnects);
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(to_string(done.trace, done.trace.operations.back()), "resource.close#2");
}

} // namespace
