// SPDX-License-Identifier: MIT
// Goal: a run ends in a known way, whatever the manager leaves behind, and the next run is not touched by it.
// Method: managers that leave work, loop, throw and hang; the verdict names what was left.

#include "simulate.hpp"

#include <mishap/explore.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/redirect_error.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace {

TEST(no_stray_work, names_a_detached_coroutine_that_waits_for_ever)
{
    const auto leave_one = [](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto channel =
            std::make_shared<asio::experimental::channel<void(boost::system::error_code)>>(executor, 0);
        asio::co_spawn(
            executor,
            [channel]() -> asio::awaitable<void> {
                co_await channel->async_receive(asio::as_tuple(asio::use_awaitable));
            },
            asio::detached);
    };
    const auto run = simulate(leave_one);
    ASSERT_EQ(run.verdict.violations.size(), 1u) << why(run);
    EXPECT_EQ(run.verdict.violations[0].invariant, "no_stray_work");
    EXPECT_NE(run.verdict.violations[0].sentence.find("lane c0 started in step"), std::string::npos);
    EXPECT_TRUE(simulate(leave_one).violates("no_stray_work")); // and again, on a world as new
    EXPECT_HOLDS(simulate([](mishap::resource&) -> asio::awaitable<void> { co_return; }));
}

TEST(no_stray_work, names_a_timer_that_is_still_pending)
{
    const auto run = simulate([](mishap::resource&) -> asio::awaitable<void> {
        auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor, 1h);
        timer->async_wait([timer](boost::system::error_code) {});
    });
    EXPECT_TRUE(run.violates("no_stray_work")) << why(run);
    EXPECT_EQ(run.trace.events.back().at, 0s);
}

TEST(grace, permits_a_detached_close_of_known_length)
{
    // A lease whose destructor closes in the background.
    const mishap::manager lease(
        "lease",
        [](mishap::environment&) -> mishap::awaitable<void> {
            const auto executor = co_await asio::this_coro::executor;
            auto session = std::make_shared<mishap::mock_resource>("session");
            co_await session->create();
            asio::co_spawn(
                executor, [session]() -> asio::awaitable<void> { co_await session->close(); },
                asio::detached);
        },
        nothing_promised());
    const auto slow_close = mishap::parse_plan("session.close=delay(2s)");
    mishap::contract promises = nothing_promised();
    // The delay arrives in any case; what outlives the grace is a matter of the contract.
    for (const auto too_short : {0s, 1s}) {
        promises.time.grace = too_short;
        const auto beyond = mishap::run(lease, slow_close, {.contract = promises});
        ASSERT_EQ(beyond.verdict.violations.size(), 1u) << why(beyond);
        EXPECT_EQ(beyond.verdict.violations[0].invariant, "no_stray_work");
        EXPECT_EQ(beyond.verdict.violations[0].sentence,
            "session.close#1 was left under way when everybody had ended");
    }
    promises.time.grace = 3s;
    const auto within = mishap::run(lease, slow_close, {.contract = promises});
    EXPECT_HOLDS(within);
    const auto at_once = mishap::run(lease, {}, {.contract = nothing_promised()});
    EXPECT_HOLDS(at_once);
}

TEST(grace, lets_time_pass_for_the_managers_own_timers)
{
    const auto lingering = [](mishap::resource&) -> asio::awaitable<void> {
        auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor, 5s);
        timer->async_wait([timer](boost::system::error_code) {});
    };
    mishap::contract promises = nothing_promised();
    EXPECT_TRUE(simulate(lingering, {}, {.contract = promises}).violates("no_stray_work"));
    promises.time.grace = 4s;
    EXPECT_TRUE(simulate(lingering, {}, {.contract = promises}).violates("no_stray_work"));
    promises.time.grace = 5s;
    EXPECT_HOLDS(simulate(lingering, {}, {.contract = promises}));
}

TEST(late_arrivals, arrive_before_the_run_is_judged)
{
    // The client gives up waiting without asking the creation to stop; what arrives is never closed.
    const mishap::manager abandons(
        "abandons",
        [](mishap::environment& env) -> mishap::awaitable<void> {
            auto session = std::make_shared<mishap::mock_resource>("session");
            asio::co_spawn(
                env.executor(), [session]() -> asio::awaitable<void> { co_await session->create(); },
                asio::detached);
            co_await asio::post(asio::use_awaitable);
        },
        nothing_promised());
    const auto run = mishap::run(abandons, mishap::parse_plan("session.create=delay(9s)"));
    EXPECT_TRUE(run.violates("closes_everything")) << why(run);
    EXPECT_EQ(run.trace.events.back().at, 9s);
}

TEST(livelock, is_a_verdict_and_not_a_hang)
{
    const auto run = simulate(
        [](mishap::resource&) -> asio::awaitable<void> {
            for (;;)
                co_await asio::post(asio::use_awaitable);
        },
        {}, {.limits = {.steps_max = 1'000}});
    ASSERT_EQ(run.verdict.violations.size(), 1u) << why(run);
    EXPECT_EQ(run.verdict.violations[0].invariant, "livelock");
}

TEST(livelock, on_the_io_context_itself_is_one_too)
{
    const auto run = simulate(
        [](mishap::resource&) -> asio::awaitable<void> {
            asio::io_context& io = mishap::environment::current().context();
            std::function<void()> again = [&] { asio::post(io, again); };
            again();
            co_await asio::steady_timer(io, 1s).async_wait(asio::use_awaitable);
        },
        {}, {.limits = {.steps_max = 1'000}});
    EXPECT_TRUE(run.violates("livelock")) << why(run);
}

TEST(rest, comes_long_before_the_horizon_where_only_a_timer_ticks)
{
    const auto ticks = [](mishap::resource& session) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        asio::co_spawn(
            executor,
            [executor]() -> asio::awaitable<void> {
                for (;;)
                    co_await asio::steady_timer(executor, 1min).async_wait(asio::use_awaitable);
            },
            asio::detached);
        co_await session.use("query");
    };
    const auto run = simulate(ticks, mishap::parse_plan("session.query=hang"), {});
    ASSERT_NE(run.trace.outcomes[0].stuck, mishap::none);
    EXPECT_GT(run.trace.time_of(run.trace.outcomes[0].stuck), 20min);
    EXPECT_LE(run.trace.time_of(run.trace.outcomes[0].stuck), 1h);
}

/// Pings its session every so often until it is told to stop, as a keep-alive does; a ping may fail each
/// time.
mishap::awaitable<void> keep_alive(
    mishap::mock_resource& session, asio::steady_timer& timer, mishap::duration every)
{
    boost::system::error_code stopped;
    while (!stopped) {
        timer.expires_after(every);
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, stopped));
        if (!stopped)
            co_await session.maintain("ping");
    }
}

/// One session with a keep-alive beside its body. A manager that is right, whatever hangs in the body.
mishap::awaitable<void> beside_a_keep_alive(mishap::environment& env, mishap::duration every)
{
    mishap::mock_resource session("session");
    co_await session.create();
    asio::steady_timer timer(env.executor());
    bool pinging = true;
    asio::steady_timer over(env.executor(), asio::steady_timer::time_point::max());
    asio::co_spawn(env.executor(), keep_alive(session, timer, every), [&](const std::exception_ptr&) {
        pinging = false;
        over.cancel();
    });
    std::exception_ptr error;
    try {
        co_await env.body()(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    timer.cancel();
    boost::system::error_code ignored;
    if (pinging)
        co_await over.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    co_await session.close();
    if (error)
        std::rethrow_exception(error);
}

TEST(rest, comes_soon_where_only_a_keep_alive_is_left)
{
    mishap::contract promises = nothing_promised();
    for (const mishap::duration every :
        {mishap::duration(100ms), mishap::duration(1s), mishap::duration(10s)}) {
        const mishap::manager pinged(
            "pinged", [every](mishap::environment& env) { return beside_a_keep_alive(env, every); },
            promises);
        const auto run = mishap::run(pinged, mishap::parse_plan("session.use=hang"));
        EXPECT_HOLDS(run);
        ASSERT_NE(run.trace.outcomes[0].stuck, mishap::none);
        EXPECT_GT(run.trace.time_of(run.trace.outcomes[0].stuck), 1min);
        EXPECT_LT(run.trace.time_of(run.trace.outcomes[0].stuck), 15min);
        ASSERT_FALSE(run.trace.ticks.empty());
        EXPECT_EQ(run.trace.ticks[0].every, every);
    }
}

TEST(rest, does_not_come_before_a_deadline_of_the_contract)
{
    mishap::contract promises = nothing_promised();
    promises.time.use = 2h;
    const mishap::manager pinged(
        "pinged", [](mishap::environment& env) { return beside_a_keep_alive(env, 1s); }, promises);
    const auto run = mishap::run(pinged, mishap::parse_plan("session.use=hang"));
    EXPECT_TRUE(run.violates("completes")) << why(run);
    ASSERT_NE(run.trace.outcomes[0].stuck, mishap::none);
    EXPECT_GT(run.trace.time_of(run.trace.outcomes[0].stuck), 2h);
}

TEST(rest, does_not_come_while_fresh_clients_have_time_to_be_served)
{
    const auto serve_within = [](mishap::duration recovery) {
        mishap::contract promises = nothing_promised();
        promises.capacity.clients = 2;
        promises.capacity.shared = true;
        promises.time.recovery = recovery;
        // Serves each client five minutes late, beside a heartbeat.
        const mishap::manager slow(
            "slow",
            [](mishap::environment& env) -> mishap::awaitable<void> {
                mishap::mock_resource session("session");
                co_await session.create();
                asio::steady_timer beats(env.executor());
                asio::co_spawn(env.executor(), keep_alive(session, beats, 1s), asio::detached);
                co_await env.clients([&](mishap::client& one) -> mishap::awaitable<void> {
                    asio::steady_timer pause(env.executor(), 5min);
                    co_await pause.async_wait(asio::use_awaitable);
                    co_await one.body()(session);
                });
                beats.cancel();
                co_await session.close();
            },
            promises);
        return mishap::run(slow, {});
    };
    EXPECT_HOLDS(serve_within(10min));
    EXPECT_FALSE(serve_within(1min).holds());
}

TEST(rest, does_not_come_while_something_slow_is_under_way)
{
    const mishap::manager pinged(
        "pinged", [](mishap::environment& env) { return beside_a_keep_alive(env, 1s); }, nothing_promised());
    const auto run = mishap::run(pinged, mishap::parse_plan("session.use=delay(3h)"));
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.outcomes[0].ending, mishap::ending::returned);
}

TEST(rest, finds_a_client_that_is_never_woken_beside_a_tick)
{
    mishap::contract promises = nothing_promised();
    promises.capacity.clients = 2;
    const auto run_with = [&](bool forgets) {
        const mishap::manager gate(
            "gate",
            [forgets](mishap::environment& env) -> mishap::awaitable<void> {
                mishap::mock_resource session("session");
                co_await session.create();
                asio::steady_timer ticks(env.executor());
                asio::co_spawn(env.executor(), keep_alive(session, ticks, 1s), asio::detached);
                asio::steady_timer turn(env.executor(), asio::steady_timer::time_point::max());
                bool taken = false;
                co_await env.clients([&](mishap::client& one) -> mishap::awaitable<void> {
                    boost::system::error_code woken;
                    if (std::exchange(taken, true))
                        co_await turn.async_wait(asio::redirect_error(asio::use_awaitable, woken));
                    co_await one.body(session);
                    if (!forgets)
                        turn.cancel();
                });
                ticks.cancel();
                co_await session.close();
            },
            promises);
        return mishap::run(gate, {});
    };
    const auto blamed = run_with(true);
    ASSERT_TRUE(blamed.violates("completes")) << why(blamed);
    EXPECT_NE(why(blamed).find("every 1s"), std::string::npos) << why(blamed);
    EXPECT_FALSE(blamed.violates("livelock"));
    EXPECT_FALSE(run_with(false).violates("completes"));
}

TEST(livelock, is_handlers_without_end_at_one_instant_and_no_long_life)
{
    const auto spins = [](mishap::duration nap) {
        return [nap](mishap::resource& session) -> asio::awaitable<void> {
            const auto executor = co_await asio::this_coro::executor;
            asio::steady_timer timer(executor);
            for (int i = 0; i < 2'000; ++i) {
                timer.expires_after(nap);
                co_await timer.async_wait(asio::use_awaitable);
                co_await session.use("query");
            }
        };
    };
    EXPECT_HOLDS(simulate(spins(1s), {}, {.limits = {.steps_max = 1'000}}));
    EXPECT_TRUE(simulate(spins(0s), {}, {.limits = {.steps_max = 1'000}}).violates("livelock"));
}

TEST(escapes, are_caught_wherever_a_handler_runs)
{
    const auto on_own_executor = simulate([](mishap::resource&) -> asio::awaitable<void> {
        asio::post(co_await asio::this_coro::executor, [] { throw std::runtime_error("on purpose"); });
        co_await asio::post(asio::use_awaitable);
    });
    ASSERT_EQ(on_own_executor.trace.escapes.size(), 1u);
    EXPECT_TRUE(on_own_executor.violates("no_escape"));
    const auto on_io_context = simulate([](mishap::resource&) -> asio::awaitable<void> {
        asio::post(mishap::environment::current().context(), [] { throw std::runtime_error("on purpose"); });
        asio::steady_timer timer(co_await asio::this_coro::executor, 1s);
        co_await timer.async_wait(asio::use_awaitable);
    });
    EXPECT_TRUE(on_io_context.violates("no_escape")) << why(on_io_context);
}

TEST(stuck_world, is_destroyed_cleanly)
{
    // Frames that own timers, channels and each other, suspended for ever; the sanitizers judge.
    struct knot
    {
        explicit knot(const asio::any_io_executor& executor)
            : timer(executor, asio::steady_timer::time_point::max()), channel(executor, 0)
        {}
        asio::steady_timer timer;
        asio::experimental::channel<void(boost::system::error_code)> channel;
        mishap::mock_resource session{"session"};
    };
    const mishap::manager tangled(
        "tangled",
        [](mishap::environment& env) -> mishap::awaitable<void> {
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
            auto shared = std::make_shared<knot>(env.executor());
            for (int i = 0; i < 3; ++i)
                asio::co_spawn(
                    env.executor(),
                    [shared]() -> asio::awaitable<void> {
                        co_await shared->channel.async_receive(asio::use_awaitable);
                    },
                    asio::detached);
            co_await shared->session.create();
            co_await shared->session.use("query");
            co_await shared->timer.async_wait(asio::use_awaitable);
        },
        nothing_promised());
    for (const char* plan : {"", "session.create=hang", "session.query=hang"})
        for (int again = 0; again < 2; ++again) {
            const auto run = mishap::run(tangled, mishap::parse_plan(plan));
            EXPECT_FALSE(run.holds());
            // Shielded, and on a timer of its own: nothing ends it.
            EXPECT_TRUE(*plan || run.trace.outcomes[0].ended == mishap::none);
        }
}

TEST(self_check, reports_the_first_event_that_differs)
{
    int calls = 0;
    const mishap::manager fickle(
        "fickle",
        [&calls](mishap::environment& env) -> mishap::awaitable<void> {
            return with_session([&](mishap::resource&) -> asio::awaitable<void> {
                if (++calls % 2 == 0)
                    env.note("only every second time");
                co_return;
            });
        },
        nothing_promised());
    const auto result = mishap::random_campaign(fickle, {.cases = 10});
    ASSERT_EQ(result.counterexamples.size(), 1u);
    EXPECT_EQ(result.counterexamples[0].invariant, "nondeterministic");
    const std::string text = mishap::report(result.counterexamples[0]);
    EXPECT_NE(text.find("they differ from event"), std::string::npos) << text;
    EXPECT_NE(text.find("only every second time"), std::string::npos) << text;
    EXPECT_TRUE(mishap::sweep(fickle).violates("nondeterministic"));
}

} // namespace
