// Goal: completes blames a manager that waits for ever where it promised not to, and nobody for the body's
// own waiting. Method: one operation hangs, under contracts that do and do not permit it; managers that wait
// for nothing at all.

#include "under_test.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace {

using namespace selftest;

contract unbounded_in(std::vector<phase> phases) { return {.unbounded = std::move(phases)}; }

TEST(completes, blames_hanging_in_create_without_a_promise)
{
    const run_result done = run_under("resource.create=hang", right, contract());
    EXPECT_TRUE(breaks_only(done, "completes"));
    EXPECT_EQ(sentence_of(done), "the caller waits for resource.create#1 for ever");
    EXPECT_EQ(done.trace.outcomes[0].ending, mishap::ending::hung);
}

TEST(completes, does_not_blame_hanging_in_create_where_that_is_declared)
{
    EXPECT_TRUE(holds(run_under("resource.create=hang", right, unbounded_in({phase::create}))));
    EXPECT_TRUE(breaks_only(
        run_under("resource.create=hang", right, unbounded_in({phase::close, phase::other})), "completes"));
}

TEST(completes, judges_close_likewise)
{
    EXPECT_TRUE(breaks_only(run_under("resource.close=hang", right, contract()), "completes"));
    EXPECT_TRUE(
        breaks_only(run_under("resource.close=hang", right, unbounded_in({phase::create})), "completes"));
    EXPECT_TRUE(holds(run_under("resource.close=hang", right, unbounded_in({phase::close}))));
}

// semantics (B): nobody but the body promised anything about its own work.
TEST(completes, does_not_blame_a_body_that_hangs_in_its_own_use)
{
    EXPECT_TRUE(holds(run_under("resource.use=hang", right, contract())));
    EXPECT_TRUE(holds(run_under("body=hang", right, contract())));
    EXPECT_EQ(
        run_under("resource.use=hang", right, contract()).trace.outcomes[0].ending, mishap::ending::hung);
}

TEST(completes, blames_a_managers_own_ping_that_hangs)
{
    const auto pings = [](environment&) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        std::exception_ptr error;
        try {
            co_await resource.maintain("ping");
        } catch (...) {
            error = std::current_exception();
        }
        resource.force_close();
        if (error)
            std::rethrow_exception(error);
    };
    EXPECT_TRUE(breaks_only(run_under("resource.ping=hang", pings, contract()), "completes"));
    EXPECT_TRUE(holds(run_under("resource.ping=hang", pings, unbounded_in({phase::other}))));
}

/// As a condition variable is waited for in Asio, and nobody notifies it.
awaitable<void> waits_for_nobody(environment& env)
{
    asio::steady_timer never(env.executor(), asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
}

TEST(completes, blames_waiting_for_what_is_no_operation)
{
    const run_result done = run_under("", waits_for_nobody, contract());
    EXPECT_TRUE(breaks_only(done, "completes"));
    EXPECT_EQ(sentence_of(done), "the caller waits for something that is no operation for ever");
    EXPECT_TRUE(holds(run_under("", waits_for_nobody, unbounded_in({phase::other}))));
}

TEST(completes, does_not_blame_a_body_that_waits_for_what_is_no_operation)
{
    const auto lends = [](environment& env) -> awaitable<void> {
        co_await env.body([&env]() -> awaitable<void> { return waits_for_nobody(env); })();
    };
    EXPECT_TRUE(holds(run_under("", lends, contract())));
}

TEST(completes, blames_a_client_that_does_not_end_when_it_is_cancelled)
{
    const auto deaf = [](environment& env) -> awaitable<void> {
        co_await shield();
        co_await waits_for_nobody(env);
    };
    EXPECT_TRUE(breaks_only(run_under("", deaf, contract()), "completes"));
    const run_result done = run_under("", deaf, unbounded_in({phase::other}));
    EXPECT_TRUE(breaks_only(done, "completes"));
    EXPECT_TRUE(sentence_of(done).starts_with("the caller never ended, although it was cancelled"));
}

// What follows a hang is its consequence: a leak behind it is no news.
TEST(completes, is_reported_alone)
{
    const auto leaks = [](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        co_await waits_for_nobody(env);
    };
    EXPECT_TRUE(breaks_only(run_under("", leaks, contract()), "completes"));
    EXPECT_TRUE(breaks_only(run_under("", leaks, unbounded_in({phase::other})), "closes_everything"));
}

TEST(completes, a_long_wait_is_not_for_ever)
{
    const auto patient_one = [](environment& env) -> awaitable<void> {
        asio::steady_timer timer(env.executor(), 23h);
        co_await timer.async_wait(asio::use_awaitable);
    };
    EXPECT_TRUE(holds(run_under("", patient_one, contract())));
    EXPECT_TRUE(holds(run_under("resource.create=delay(23h)", right, contract())));
}

} // namespace
