// SPDX-License-Identifier: MIT
// What a run costs, against the same manager with mocks written by hand on a stock io_context.

#include "allocations.hpp"
#include "sessions.hpp"
#include "shared/connection_pool.hpp"

#include "simulation/run.hpp"
#include "simulation/world.hpp"

#include <mishap/environment.hpp>
#include <mishap/run.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;

mishap::awaitable<void> session_adapter(mishap::environment& env)
{
    mishap::mock_resource session("session");
    co_await bench::with_session(session, env.body());
}

mishap::manager session_manager()
{
    return {"session", &session_adapter,
        {.time = {.create = std::chrono::seconds(5), .unbounded = {mishap::phase::close}}}};
}

void count_allocations(benchmark::State& state, std::uint64_t before)
{
    state.counters["allocations/run"] = benchmark::Counter(
        static_cast<double>(bench::allocations() - before), benchmark::Counter::kAvgIterations);
}

void bare_session(benchmark::State& state)
{
    asio::io_context io(1);
    const std::uint64_t before = bench::allocations();
    for (auto _ : state) {
        bool ended = false;
        bench::bare_session session;
        const auto body = [](bench::bare_session& lent) -> asio::awaitable<void> { co_await lent.use(); };
        asio::co_spawn(io, bench::with_session(session, body), [&](std::exception_ptr) { ended = true; });
        io.run();
        io.restart();
        if (!ended || session.open())
            state.SkipWithError("the session did not end");
    }
    count_allocations(state, before);
}
BENCHMARK(bare_session);

void runs_of(benchmark::State& state, const mishap::fault_plan& plan)
{
    const mishap::manager under_test = session_manager();
    mishap::detail::runner runner(under_test, under_test.promises, {});
    runner.run(plan);
    const std::uint64_t before = bench::allocations();
    for (auto _ : state) {
        const mishap::run_result& done = runner.run(plan);
        if (!done.holds())
            state.SkipWithError("the session broke a rule");
    }
    count_allocations(state, before);
}

void run_session(benchmark::State& state) { runs_of(state, {}); }
BENCHMARK(run_session);

/// The creation hangs, and is given up at its deadline.
void stuck_session(benchmark::State& state) { runs_of(state, mishap::parse_plan("session.create=hang")); }
BENCHMARK(stuck_session);

class fake_connection
{
    mishap::resource resource_{"connection"};

public:
    mishap::awaitable<void> open() { return resource_.create(); }
    mishap::awaitable<void> close() { return resource_.close(); }
    operator mishap::resource&() { return resource_; }
};

/// The catalogue's pool with one connection and so many clients, without fresh ones after them.
void pool_of(benchmark::State& state, std::uint32_t clients)
{
    const mishap::manager under_test("pool",
        [](mishap::environment& env) -> mishap::awaitable<void> {
            catalogue::connection_pool<fake_connection> pool(1, std::chrono::seconds(30), nullptr);
            co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                co_await pool.with_connection(client.body());
            });
            co_await pool.shut_down();
        },
        {.time = {.close = std::chrono::seconds(30)}, .capacity = {.clients = 3}});
    mishap::detail::runner runner(under_test, under_test.promises, {});
    mishap::fault_plan plan;
    plan.clients = clients;
    runner.run(plan);
    const std::uint64_t before = bench::allocations();
    for (auto _ : state)
        if (!runner.run(plan).holds())
            state.SkipWithError("the pool broke a rule");
    count_allocations(state, before);
}

void pool_with_one_client(benchmark::State& state) { pool_of(state, 1); }
BENCHMARK(pool_with_one_client);

/// Two wait for the one connection.
void pool_with_three_clients(benchmark::State& state) { pool_of(state, 3); }
BENCHMARK(pool_with_three_clients);

/// A client on a timer that is never due, as a condition variable that nobody wakes: 24 virtual hours are
/// walked before it is found stuck.
void walk_a_day(benchmark::State& state)
{
    const mishap::manager under_test("waits",
        [](mishap::environment&) -> mishap::awaitable<void> {
            asio::steady_timer never(
                co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
            co_await never.async_wait(asio::use_awaitable);
        },
        {.time = {.unbounded = {mishap::phase::other}}});
    mishap::detail::runner runner(under_test, under_test.promises, {});
    const mishap::fault_plan plan;
    for (auto _ : state)
        benchmark::DoNotOptimize(runner.run(plan).trace.hash);
}
BENCHMARK(walk_a_day);

/// Judges one finished run again and again.
void judge_again(benchmark::State& state, const mishap::manager& under_test, const mishap::fault_plan& plan)
{
    mishap::detail::runner runner(under_test, under_test.promises, {});
    const mishap::run_result& done = runner.run(plan);
    if (!done.holds())
        state.SkipWithError(done.verdict.violations.front().sentence.c_str());
    for (auto _ : state)
        benchmark::DoNotOptimize(mishap::judge(under_test.promises, plan, done.trace).holds());
    state.counters["operations"] = static_cast<double>(done.trace.operations.size());
}

/// A session that is pinged and used so many times in all.
void judge_operations(benchmark::State& state)
{
    const std::int64_t half = state.range(0) / 2;
    const mishap::manager under_test("pinged",
        [half](mishap::environment& env) -> mishap::awaitable<void> {
            mishap::mock_resource session("session");
            co_await session.create();
            for (std::int64_t i = 0; i < half; ++i)
                co_await session.maintain("ping");
            co_await env.body()(session);
            co_await session.close();
        },
        {.time = {.unbounded = {mishap::phase::create, mishap::phase::close}},
            .work = {.uses = std::vector<std::string>(static_cast<std::size_t>(half), "use")}});
    judge_again(state, under_test, {});
}
BENCHMARK(judge_operations)->Arg(400)->Arg(1600)->Arg(10000);

/// So many clients in line for eight connections, served in the order in which they came.
void judge_clients(benchmark::State& state)
{
    const mishap::manager under_test("line",
        [](mishap::environment& env) -> mishap::awaitable<void> {
            catalogue::connection_pool<fake_connection> pool(8, std::chrono::seconds(30), nullptr);
            co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                co_await pool.with_connection(client.body());
            });
            co_await pool.shut_down();
        },
        {.time = {.close = std::chrono::seconds(30)},
            .capacity = {
                .resources = 8, .clients = static_cast<std::uint32_t>(state.range(0)), .fair = true}});
    judge_again(state, under_test, {});
}
BENCHMARK(judge_clients)->Arg(100)->Arg(200)->Arg(400)->Arg(800);

/// A world made for one run, instead of the thread's own.
void fresh_world(benchmark::State& state)
{
    const mishap::manager under_test = session_manager();
    const mishap::fault_plan plan;
    for (auto _ : state) {
        mishap::detail::world world;
        mishap::trace happened;
        std::vector<std::size_t> inert;
        world.run(under_test, under_test.promises, {}, nullptr, plan, happened, inert);
        benchmark::DoNotOptimize(happened.hash);
    }
}
BENCHMARK(fresh_world);

} // namespace

BENCHMARK_MAIN();
