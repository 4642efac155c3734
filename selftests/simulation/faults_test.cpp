// SPDX-License-Identifier: MIT
// Goal: what an operation does under the faults that other tests do not touch, and where a fault strikes that
// is written for many operations, or for the body before one. Method: a session with two queries; plans in
// the text form; outcome, ledger and verdict are looked at.

#include "simulate.hpp"

#include <mishap/error.hpp>
#include <mishap/explore.hpp>
#include <mishap/input_error.hpp>

#include <boost/asio/as_tuple.hpp>

#include <string>

namespace {

/// Looks at what it got before it lends it, or does not.
mishap::manager two_queries(bool looks)
{
    mishap::contract promises = nothing_promised();
    promises.work.uses = {"query", "query", "query"};
    return {"session",
        [looks](mishap::environment& env) -> mishap::awaitable<void> {
            mishap::mock_resource session("session");
            co_await session.create();
            if (looks && !session.usable())
                throw std::runtime_error("no session");
            std::exception_ptr error;
            try {
                co_await env.body()(session);
            } catch (...) {
                error = std::current_exception();
            }
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
            std::exception_ptr close_error;
            try {
                co_await session.close();
            } catch (...) {
                close_error = std::current_exception();
            }
            if (error || close_error)
                std::rethrow_exception(error ? error : close_error);
        },
        promises};
}

std::string faults_of(const mishap::run_result& run) { return mishap::to_string(run.fired); }

TEST(empty, yields_no_resource_and_is_noticed_or_not)
{
    const auto plan = mishap::parse_plan("session.create=empty");
    const auto careful = mishap::run(two_queries(true), plan);
    EXPECT_HOLDS(careful);
    EXPECT_EQ(careful.trace.resources[0].life, mishap::life::absent);
    EXPECT_EQ(faults_of(careful), "session.create=empty");
    const auto careless = mishap::run(two_queries(false), plan);
    EXPECT_TRUE(careless.violates("no_use_after_close")) << why(careless);
    EXPECT_TRUE(careless.violates("closes_only_what_exists")) << why(careless);
}

TEST(empty, is_for_creates_only)
{
    EXPECT_EQ(faults_of(mishap::run(two_queries(true), mishap::parse_plan("session.query=empty"))), "");
    const auto swept = mishap::sweep(two_queries(true), {.kinds = {mishap::fault::empty()}});
    EXPECT_TRUE(swept.holds()) << mishap::summary(swept);
    EXPECT_EQ(swept.fired, 1u) << mishap::summary(swept);
}

TEST(bad_alloc, is_thrown_where_the_operation_starts)
{
    const auto run = mishap::run(two_queries(true), mishap::parse_plan("session.query#2=bad_alloc"));
    EXPECT_HOLDS(run);
    ASSERT_TRUE(run.trace.outcomes[0].error);
    EXPECT_THROW(std::rethrow_exception(run.trace.outcomes[0].error), std::bad_alloc);
    for (const mishap::operation_record& op : run.trace.operations)
        if (op.id.occurrence == 2) {
            EXPECT_EQ(run.trace.events[op.started].step, run.trace.events[op.delivered].step);
        }
    EXPECT_EQ(mishap::describe(run.trace.outcomes[0].error), "bad_alloc");
    const auto body = mishap::run(two_queries(true), mishap::parse_plan("body=bad_alloc"));
    EXPECT_HOLDS(body);
    EXPECT_TRUE(body.trace.outcomes[0].error);
}

TEST(bad_alloc, arrives_as_a_code_where_codes_are_asked_for)
{
    const mishap::manager by_code(
        "by_code",
        [](mishap::environment&) -> mishap::awaitable<void> {
            mishap::mock_resource session("session");
            boost::system::error_code error;
            session.now(mishap::role::create, "create", error);
            if (error)
                throw boost::system::system_error(error);
            const auto code = co_await session.async<void(boost::system::error_code)>(
                mishap::role::use, "query", asio::as_tuple(asio::use_awaitable));
            session.now(mishap::role::close, "close", error);
            if (std::get<0>(code))
                throw boost::system::system_error(std::get<0>(code));
        },
        nothing_promised());
    for (const char* plan : {"session.create=bad_alloc", "session.query=bad_alloc"}) {
        const auto run = mishap::run(by_code, mishap::parse_plan(plan));
        EXPECT_HOLDS(run);
        EXPECT_NE(mishap::find_source(run.trace, run.trace.outcomes[0].error), mishap::none) << plan;
    }
}

TEST(patterns, strike_each_operation_that_fits)
{
    const auto fired = [](const char* plan) {
        return faults_of(mishap::run(two_queries(true), mishap::parse_plan(plan)));
    };
    EXPECT_EQ(fired("session.query#*=delay(1s)"),
        "session.query=delay(1s) session.query#2=delay(1s) session.query#3=delay(1s)");
    EXPECT_EQ(fired("session.query#2..=delay(1s)"), "session.query#2=delay(1s) session.query#3=delay(1s)");
    EXPECT_EQ(fired("session.query#1..2=delay(1s)"), "session.query=delay(1s) session.query#2=delay(1s)");
    EXPECT_EQ(fired("*/session.create=delay(1s)"), "session.create=delay(1s)");
    // The first that fits strikes.
    EXPECT_EQ(fired("session.query#2=ok_now session.query#*=delay(1s)"),
        "session.query=delay(1s) session.query#2=ok_now session.query#3=delay(1s)");
}

TEST(patterns, read_back_as_they_were_written)
{
    for (const char* plan : {"session.query#*=hang", "session.query#2..=hang", "session.query#2..5=hang",
             "*/session.query=hang", "*/session.query#3=hang", "*/session.query#*=hang",
             "c1/session.query#*=hang", "bg/session.create#2..=hang"})
        EXPECT_EQ(mishap::to_string(mishap::parse_plan(plan)), plan);
    EXPECT_EQ(mishap::to_string(mishap::parse_plan("session.query#2..2=hang")), "session.query#2=hang");
    for (const char* plan :
        {"session.query#..=hang", "session.query#5..2=hang", "session.query#2..x=hang",
            "session.query#**=hang", "**/session.query=hang", "*/=hang", "cancel(c0 queued session.query#*)"})
        EXPECT_THROW(mishap::parse_plan(plan), mishap::input_error) << plan;
}

TEST(body, fails_before_between_and_after_its_operations)
{
    struct expected
    {
        const char* plan;
        const char* queries;
    };
    for (const expected& e : {
             expected{"body=fail(io_error before session.query#1)", ""},
             expected{"body=fail(io_error before session.query#2)", "session.query#1 "},
             expected{"body=fail(io_error after session.query#2)", "session.query#1 session.query#2 "},
             expected{"body=fail(io_error)", "session.query#1 session.query#2 session.query#3 "},
         }) {
        const auto run = mishap::run(two_queries(true), mishap::parse_plan(e.plan));
        EXPECT_HOLDS(run);
        std::string queries;
        for (const mishap::operation_record& op : run.trace.operations)
            if (op.role == mishap::role::use && op.started != mishap::none)
                queries += mishap::to_string(op.id) + " ";
        EXPECT_EQ(queries, e.queries) << e.plan;
        EXPECT_TRUE(run.trace.outcomes[0].error) << e.plan;
    }
    const std::string canonical = "body=fail(io_error before session.query#2)";
    EXPECT_EQ(faults_of(mishap::run(two_queries(true), mishap::parse_plan(canonical))), canonical);
    // An operation of the manager's own is none of the body's.
    EXPECT_EQ(faults_of(mishap::run(
                  two_queries(true), mishap::parse_plan("body=fail(io_error before session.close)"))),
        "");
}

} // namespace
