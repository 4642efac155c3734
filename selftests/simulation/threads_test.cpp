// SPDX-License-Identifier: MIT
// Goal: simulations on several threads at once do not touch each other.
// Method: each thread runs the same campaigns; all must come to the same result as one thread alone.
// ThreadSanitizer judges the rest.

#include "simulate.hpp"

#include <mishap/explore.hpp>

#include <boost/asio/redirect_error.hpp>

#include <thread>
#include <vector>

namespace {

mishap::manager careless_session()
{
    return {"careless",
        [](mishap::environment& env) -> mishap::awaitable<void> {
            mishap::mock_resource session("session");
            co_await session.create();
            asio::steady_timer timer(co_await asio::this_coro::executor, 10s);
            co_await timer.async_wait(asio::use_awaitable);
            co_await env.body()(session);
            co_await session.close(); // not when the body failed
        },
        nothing_promised()};
}

struct findings
{
    std::uint64_t runs;
    std::uint64_t violating;
    std::vector<std::string> plans;

    friend bool operator==(const findings&, const findings&) = default;
};

findings explore()
{
    const auto swept = mishap::sweep(careless_session());
    const auto drawn = mishap::random_campaign(careless_session(), {.cases = 500, .seed = 7});
    findings found{swept.runs + drawn.runs, swept.violating_runs + drawn.violating_runs, {}};
    for (const auto* result : {&swept, &drawn})
        for (const mishap::counterexample& c : result->counterexamples)
            found.plans.push_back(c.invariant + ": " + mishap::to_string(c.minimal.fired));
    return found;
}

TEST(threads, simulate_side_by_side)
{
    constexpr std::size_t threads = 4;
    const findings alone = explore();
    EXPECT_FALSE(alone.plans.empty());
    std::vector<findings> found(threads);
    {
        std::vector<std::jthread> running;
        for (findings& mine : found)
            running.emplace_back([&mine] { mine = explore(); });
    }
    for (const findings& one : found)
        EXPECT_EQ(one, alone);
}

TEST(threads, post_into_a_simulation_that_allows_it)
{
    const auto run = simulate([](mishap::resource&) -> asio::awaitable<void> {
        const auto allowed = mishap::environment::current().allow_outside();
        const auto executor = co_await asio::this_coro::executor;
        asio::steady_timer done(executor, asio::steady_timer::time_point::max());
        int arrived = 0;
        {
            std::vector<std::jthread> workers;
            for (int i = 0; i < 4; ++i)
                workers.emplace_back([&, executor] {
                    asio::post(executor, [&] {
                        if (++arrived == 4)
                            done.cancel();
                    });
                });
            boost::system::error_code ignored;
            co_await done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
        EXPECT_EQ(arrived, 4);
    });
    EXPECT_HOLDS(run);
}

} // namespace
