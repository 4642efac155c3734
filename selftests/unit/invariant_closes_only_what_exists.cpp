// SPDX-License-Identifier: MIT
// Goal: closes_only_what_exists blames a close of what never was open.
// Method: managers that close what failed to open, what never was asked to open, and what was given up.

#include "support/under_test.hpp"

namespace {

using namespace selftest;

/// The clean-up guards too much: it also closes what was not created.
mishap::adapter guarding(bool create_too, bool by_force)
{
    return [=](environment& env) -> awaitable<void> {
        mock_resource resource;
        bool created = false;
        std::exception_ptr error;
        try {
            co_await resource.create();
            created = true;
            co_await env.body()(resource);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        if (created || create_too) {
            if (by_force)
                resource.force_close();
            else
                co_await resource.close();
        }
        if (error)
            std::rethrow_exception(error);
    };
}

TEST(closes_only_what_exists, blames_a_close_of_what_failed_to_open)
{
    const run_result done = run_under("resource.create=fail(io_error)", guarding(true, false));
    EXPECT_TRUE(breaks_only(done, "closes_only_what_exists"));
    EXPECT_EQ(sentence_of(done), "resource.close#1 was started on a resource that never was open");
    EXPECT_TRUE(holds(run_under("resource.create=fail(io_error)", guarding(false, false))));
    EXPECT_TRUE(holds(run_under("", guarding(true, false))));
}

TEST(closes_only_what_exists, blames_a_force_close_likewise)
{
    EXPECT_TRUE(breaks_only(
        run_under("resource.create=fail(io_error)", guarding(true, true)), "closes_only_what_exists"));
    EXPECT_TRUE(holds_under_any_two_faults(guarding(false, true)));
}

TEST(closes_only_what_exists, blames_a_close_of_what_was_given_up)
{
    EXPECT_TRUE(
        breaks_only(run_under("resource.create=hang", guarding(true, false)), "closes_only_what_exists"));
    EXPECT_TRUE(holds(run_under("resource.create=hang", guarding(false, false))));
}

TEST(closes_only_what_exists, blames_a_close_that_no_create_came_before)
{
    const auto confused = [](environment&) -> awaitable<void> {
        mock_resource resource;
        co_await resource.close();
    };
    EXPECT_TRUE(breaks_only(run_under("", confused), "closes_only_what_exists"));
}

} // namespace
