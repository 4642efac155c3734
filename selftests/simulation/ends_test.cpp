// Goal: a run ends in a known way, whatever the manager leaves behind, and the next run is not touched by it.
// Method: managers that leave work, loop, throw and hang; the verdict names what was left.

#include "simulate.hpp"

#include <mishap/explore.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/channel.hpp>

#include <functional>
#include <memory>

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
        promises.grace = too_short;
        const auto beyond = mishap::run(lease, slow_close, {.contract = promises});
        ASSERT_EQ(beyond.verdict.violations.size(), 1u) << why(beyond);
        EXPECT_EQ(beyond.verdict.violations[0].invariant, "no_stray_work");
        EXPECT_EQ(beyond.verdict.violations[0].sentence,
            "session.close#1 was left under way when everybody had ended");
    }
    promises.grace = 3s;
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
    promises.grace = 4s;
    EXPECT_TRUE(simulate(lingering, {}, {.contract = promises}).violates("no_stray_work"));
    promises.grace = 5s;
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

TEST(horizon, ends_a_run_that_only_ticks)
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
    const auto run = simulate(ticks, mishap::parse_plan("session.query=hang"), {.limits = {.horizon = 1h}});
    EXPECT_EQ(run.trace.time_of(run.trace.outcomes[0].stuck), 1h);
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
