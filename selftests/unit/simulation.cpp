// SPDX-License-Identifier: MIT
// Goal: one run is a world of its own: stock Asio timers obey a virtual clock to the nanosecond, time passes
// only when nothing else can happen, order is that of an io_context, and nothing of a run is left for the
// next. Method: adapters that look at the clock and write down what they see.

#include <mishap/input_error.hpp>

#include "support/under_test.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/system_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/time.h>

#include <ctime>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace selftest;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr auto within_run = &mishap::environment::current;

awaitable<void> sleep(environment& env, steady_clock::duration d)
{
    asio::steady_timer timer(env.executor(), d);
    co_await timer.async_wait(asio::use_awaitable);
}

/// What a cancelled timer queues is not put off for as long as something else is posted.
TEST(executor, posts_do_not_starve_what_timers_queue)
{
    const auto polls = [](environment& env) -> awaitable<void> {
        bool woken = false;
        asio::steady_timer timer(env.executor(), 1h);
        timer.async_wait([&](boost::system::error_code) { woken = true; });
        timer.cancel();
        while (!woken)
            co_await asio::post(env.executor(), asio::use_awaitable);
    };
    EXPECT_TRUE(holds(run_under("", polls, patient, {.steps_max = 200})));
}

// Runs it and gives what it wrote down.
std::vector<std::string> notes_of(mishap::adapter under_test, const contract& promises = patient)
{
    return run_under("", std::move(under_test), promises).trace.notes;
}

mishap::duration end_of(const run_result& done) { return done.trace.time_of(done.trace.outcomes[0].ended); }

// Time ----------------------------------------------------------------------------------------------------

TEST(virtual_time, a_steady_timer_takes_exactly_its_time)
{
    steady_clock::duration passed{};
    system_clock::duration system_passed{};
    const run_result done = run_under("", [&](environment& env) -> awaitable<void> {
        const auto begin = steady_clock::now();
        const auto system_begin = system_clock::now();
        co_await sleep(env, 30s);
        passed = steady_clock::now() - begin;
        system_passed = system_clock::now() - system_begin;
    });
    EXPECT_EQ(passed, 30s);
    EXPECT_EQ(system_passed, 30s);
    EXPECT_EQ(end_of(done), 30s);
    EXPECT_TRUE(holds(done));
}

TEST(virtual_time, a_system_timer_takes_exactly_its_time)
{
    const run_result done = run_under("", [](environment& env) -> awaitable<void> {
        asio::system_timer timer(env.executor(), system_clock::now() + 30s);
        co_await timer.async_wait(asio::use_awaitable);
    });
    EXPECT_EQ(end_of(done), 30s);
}

TEST(virtual_time, all_of_libcs_clocks_agree)
{
    std::time_t seconds = 0;
    timeval of_day{};
    std::time_t system_seconds = 0;
    run_under("", [&](environment& env) -> awaitable<void> {
        co_await sleep(env, 30s + 500ms);
        seconds = std::time(nullptr);
        gettimeofday(&of_day, nullptr);
        system_seconds = system_clock::to_time_t(system_clock::now());
    });
    EXPECT_EQ(seconds, system_seconds);
    EXPECT_EQ(of_day.tv_sec, system_seconds);
    EXPECT_EQ(of_day.tv_usec, 500'000);
}

TEST(virtual_time, every_run_begins_at_the_same_moment)
{
    std::vector<steady_clock::time_point> begins;
    std::vector<system_clock::time_point> system_begins;
    for (int i = 0; i < 2; ++i)
        run_under("", [&](environment& env) -> awaitable<void> {
            begins.push_back(steady_clock::now());
            system_begins.push_back(system_clock::now());
            co_await sleep(env, 1h);
        });
    EXPECT_EQ(begins[0], begins[1]);
    EXPECT_EQ(system_begins[0], system_begins[1]);
    EXPECT_GT(begins[0].time_since_epoch(), 1h) << "no machine has just started";
}

TEST(virtual_time, stands_still_while_handlers_run)
{
    const run_result done = run_under("", [](environment& env) -> awaitable<void> {
        for (int i = 0; i < 1'000; ++i)
            co_await asio::post(env.executor(), asio::use_awaitable);
    });
    EXPECT_EQ(end_of(done), 0s);
}

TEST(virtual_time, timers_fire_in_the_order_of_their_times)
{
    std::vector<int> fired;
    run_under("", [&](environment& env) -> awaitable<void> {
        std::vector<asio::steady_timer> timers;
        for (const int seconds : {3, 1, 2, 5, 4}) {
            timers.emplace_back(env.executor(), std::chrono::seconds(seconds));
            timers.back().async_wait(
                [&fired, seconds](boost::system::error_code) { fired.push_back(seconds); });
        }
        co_await sleep(env, 6s);
    });
    EXPECT_EQ(fired, (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST(virtual_time, timers_on_the_io_context_itself_obey_it_too)
{
    const run_result done = run_under("", [](environment& env) -> awaitable<void> {
        asio::steady_timer timer(env.context(), 30s);
        co_await timer.async_wait(asio::use_awaitable);
    });
    EXPECT_EQ(end_of(done), 30s);
}

// Farther off than the longest wait that Asio arms.
TEST(virtual_time, a_far_timer_fires_on_the_tick)
{
    EXPECT_EQ(end_of(run_under("", [](environment& env) { return sleep(env, 23h + 59min + 1us); })),
        23h + 59min + 1us);
}

TEST(virtual_time, operations_and_timers_share_one_clock)
{
    const run_result done = run_under(
        "resource.create=delay(1.5s) resource.close=delay(7ns)", [](environment& env) -> awaitable<void> {
            mock_resource resource;
            co_await resource.create();
            co_await sleep(env, 1s);
            co_await resource.close();
        });
    EXPECT_EQ(end_of(done), 2s + 500ms + 7ns);
}

TEST(virtual_time, passes_until_what_fails_late_has_failed)
{
    const run_result create = run_under("resource.create=fail(io_error,3s)", right);
    EXPECT_TRUE(holds(create));
    EXPECT_EQ(end_of(create), 3s);
    EXPECT_FALSE(create.trace.resources.at(0).ever_open);
    const run_result close = run_under("resource.close=fail_after_effect(io_error,3s)", right);
    EXPECT_TRUE(holds(close));
    EXPECT_EQ(end_of(close), 3s);
    const run_result body = run_under("body=fail(io_error,3s)", right);
    EXPECT_TRUE(holds(body));
    EXPECT_EQ(end_of(body), 3s);
    const run_result stopped =
        run_under("resource.use=fail(io_error,3s) cancel(c0 after resource.create#1)", right);
    EXPECT_TRUE(holds(stopped));
    EXPECT_EQ(end_of(stopped), 0s);
}

// A failure and a timer of one instant: the failure's handler runs first, and the timer's is on its way.
TEST(virtual_time, what_fails_at_a_deadline_comes_together_with_its_timer)
{
    std::string order;
    run_under("resource.create=fail(io_error,5s)", [&](environment& env) -> awaitable<void> {
        mock_resource resource;
        asio::steady_timer timer(env.executor(), 5s);
        timer.async_wait(
            [&](boost::system::error_code cancelled) { order += cancelled ? " stopped" : " fired"; });
        try {
            co_await resource.create();
        } catch (const std::exception&) {
            order += "failed";
            EXPECT_EQ(timer.cancel(), 0u);
        }
        co_await asio::post(env.executor(), asio::use_awaitable);
    });
    EXPECT_EQ(order, "failed fired");
}

// A cancelled timer leaves the kernel's descriptor armed, which must not count as something that is yet to
// happen.
TEST(virtual_time, a_cancelled_timer_does_not_advance_it)
{
    const run_result done = run_under("", [](environment& env) -> awaitable<void> {
        asio::steady_timer timer(env.executor(), 1h);
        boost::system::error_code seen;
        timer.async_wait([&](boost::system::error_code error) { seen = error; });
        timer.cancel();
        co_await asio::post(env.executor(), asio::use_awaitable);
        co_await asio::post(env.executor(), asio::use_awaitable);
        env.note(seen == asio::error::operation_aborted ? "aborted" : "not aborted");
    });
    EXPECT_EQ(end_of(done), 0s);
    EXPECT_EQ(done.trace.notes, std::vector<std::string>{"aborted"});
}

TEST(virtual_time, a_cancelled_timer_does_not_hide_that_a_client_is_stuck)
{
    const run_result done = run_under("resource.create=hang", [](environment& env) -> awaitable<void> {
        asio::steady_timer timer(env.executor(), 1h);
        timer.async_wait([](boost::system::error_code) {});
        timer.cancel();
        mock_resource resource;
        co_await resource.create();
    });
    ASSERT_NE(done.trace.outcomes[0].stuck, mishap::none);
    EXPECT_EQ(done.trace.time_of(done.trace.outcomes[0].stuck), 0s);
}

// Stuck ---------------------------------------------------------------------------------------------------

// The usual condition variable of Asio code. Asio walks towards it in steps of five minutes.
TEST(stuck, a_wait_for_the_end_of_time_is_dated_at_the_last_real_event)
{
    const run_result done = run_under("", [](environment& env) -> awaitable<void> {
        co_await sleep(env, 3s);
        asio::steady_timer condition(env.executor(), steady_clock::time_point::max());
        co_await condition.async_wait(asio::use_awaitable);
    });
    ASSERT_NE(done.trace.outcomes[0].stuck, mishap::none);
    EXPECT_EQ(done.trace.time_of(done.trace.outcomes[0].stuck), 3s);
    EXPECT_EQ(end_of(done), 3s);
    EXPECT_EQ(done.trace.outcomes[0].ending, mishap::ending::hung);
    EXPECT_LT(done.trace.steps, 100u) << "walking counts no steps";
    EXPECT_TRUE(breaks_only(done, "completes"));
}

TEST(stuck, a_notified_condition_is_none)
{
    const run_result done = run_under("", [](environment& env) -> awaitable<void> {
        asio::steady_timer condition(env.executor(), steady_clock::time_point::max());
        asio::steady_timer notifier(env.executor(), 10min);
        notifier.async_wait([&](boost::system::error_code) { condition.cancel(); });
        bool woken = false;
        try {
            co_await condition.async_wait(asio::use_awaitable);
        } catch (const boost::system::system_error&) {
            woken = true;
        }
        env.note(woken ? "woken" : "timed out");
    });
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(end_of(done), 10min);
}

TEST(stuck, a_timer_beyond_the_horizon_is_stuck)
{
    const auto naps = [](environment& env) { return sleep(env, 11s); };
    EXPECT_TRUE(holds(run_under("", naps, patient, {.horizon = 11s})));
    const run_result done = run_under("", naps, patient, {.horizon = 10s});
    EXPECT_TRUE(breaks_only(done, "completes"));
    EXPECT_EQ(done.trace.time_of(done.trace.outcomes[0].stuck), 0s);
}

TEST(stuck, naps_without_end_reach_the_horizon)
{
    const run_result done = run_under("",
        [](environment& env) -> awaitable<void> {
            for (;;)
                co_await sleep(env, 1h);
        },
        patient, {.horizon = 12h});
    EXPECT_TRUE(breaks_only(done, "completes"));
    EXPECT_EQ(done.trace.time_of(done.trace.outcomes[0].stuck), 12h);
}

// Order ---------------------------------------------------------------------------------------------------

TEST(executor, dispatch_runs_inline_and_post_does_not)
{
    EXPECT_EQ(notes_of([](environment& env) -> awaitable<void> {
        asio::post(env.executor(), [&env] { env.note("posted"); });
        asio::dispatch(env.executor(), [&env] { env.note("dispatched"); });
        env.note("after both");
        co_await asio::post(env.executor(), asio::use_awaitable);
    }),
        (std::vector<std::string>{"dispatched", "after both", "posted"}));
}

TEST(executor, posted_handlers_run_in_order)
{
    std::vector<std::string> expected;
    for (int i = 0; i < 20; ++i)
        expected.push_back(std::to_string(i));
    EXPECT_EQ(notes_of([](environment& env) -> awaitable<void> {
        for (int i = 0; i < 20; ++i)
            asio::post(env.executor(), [&env, i] { env.note(std::to_string(i)); });
        co_await asio::post(env.executor(), asio::use_awaitable);
    }),
        expected);
}

TEST(executor, a_strand_runs_one_handler_after_another)
{
    EXPECT_EQ(notes_of([](environment& env) -> awaitable<void> {
        auto strand = asio::make_strand(env.executor());
        asio::post(strand, [&env, strand] {
            env.note("first begins");
            asio::post(strand, [&env] { env.note("second"); });
            asio::dispatch(strand, [&env] { env.note("inline"); });
            env.note("first ends");
        });
        co_await sleep(env, 1s);
    }),
        (std::vector<std::string>{"first begins", "inline", "first ends", "second"}));
}

TEST(executor, a_coroutine_on_a_strand_keeps_out_another)
{
    int inside = 0;
    int most = 0;
    const run_result done = run_under("", [&](environment& env) -> awaitable<void> {
        auto strand = asio::make_strand(env.executor());
        for (int i = 0; i < 3; ++i)
            asio::co_spawn(
                strand,
                [&, strand]() -> awaitable<void> {
                    for (int n = 0; n < 5; ++n) {
                        most = std::max(most, ++inside);
                        --inside;
                        co_await asio::post(strand, asio::use_awaitable);
                    }
                },
                asio::detached);
        co_await sleep(env, 1s);
    });
    EXPECT_EQ(most, 1);
    EXPECT_TRUE(holds(done));
}

TEST(executor, copies_are_equal_and_of_one_context)
{
    EXPECT_EQ(notes_of([](environment& env) -> awaitable<void> {
        const auto mine = co_await asio::this_coro::executor;
        env.note(mine == env.executor() ? "equal" : "different");
        env.note(&asio::query(mine, asio::execution::context) == &env.context() ? "one context" : "another");
    }),
        (std::vector<std::string>{"equal", "one context"}));
}

TEST(executor, an_exception_from_a_handler_is_an_escape_and_the_run_goes_on)
{
    const run_result done = run_under("", [](environment& env) -> awaitable<void> {
        asio::post(env.executor(), [] { throw std::runtime_error("one"); });
        asio::dispatch(env.executor(), [] { throw std::runtime_error("two"); });
        co_await sleep(env, 1s);
        env.note("went on");
    });
    EXPECT_EQ(done.trace.escapes.size(), 2u);
    EXPECT_EQ(done.trace.notes, std::vector<std::string>{"went on"});
}

// Runs ----------------------------------------------------------------------------------------------------

TEST(run, equal_plans_give_equal_traces)
{
    for (const char* plan :
        {"", "resource.use=fail(io_error)", "resource.close=hang", "resource.create=delay(3s)"}) {
        const run_result first = run_under(plan, right);
        const run_result second = run_under(plan, right);
        EXPECT_EQ(first.trace.hash, second.trace.hash) << plan;
        EXPECT_EQ(first.trace.events.size(), second.trace.events.size()) << plan;
    }
    EXPECT_NE(run_under("", right).trace.hash, run_under("resource.use=fail(io_error)", right).trace.hash);
    EXPECT_NE(run_under("resource.use=fail(foreign)", right).trace.hash,
        run_under("resource.use=fail(io_error)", right).trace.hash);
}

TEST(run, tells_what_of_the_plan_fired)
{
    const run_result done =
        run_under("resource.use=fail(io_error) resource.use#9=hang resource.close=ok_now", right);
    EXPECT_EQ(to_string(done.fired), "resource.use=fail(io_error) resource.close=ok_now");
}

TEST(run, a_run_inside_a_run_is_refused)
{
    std::string message;
    const auto nests = [](environment&) -> awaitable<void> {
        try {
            run_under("", right);
        } catch (const std::exception&) {
        }
        co_return;
    };
    try {
        run_under("", nests);
    } catch (const mishap::input_error& e) {
        message = e.what();
    }
    EXPECT_NE(message.find("inside a run"), std::string::npos) << "swallowed: " << message;
    EXPECT_TRUE(holds(run_under("", right)));
}

TEST(run, outside_of_one_there_is_no_environment)
{
    EXPECT_THROW(within_run(), std::logic_error);
    EXPECT_THROW(mock_resource(), std::logic_error);
    run_under("", right);
    EXPECT_THROW(within_run(), std::logic_error);
}

TEST(run, a_contract_that_contradicts_itself_is_refused)
{
    EXPECT_THROW(
        run_under("", right, {.time = {.create = 5s, .unbounded = {phase::create}}}), std::logic_error);
    EXPECT_THROW(run_under("", nullptr), std::logic_error);
}

TEST(run, an_adapter_that_throws_before_its_first_suspension_ends_so)
{
    const run_result coroutine = run_under("", [](environment&) -> awaitable<void> {
        throw std::runtime_error("at once");
        co_return;
    });
    EXPECT_EQ(coroutine.trace.outcomes[0].ending, mishap::ending::threw);
    EXPECT_TRUE(coroutine.trace.escapes.empty());

    // Not even a coroutine.
    const run_result function =
        run_under("", [](environment&) -> awaitable<void> { throw std::runtime_error("at once"); });
    EXPECT_EQ(function.trace.outcomes[0].ending, mishap::ending::threw);
    EXPECT_TRUE(function.trace.escapes.empty());
}

/// Counts how many of it live.
struct counted
{
    explicit counted(int& of) : living(of) { ++living; }
    ~counted() { --living; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    int& living;
};

TEST(run, what_is_left_suspended_is_destroyed_and_the_next_run_is_as_new)
{
    const auto fresh = run_under("resource.use=delay(2s)", right).trace.hash;
    int living = 0;
    const auto leaves = [&](environment& env) -> awaitable<void> {
        for (int i = 0; i < 3; ++i)
            asio::co_spawn(
                env.executor(),
                [&living, &env]() -> awaitable<void> {
                    const counted mine(living);
                    mock_resource resource;
                    co_await resource.create();
                    co_await sleep(env, steady_clock::duration::max());
                },
                asio::detached);
        co_await sleep(env, 1s);
        EXPECT_EQ(living, 3);
    };
    for (int i = 0; i < 3; ++i) {
        run_under("", leaves);
        EXPECT_EQ(living, 0);
        const run_result next = run_under("resource.use=delay(2s)", right);
        EXPECT_TRUE(holds(next));
        EXPECT_EQ(next.trace.hash, fresh);
    }
}

TEST(run, one_that_was_cut_off_is_destroyed_cleanly_too)
{
    int living = 0;
    const auto busy = [&](environment& env) -> awaitable<void> {
        const counted mine(living);
        mock_resource resource;
        co_await resource.create();
        for (;;)
            co_await asio::post(env.executor(), asio::use_awaitable);
    };
    EXPECT_TRUE(run_under("", busy, patient, {.steps_max = 50}).violates("livelock"));
    EXPECT_EQ(living, 0);
    EXPECT_TRUE(holds(run_under("", right)));
}

// Destructors that post, cancel and close while the world is taken down must find it still there.
TEST(run, destructors_may_work_while_the_rest_is_destroyed)
{
    struct busy_destructor
    {
        asio::any_io_executor executor;
        asio::steady_timer timer{executor, 1h};
        mock_resource resource;
        explicit busy_destructor(environment& env) : executor(env.executor()) {}
        ~busy_destructor()
        {
            timer.cancel();
            resource.force_close();
            asio::post(executor, [executor = executor] { asio::post(executor, [] {}); });
        }
    };
    const auto leaves = [](environment& env) -> awaitable<void> {
        asio::co_spawn(
            env.executor(),
            [&env]() -> awaitable<void> {
                busy_destructor mine(env);
                co_await mine.resource.create();
                mine.timer.async_wait([](boost::system::error_code) {});
                co_await sleep(env, steady_clock::duration::max());
            },
            asio::detached);
        co_await sleep(env, 1s);
    };
    run_under("", leaves);
    EXPECT_TRUE(holds(run_under("", right)));
}

TEST(run, a_resource_that_outlives_its_run_is_refused_in_the_next)
{
    std::unique_ptr<mock_resource> kept;
    run_under("", [&](environment&) -> awaitable<void> {
        kept = std::make_unique<mock_resource>();
        co_await kept->create();
    });
    EXPECT_FALSE(kept->usable());
    // Even where the manager swallows what it is told.
    const auto uses_it = [&](environment&) -> awaitable<void> {
        try {
            co_await kept->use("query");
        } catch (const std::logic_error&) {
        }
    };
    EXPECT_THROW(run_under("", uses_it), mishap::input_error);
    kept.reset();
    EXPECT_TRUE(holds(run_under("", right)));
}

// A second io_context -------------------------------------------------------------------------------------

TEST(private_io_context, its_timers_do_not_disturb_the_worlds)
{
    const run_result done = run_under("", [](environment& env) -> awaitable<void> {
        asio::io_context own;
        asio::steady_timer sooner(own, 1s);
        asio::steady_timer later(own, 1h);
        sooner.async_wait([](boost::system::error_code) {});
        later.async_wait([](boost::system::error_code) {});
        asio::post(own, [&env] { env.note("polled"); });
        own.poll();
        co_await sleep(env, 30s);
        own.restart();
        own.poll();
    });
    EXPECT_TRUE(holds(done));
    EXPECT_EQ(end_of(done), 30s);
    EXPECT_EQ(done.trace.notes, std::vector<std::string>{"polled"});
    EXPECT_EQ(end_of(run_under("", [](environment& env) { return sleep(env, 30s); })), 30s);
}

TEST(private_io_context, its_timers_are_due_when_virtual_time_has_come)
{
    EXPECT_EQ(notes_of([](environment& env) -> awaitable<void> {
        asio::io_context own;
        asio::steady_timer timer(own, 1s);
        timer.async_wait([&env](boost::system::error_code) { env.note("fired"); });
        own.poll();
        env.note("not yet");
        co_await sleep(env, 30s);
        own.poll();
    }),
        (std::vector<std::string>{"not yet", "fired"}));
}

TEST(private_io_context, one_that_comes_and_goes_leaves_nothing_behind)
{
    const auto comes_and_goes = [](environment& env) -> awaitable<void> {
        for (int i = 0; i < 5; ++i) {
            asio::io_context own;
            asio::steady_timer timer(own, 1s);
            timer.async_wait([](boost::system::error_code) {});
            own.poll();
            co_await sleep(env, 1s);
        }
    };
    const run_result first = run_under("", comes_and_goes);
    EXPECT_EQ(end_of(first), 5s);
    EXPECT_EQ(run_under("", comes_and_goes).trace.hash, first.trace.hash);
}

} // namespace
