// SPDX-License-Identifier: MIT
// Goal: no_use_after_close blames a use that starts on a resource that is closing or closed.
// Method: one call too late, in each of the ways to call.

#include "support/under_test.hpp"

namespace {

using namespace selftest;

/// Closes, and then does `late` with the resource.
template <class Late>
mishap::adapter closing_before(Late late)
{
    return [late](environment&) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        co_await resource.close();
        co_await late(resource);
    };
}

TEST(no_use_after_close, blames_a_use)
{
    const run_result done = run_under("", closing_before([](mock_resource& r) { return r.use("query"); }));
    EXPECT_TRUE(breaks_only(done, "no_use_after_close"));
    EXPECT_EQ(sentence_of(done), "resource.query#1 was started after resource.close#1");
}

TEST(no_use_after_close, blames_the_managers_own_maintenance)
{
    EXPECT_TRUE(
        breaks_only(run_under("", closing_before([](mock_resource& r) { return r.maintain("ping"); })),
            "no_use_after_close"));
}

TEST(no_use_after_close, blames_a_use_after_a_close_that_failed)
{
    const auto uses = [](environment&) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        std::exception_ptr error;
        try {
            co_await resource.close();
        } catch (...) {
            error = std::current_exception();
        }
        co_await resource.use("query");
        if (error)
            std::rethrow_exception(error);
    };
    EXPECT_TRUE(breaks_only(run_under("resource.close=fail(io_error)", uses), "no_use_after_close"));
}

TEST(no_use_after_close, blames_a_use_after_a_force_close)
{
    const auto uses = [](environment&) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        resource.force_close();
        co_await resource.use("query");
    };
    EXPECT_TRUE(breaks_only(run_under("", uses), "no_use_after_close"));
}

TEST(no_use_after_close, does_not_blame_uses_before)
{
    const auto uses = [](environment&) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        co_await resource.maintain("ping");
        co_await resource.use("query");
        co_await resource.close();
    };
    EXPECT_TRUE(holds(run_under("", uses)));
    EXPECT_TRUE(holds_under_any_two_faults(right));
}

// Another resource of the same kind may be used as long as it likes.
TEST(no_use_after_close, looks_at_each_resource_by_itself)
{
    const auto two = [](environment&) -> awaitable<void> {
        mock_resource a;
        mock_resource b;
        co_await a.create();
        co_await b.create();
        co_await a.close();
        co_await b.use("query");
        co_await b.close();
    };
    EXPECT_TRUE(holds(run_under("", two)));
}

} // namespace
