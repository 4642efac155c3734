// SPDX-License-Identifier: MIT
// What a run costs, against the same manager with mocks written by hand on a stock io_context.

#include "allocations.hpp"
#include "sessions.hpp"
#include "shared/connection_pool.hpp"

#include "simulation/run.hpp"
#include "simulation/world.hpp"

#include <mishap/environment.hpp>
#include <mishap/explore.hpp>
#include <mishap/run.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace asio = boost::asio;

mishap::awaitable<void> session_adapter(mishap::environment& env)
{
    mishap::mock_resource session("session");
    co_await bench::with_session(session, env.body());
}

mishap::manager session_manager(std::size_t uses = 1)
{
    return {"session", &session_adapter,
        {.time = {.create = std::chrono::seconds(5), .unbounded = {mishap::phase::close}},
            .work = {.uses = std::vector<std::string>(uses, "use")}}};
}

void count_allocations(benchmark::State& state, std::uint64_t before)
{
    state.counters["allocations/run"] = benchmark::Counter(
        static_cast<double>(bench::allocations() - before), benchmark::Counter::kAvgIterations);
}

void bare_runs(benchmark::State& state, bool use_fails)
{
    asio::io_context io(1);
    const std::uint64_t before = bench::allocations();
    for (auto _ : state) {
        bool ended = false;
        bench::bare_session session;
        session.use_fails = use_fails;
        const auto body = [](bench::bare_session& lent) -> asio::awaitable<void> { co_await lent.use(); };
        asio::co_spawn(io, bench::with_session(session, body),
            [&](std::exception_ptr error) { ended = (error != nullptr) == use_fails; });
        io.run();
        io.restart();
        if (!ended || session.open())
            state.SkipWithError("the session did not end as it should");
    }
    count_allocations(state, before);
}

void bare_session(benchmark::State& state) { bare_runs(state, false); }
/// Its use throws, and so does the session.
void bare_failing(benchmark::State& state) { bare_runs(state, true); }

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

/// The same failure as in `bare_failing`, injected.
void run_failing(benchmark::State& state)
{
    runs_of(state, mishap::parse_plan("session.use=fail(io_error)"));
}

/// A case of a random campaign over a session that is used three times: generated, run, judged and counted.
void random_session(benchmark::State& state)
{
    constexpr std::uint64_t cases = 100;
    const mishap::manager under_test = session_manager(3);
    std::uint64_t seed = 0;
    const std::uint64_t before = bench::allocations();
    while (state.KeepRunningBatch(cases)) {
        const mishap::campaign_result done =
            mishap::random_campaign(under_test, {.cases = cases, .seed = ++seed});
        if (!done.holds())
            state.SkipWithError("the session broke a rule");
    }
    count_allocations(state, before);
}

/// The creation hangs, and is given up at its deadline.
void stuck_session(benchmark::State& state) { runs_of(state, mishap::parse_plan("session.create=hang")); }

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

/// Two wait for the one connection.
void pool_with_three_clients(benchmark::State& state) { pool_of(state, 3); }

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

struct row
{
    const char* name;
    void (*measure)(benchmark::State&);
    std::vector<std::int64_t> sizes = {};
};

} // namespace

/// Takes the options of the benchmark library and, first, `--iterations=N`: how often each row is measured,
/// whatever time that takes, for those who count instructions.
int main(int argc, char** argv)
{
    benchmark::IterationCount iterations = 0;
    constexpr std::string_view option = "--iterations=";
    if (argc > 1 && std::string_view(argv[1]).starts_with(option)) {
        iterations = std::strtoll(argv[1] + option.size(), nullptr, 10);
        if (iterations <= 0) {
            std::fprintf(stderr, "%s is no number of iterations: give one from 1 on\n", argv[1]);
            return 2;
        }
        std::copy(argv + 2, argv + argc, argv + 1);
        --argc;
    }
    const row rows[] = {
        {"bare_session", &bare_session},
        {"run_session", &run_session},
        {"bare_failing", &bare_failing},
        {"run_failing", &run_failing},
        {"stuck_session", &stuck_session},
        {"random_session", &random_session},
        {"pool_with_one_client", &pool_with_one_client},
        {"pool_with_three_clients", &pool_with_three_clients},
        {"walk_a_day", &walk_a_day},
        {"judge_operations", &judge_operations, {400, 1600, 10000}},
        {"judge_clients", &judge_clients, {100, 200, 400, 800}},
        {"fresh_world", &fresh_world},
    };
    for (const row& one : rows) {
        auto* const registered = benchmark::RegisterBenchmark(one.name, one.measure);
        for (const std::int64_t size : one.sizes)
            registered->Arg(size);
        if (iterations != 0)
            registered->Iterations(iterations);
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
