// SPDX-License-Identifier: MIT
// Goal: schedules other than first come, first served are drawn, told as deviations that repeat the run,
// shrunk towards none, and kept within what the contract's executor model permits; `all` tries each within
// its bound, and pruning hides nothing. Method: a registry that is right in one order only, its right twin,
// and managers that post handlers.

#include "support/under_test.hpp"

#include <mishap/gtest.hpp>
#include <mishap/input_error.hpp>
#include <mishap/report.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <memory>
#include <string>

namespace {

using namespace selftest;
using mishap::schedule_kind;

/// Sessions are closed in the place in which their clients came, which is right as long as they open in that
/// order.
mishap::manager registry(bool assumes_order, std::uint32_t clients = 3)
{
    return {"registry",
        [assumes_order](environment& env) -> awaitable<void> {
            std::deque<std::unique_ptr<mock_resource>> opened;
            co_await env.clients([&](mishap::client& client) -> awaitable<void> {
                auto made = std::make_unique<mock_resource>("session");
                mock_resource* const mine = made.get();
                co_await made->create();
                opened.push_back(std::move(made));
                co_await client.body(*mine);
                const auto place = std::min(static_cast<std::size_t>(client.index()), opened.size() - 1);
                mock_resource* const closed = assumes_order ? opened[place].get() : mine;
                co_await closed->close();
            });
        },
        {.time = {.unbounded = {phase::create, phase::close, phase::other}},
            .capacity = {.clients = clients}}};
}

mishap::campaign_result drawn(
    const mishap::manager& under_test, mishap::drawn_schedule schedule, std::uint64_t cases = 200)
{
    // Clients that come at other times would give the order away, and so would faults: none fits here.
    return mishap::random_campaign(under_test, {.cases = cases,
                                                   .kinds = {mishap::fault_kind::one_byte},
                                                   .schedule = schedule,
                                                   .arrivals = {{0, 0s}}});
}

TEST(schedules, that_are_drawn_find_what_first_come_first_served_hides)
{
    EXPECT_THAT(mishap::run(registry(true), {}), mishap::Holds());
    for (const mishap::drawn_schedule schedule : {mishap::drawn_schedule{.kind = schedule_kind::random},
             mishap::drawn_schedule{.kind = schedule_kind::pct, .depth = 2}}) {
        EXPECT_FALSE(drawn(registry(true), schedule).counterexamples.empty()) << to_string(schedule);
        EXPECT_THAT(drawn(registry(false), schedule), mishap::Holds()) << to_string(schedule);
    }
}

TEST(schedules, are_told_as_deviations_that_repeat_the_run)
{
    const auto under_test = registry(false, 4);
    std::size_t most = 0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        mishap::fault_plan plan;
        plan.schedule = {.kind = seed % 2 ? schedule_kind::pct : schedule_kind::random,
            .seed = seed * 0x9e3779b97f4a7c15ull,
            .depth = seed % 2 ? 1 + static_cast<std::uint32_t>(seed / 2 % 4) : 0,
            .operations = seed % 2 ? 12u : 0u};
        if (seed % 3 == 0)
            plan.at("c1/session.create", mishap::fault::fail("io_error"));
        EXPECT_EQ(mishap::parse_plan(to_string(plan)), plan);
        const run_result first = mishap::run(under_test, plan);
        EXPECT_FALSE(first.fired.schedule);
        const run_result again = mishap::run(under_test, mishap::parse_plan(to_string(first.fired)));
        ASSERT_EQ(again.trace.hash, first.trace.hash) << to_string(plan) << '\n'
                                                      << to_string(first.fired) << '\n'
                                                      << mishap::timeline(first) << mishap::timeline(again);
        EXPECT_EQ(again.fired, first.fired);
        most = std::max(most, first.fired.perturbations.size());
    }
    EXPECT_GT(most, 4u);
}

TEST(schedules, are_shrunk_towards_first_come_first_served)
{
    const auto found = drawn(registry(true, 4), {.kind = schedule_kind::random});
    ASSERT_FALSE(found.counterexamples.empty());
    const mishap::fault_plan& smallest = found.counterexamples.front().minimal.fired;
    EXPECT_FALSE(smallest.schedule);
    ASSERT_EQ(smallest.perturbations.size(), 1u) << to_string(smallest);
    EXPECT_TRUE(smallest.perturbations.front().yields()) << to_string(smallest);
}

TEST(schedules, pct_names_its_bound)
{
    const auto found = drawn(registry(false), {.kind = schedule_kind::pct, .depth = 3}, 10);
    EXPECT_NE(found.covered.find("scheduled by pct 3: what depends on 3 orderings comes up in one run of "),
        std::string::npos)
        << found.covered;
    EXPECT_NE(found.covered.find("3 clients and "), std::string::npos) << found.covered;
    const mishap::manager session(
        "session",
        [](environment&) -> awaitable<void> {
            mock_resource one("session");
            co_await with_cleanup([&]() -> awaitable<void> { co_await one.create(); },
                [&]() -> awaitable<void> { co_await one.close(); });
        },
        patient);
    const auto alone = drawn(session, {.kind = schedule_kind::pct, .depth = 3}, 10);
    EXPECT_NE(alone.covered.find("changes nothing: there is one client"), std::string::npos) << alone.covered;
    EXPECT_THROW(drawn(registry(false), {.kind = schedule_kind::pct}), mishap::input_error);
}

TEST(schedules, all_tries_each_within_its_bound)
{
    const auto swept = [](bool assumes_order, unsigned preemptions) {
        return mishap::sweep(registry(assumes_order), {.perturbations = 0, .preemptions = preemptions});
    };
    EXPECT_THAT(swept(true, 0), mishap::Holds());
    EXPECT_FALSE(swept(true, 1).counterexamples.empty());
    const auto once = swept(false, 1);
    const auto twice = swept(false, 2);
    for (const auto& result : {once, twice}) {
        EXPECT_THAT(result, mishap::Holds());
        EXPECT_TRUE(result.complete) << result.covered;
    }
    EXPECT_NE(twice.covered.find("under schedules of at most 2 preemptions"), std::string::npos);
    EXPECT_GT(once.runs, 10u);
    EXPECT_GT(twice.runs, 5 * once.runs);
}

TEST(schedules, pruning_changes_nothing_but_the_number_of_runs)
{
    for (const bool assumes_order : {true, false}) {
        const auto result =
            mishap::sweep(registry(assumes_order, 2), {.perturbations = 2, .check_pruning = true});
        EXPECT_TRUE(result.invalid.empty()) << result.invalid;
        EXPECT_NE(result.covered.find("pruning changes nothing"), std::string::npos) << result.covered;
        EXPECT_LT(mishap::sweep(registry(assumes_order, 2)).runs, result.runs) << result.covered;
    }
}

/// Posts handlers in an order, and tells in which they ran.
mishap::manager poster(std::string& order, bool on_a_strand, mishap::executor_model model)
{
    return {"poster",
        [&order, on_a_strand](environment& env) -> awaitable<void> {
            order.clear();
            co_await env.clients([&](mishap::client& client) -> awaitable<void> {
                mock_resource session("session");
                co_await session.create();
                if (client.index() == 0) {
                    const auto executor = co_await asio::this_coro::executor;
                    const auto strand = asio::make_strand(executor);
                    for (const char c : std::string("abcd"))
                        if (on_a_strand)
                            asio::post(strand, [&order, c] { order += c; });
                        else
                            asio::post(executor, [&order, c] { order += c; });
                    while (order.size() < 4)
                        co_await asio::post(asio::use_awaitable);
                }
                co_await client.body(session);
                co_await session.close();
            });
        },
        {.time = {.unbounded = {phase::create, phase::close}},
            .capacity = {.clients = 2},
            .work = {.executor = model}}};
}

/// In how many of a hundred schedules handlers ran in another order than they were posted.
int reordered(bool on_a_strand, mishap::executor_model model)
{
    std::string order;
    const auto under_test = poster(order, on_a_strand, model);
    int others = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        mishap::fault_plan plan;
        plan.schedule = {.kind = schedule_kind::random, .seed = seed};
        const run_result done = mishap::run(under_test, plan);
        EXPECT_THAT(done, mishap::Holds());
        const std::string first = order;
        others += first != "abcd";
        const run_result again = mishap::run(under_test, mishap::parse_plan(to_string(done.fired)));
        EXPECT_EQ(again.trace.hash, done.trace.hash) << to_string(done.fired);
        EXPECT_EQ(order, first) << to_string(done.fired);
    }
    return others;
}

TEST(schedules, permute_handlers_where_the_executor_model_permits_it)
{
    EXPECT_EQ(reordered(false, mishap::executor_model::single_threaded), 0);
    EXPECT_GT(reordered(false, mishap::executor_model::concurrent), 50);
}

TEST(schedules, keep_the_order_of_a_strand)
{
    EXPECT_EQ(reordered(true, mishap::executor_model::concurrent), 0);
}

TEST(schedules, of_handlers_are_kept_in_scenario_files)
{
    std::string order;
    mishap::counterexample one;
    mishap::fault_plan plan;
    plan.schedule = {.kind = schedule_kind::random, .seed = 7};
    one.minimal = mishap::run(poster(order, false, mishap::executor_model::concurrent), plan);
    one.invariant = "completes";
    EXPECT_NE(to_scenario(one).find("schedule:\n  - drawn random,0000000000000007\n"), std::string::npos)
        << to_scenario(one);
}

TEST(schedules, that_are_none_are_refused)
{
    for (const char* wrong : {"schedule(fifo,1)", "schedule(random)", "schedule(pct,1,0,3)",
             "schedule(pct,1,99,3)", "schedule(random,1) schedule(random,2)"})
        EXPECT_THROW(mishap::parse_plan(wrong), mishap::input_error) << wrong;
}

} // namespace
