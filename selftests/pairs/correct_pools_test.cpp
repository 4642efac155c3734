// SPDX-License-Identifier: MIT
// Goal: none of the correct managers of shared connections is blamed for anything. Method: sweeps of any two
// mishaps and random campaigns over each; and the very plan by which each is known, run once.

#include "correct_fakes.hpp"
#include "correct_pools.hpp"

using mishap::awaitable;
using mishap::client;
using mishap::environment;
using mishap::Holds;
using mishap::manager;

namespace correct {

namespace {

manager kept(bool deaf = false)
{
    const auto serve = [](environment& env) -> awaitable<void> {
        kept_connection<fake_session> kept(env.executor(), log_to(env));
        kept.start();
        co_await env.clients(
            [&](client& one) -> awaitable<void> { co_await kept.with_connection(one.body()); });
        co_await kept.shut_down();
    };
    return {"kept_connection", serve,
        {.time = {.create = 5s, .close = close_timeout, .acquire = 30s},
            .capacity = {.resources = 1, .clients = 2},
            .work = {.cancelled_use_breaks = true, .survives_deaf = deaf}}};
}

TEST(correct, a_pool_that_reconnects_in_the_background)
{
    expect_holds(kept(), 2000);
    EXPECT_THAT(run(kept(), "c0/session.use=fail(connection_reset)"), Holds());
}

TEST(correct, a_replacement_for_an_abandoned_create_that_arrives_late)
{
    EXPECT_TRUE(mutants::holds(kept(true), 2));
    for (const char* plan : {"bg/session.create#1=late(7s)", "bg/session.create#1=deaf",
             "bg/session.create#1=late(5s) bg/session.create#2=late(9s)",
             "bg/session.create#1=late(7s) bg/session.close#1=hang"})
        EXPECT_THAT(run(kept(true), plan), Holds()) << plan;
}

TEST(correct, a_health_check_that_replaces_a_dead_connection)
{
    const auto serve = [](environment& env) -> awaitable<void> {
        checked_connection<fake_session> checked(env.executor(), log_to(env));
        co_await env.clients(
            [&](client& one) -> awaitable<void> { co_await checked.with_connection(one.body()); });
        co_await checked.shut_down();
    };
    const manager checked("checked_connection", serve,
        {.time = {.create = open_timeout, .close = close_timeout, .unbounded = {mishap::phase::acquire}},
            .capacity = {.resources = 1, .clients = 2},
            .work = {.cancelled_use_breaks = true}});
    expect_holds(checked, 2000);
    EXPECT_THAT(run(checked, "c1/session.ping=fail(connection_reset)"), Holds());
}

TEST(correct, counters_updated_in_the_resumed_coroutine)
{
    const auto serve = [](environment& env) -> awaitable<void> {
        counted_sessions<fake_session> counted(log_to(env));
        const auto counter = env.statistics("session.open", [&counted] { return counted.open(); });
        co_await env.clients(
            [&](client& one) -> awaitable<void> { co_await counted.with_session(one.body()); });
    };
    expect_holds({"counted_sessions", serve,
                     {.time = {.create = open_timeout, .close = close_timeout}, .capacity = {.clients = 2}}},
        2000);
}

TEST(correct, a_multiplexed_connection_lent_to_several)
{
    const auto serve = [](environment& env) -> awaitable<void> {
        multiplexed<fake_session> shared(env.executor(), log_to(env));
        co_await env.clients(
            [&](client& one) -> awaitable<void> { co_await shared.with_channel(one.body()); });
        co_await shared.shut_down();
    };
    const manager shared("multiplexed", serve,
        {.time = {.create = open_timeout, .close = close_timeout, .unbounded = {mishap::phase::acquire}},
            .capacity = {.clients = 3, .shared = true},
            .work = {.pipelined = true}});
    expect_holds(shared, 2000);
    EXPECT_THAT(run(shared, "c0/session.use=fail(connection_reset)"), Holds());
}

} // namespace

} // namespace correct
