// SPDX-License-Identifier: MIT
// Goal: reports_cleanup_errors blames who loses a close error beside another one, where the contract promises
// a report. Method: a manager that logs, and one that does not.

#include "support/under_test.hpp"

namespace {

using namespace selftest;

mishap::adapter logging(bool logs)
{
    return [logs](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        std::exception_ptr error;
        try {
            co_await env.body()(resource);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        try {
            co_await resource.close();
        } catch (...) {
            if (!error)
                throw;
            if (logs)
                env.report(std::current_exception());
        }
        if (error)
            std::rethrow_exception(error);
    };
}

contract promised()
{
    contract promises = patient;
    promises.errors.reports_cleanup = true;
    return promises;
}

constexpr std::string_view both_fail = "resource.use=fail(io_error) resource.close=fail(connection_reset)";

TEST(reports_cleanup_errors, blames_a_close_error_that_nobody_is_told_of)
{
    const run_result done = run_under(both_fail, logging(false), promised());
    EXPECT_TRUE(breaks_only(done, "reports_cleanup_errors"));
    EXPECT_EQ(sentence_of(done),
        "resource.close#1 failed while io_error (raised by resource.use#1) was on its way out, and the "
        "report sink was not told");
    EXPECT_TRUE(breaks_only(
        run_under("resource.use=cancel resource.close=fail(io_error)", logging(false), promised()),
        "reports_cleanup_errors"));
}

TEST(reports_cleanup_errors, holds_for_who_reports_it)
{
    EXPECT_TRUE(holds(run_under(both_fail, logging(true), promised())));
    EXPECT_TRUE(holds_under_any_two_faults(logging(true), promised()));
}

TEST(reports_cleanup_errors, demands_nothing_that_was_not_promised)
{
    EXPECT_TRUE(holds(run_under(both_fail, logging(false))));
}

// Whose close errors are reported when they stand alone has a report sink.
TEST(reports_cleanup_errors, holds_those_to_it_whose_close_errors_are_reported)
{
    contract reported = patient;
    reported.errors.close = mishap::close_error_policy::reported;
    EXPECT_TRUE(breaks_only(run_under(both_fail, logging(false), reported), "reports_cleanup_errors"));
    EXPECT_TRUE(holds(run_under(both_fail, logging(true), reported)));
}

// It is for errors beside another one: alone, it is raised.
TEST(reports_cleanup_errors, does_not_ask_for_a_report_of_what_is_raised)
{
    EXPECT_TRUE(holds(run_under("resource.close=fail(io_error)", logging(false), promised())));
}

} // namespace
