// SPDX-License-Identifier: MIT
// Goal: none of the correct session managers is blamed for anything. Method: sweeps of any two mishaps and
// random campaigns over each; and the very plan by which each is known, run once.

#include "correct_fakes.hpp"
#include "correct_sessions.hpp"

#include <mishap/error.hpp>

using mishap::awaitable;
using mishap::environment;
using mishap::Holds;
using mishap::manager;
using mishap::Returns;
using mishap::Throws;

namespace correct {

namespace {

const mishap::contract bounded{.time = {.create = open_timeout, .close = close_timeout}};

manager plain_session()
{
    const auto serve = [](environment& env) -> awaitable<void> {
        fake_session session;
        co_await with_session(session, env.body(), log_to(env));
    };
    return {"with_session", serve, bounded};
}

manager leased(mishap::duration grace)
{
    const auto serve = [](environment& env) -> awaitable<void> {
        const auto session = std::make_shared<fake_session>();
        co_await with_lease(session, env.body(), log_to(env));
    };
    mishap::contract promises = bounded;
    promises.time.grace = grace;
    return {"with_lease", serve, promises};
}

TEST(correct, a_lease_whose_destructor_starts_a_detached_close)
{
    expect_holds(leased(15s));
    EXPECT_THAT(mishap::sweep(leased(15s), {.perturbations = 2, .abandon = true}), Holds());
    EXPECT_THAT(run(leased(15s), "session.close=hang"), Holds());
    EXPECT_FALSE(run(leased(0s), "session.close=delay(30s)").holds()) << "without a grace";
}

TEST(correct, a_body_that_hangs_in_its_own_query)
{
    expect_holds(plain_session());
    EXPECT_THAT(run(plain_session(), "session.use=hang"), Holds());
}

TEST(correct, an_error_wrapped_with_its_cause_nested)
{
    const auto serve = [](environment& env) -> awaitable<void> {
        fake_session session;
        co_await with_wrapped_errors(session, env.body(), log_to(env));
    };
    const manager wrapping("with_wrapped_errors", serve, bounded);
    expect_holds(wrapping);
    EXPECT_THAT(run(wrapping, "session.use=fail(foreign) session.close=fail(io_error)"), Holds());
}

TEST(correct, a_graceful_shutdown_bounded_by_a_timer_and_then_forced)
{
    const auto serve = [](environment& env) -> awaitable<void> {
        fake_session session;
        co_await with_graceful_shutdown(session, env.body(), log_to(env));
    };
    const manager graceful("with_graceful_shutdown", serve, bounded);
    expect_holds(graceful);
    EXPECT_THAT(run(graceful, "session.close=hang"), Holds());
}

TEST(correct, a_time_out_by_cancelling_the_operation)
{
    const auto serve = [](environment& env) -> awaitable<void> {
        fake_session session;
        co_await with_deadlines_by_hand(session, env.body(), log_to(env));
    };
    const manager by_hand("with_deadlines_by_hand", serve, bounded);
    expect_holds(by_hand);
    EXPECT_THAT(run(by_hand, "session.create=hang"), AllOf(Holds(), Throws("timed_out")));
}

TEST(correct, a_create_whose_reply_is_lost)
{
    EXPECT_THAT(run(plain_session(), "session.create=fail_after_effect(io_error)"),
        AllOf(Holds(), Throws("io_error")));
    const auto result =
        mishap::sweep(plain_session(), {.perturbations = 2,
                                           .kinds = {mishap::fault::fail_after_effect("io_error"),
                                               mishap::fault::fail_after_effect("foreign"),
                                               mishap::fault::hang(), mishap::fault::cancel()}});
    EXPECT_THAT(result, Holds());
}

TEST(correct, a_structured_manager_whose_body_is_deaf)
{
    for (const char* plan : {"session.use=deaf", "session.use=deaf session.close=fail(io_error)",
             "session.use=deaf session.close=hang", "session.use=deaf cancel(c0 after session.create#1)"})
        EXPECT_THAT(run(plain_session(), plan), Holds()) << plan;
}

struct serialization_failure : std::runtime_error
{
    serialization_failure() : std::runtime_error("could not serialize access") {}
};

bool is_serialization_failure(const std::exception_ptr& error)
{
    try {
        std::rethrow_exception(error);
    } catch (const serialization_failure&) {
        return true;
    } catch (...) {
        return false;
    }
}

TEST(correct, a_replacement_created_after_an_abandoned_create)
{
    const auto serve = [](environment& env) -> awaitable<void> {
        co_await with_replacement<fake_session>(env.body(), log_to(env));
    };
    mishap::contract promises = bounded;
    promises.time.create = attempts_timeout;
    promises.attempts.create = 2;
    promises.work.survives_deaf = true;
    const manager replacing("with_replacement", serve, promises);
    expect_holds(replacing);
    for (const char* plan : {"session.create#1=late(7s)", "session.create#1=deaf session.create#2=deaf",
             "session.create#1=late(7s) session.create#2=hang",
             "session.create#1=late(20s) session.close#1=hang"})
        EXPECT_THAT(run(replacing, plan), Holds()) << plan;
}

TEST(correct, a_body_run_again_after_a_serialization_failure)
{
    mishap::register_error("serialization_failure", serialization_failure());
    const auto serve = [](environment& env) -> awaitable<void> {
        fake_session session;
        co_await with_retries(session, env.body(), &is_serialization_failure, log_to(env));
    };
    mishap::contract promises = bounded;
    promises.attempts.body = 3;
    const manager retrying("with_retries", serve, promises);
    expect_holds(retrying);
    const auto result = mishap::sweep(
        retrying, {.perturbations = 3,
                      .kinds = {mishap::fault::fail("serialization_failure"), mishap::fault::fail("io_error"),
                          mishap::fault::hang(), mishap::fault::cancel()}});
    EXPECT_THAT(result, Holds());
    EXPECT_THAT(
        run(retrying, "session.use#1=fail(serialization_failure) session.use#2=fail(serialization_failure)"),
        AllOf(Holds(), Returns()));
}

TEST(correct, a_completion_at_exactly_the_deadline)
{
    for (const char* plan : {"session.create=delay(30s)", "session.create=late(30s)",
             "session.close=delay(10s)", "session.create=delay(29999999us)",
             "session.create=late(30000001us)", "session.create=delay(30s) session.close=delay(10s)"})
        EXPECT_THAT(run(plain_session(), plan), Holds()) << plan;
}

TEST(correct, a_cancellation_after_the_bodys_last_suspension)
{
    for (const char* plan : {"cancel(c0 after session.use#1)", "cancel(c0 queued session.use#1)",
             "cancel(c0 before session.close#1)", "session.close=cancel", "cancel(c0 queued session.close#1)",
             "cancel(c0 after session.close#1)"})
        EXPECT_THAT(run(plain_session(), plan), Holds()) << plan;
}

TEST(correct, a_session_with_a_broken_connection_dropped_without_rollback)
{
    const auto serve = [](environment& env) -> awaitable<void> {
        fake_session session;
        co_await with_transaction(session, env.body(), log_to(env));
    };
    mishap::contract promises = bounded;
    promises.time.unbounded = {mishap::phase::other};
    const manager transaction("with_transaction", serve, promises);
    expect_holds(transaction);
    const auto result = mishap::sweep(
        transaction, {.perturbations = 2,
                         .kinds = {mishap::fault::fail("connection_reset"), mishap::fault::fail("io_error"),
                             mishap::fault::hang(), mishap::fault::cancel()}});
    EXPECT_THAT(result, Holds());
    const auto dropped = run(transaction, "session.use=fail(connection_reset)");
    EXPECT_THAT(dropped, AllOf(Holds(), Throws("connection_reset")));
    for (const mishap::operation_record& operation : dropped.trace.operations)
        EXPECT_NE(to_string(dropped.trace, operation), "session.rollback#1");
}

} // namespace

} // namespace correct
