// SPDX-License-Identifier: MIT
// Goal: code that would leave the simulation or block its thread is told so by name, never silently real.
// Method: managers that start threads, sleep, wait and run contexts; waits that nobody could end
// and std::terminate are verdicts, other deaths run in a child process.

#include "simulate.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/io_context_strand.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <condition_variable>
#include <exception>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

std::string first_sentence(const mishap::run_result& run)
{
    return run.verdict.violations.empty() ? "" : run.verdict.violations[0].sentence;
}

TEST(leaves_the_simulation, names_sockets_that_only_the_kernel_knows)
{
    const auto run = simulate([](mishap::resource&) -> asio::awaitable<void> {
        ::close(::socket(AF_UNIX, SOCK_DGRAM, 0));
        co_return;
    });
    EXPECT_TRUE(run.violates("leaves_the_simulation"));
    EXPECT_NE(first_sentence(run).find("socket() of a family or type"), std::string::npos)
        << first_sentence(run);
}

TEST(threads, are_held_and_joined)
{
    EXPECT_HOLDS(simulate([](mishap::resource&) -> asio::awaitable<void> {
        bool ran = false;
        std::thread([&] { ran = true; }).join();
        EXPECT_TRUE(ran);
        co_return;
    }));
    EXPECT_HOLDS(simulate([](mishap::resource&) -> asio::awaitable<void> {
        asio::thread_pool pool(1);
        pool.join();
        co_return;
    }));
    EXPECT_HOLDS(simulate([](mishap::resource&) -> asio::awaitable<void> {
        EXPECT_EQ(std::async(std::launch::async, [] { return 3; }).get(), 3);
        co_return;
    }));

    EXPECT_HOLDS(simulate([](mishap::resource&) -> asio::awaitable<void> { co_return; }));
}

TEST(leaves_the_simulation, is_permitted_by_a_scope)
{
    const auto run = simulate([](mishap::resource&) -> asio::awaitable<void> {
        const auto allowed = mishap::environment::current().allow_outside();
        asio::thread_pool pool(1);
        const auto executor = co_await asio::this_coro::executor;
        asio::steady_timer done(executor, asio::steady_timer::time_point::max());
        int from_outside = 0;
        std::thread worker([&] {
            asio::post(executor, [&] {
                from_outside = 42;
                done.cancel();
            });
        });
        boost::system::error_code ignored;
        co_await done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        worker.join();
        EXPECT_EQ(from_outside, 42);
    });
    EXPECT_HOLDS(run);
}

TEST(real_descriptors, keep_working_and_are_named)
{
    const auto through_a_pipe = [](bool allow) {
        return [allow](mishap::resource&) -> asio::awaitable<void> {
            std::optional<mishap::outside_allowed> allowed;
            allowed.emplace(mishap::environment::current().allow_outside());
            int ends[2];
            EXPECT_EQ(::pipe(ends), 0); // a real one
            if (!allow)
                allowed.reset();
            asio::posix::stream_descriptor reader(co_await asio::this_coro::executor, ends[0]);
            EXPECT_EQ(::write(ends[1], "hello", 5), 5);
            char text[5];
            co_await asio::async_read(reader, asio::buffer(text), asio::use_awaitable);
            EXPECT_EQ(std::string(text, 5), "hello");
            ::close(ends[1]);
        };
    };
    const auto named = simulate(through_a_pipe(false));
    EXPECT_TRUE(named.violates("leaves_the_simulation")) << why(named);
    EXPECT_NE(first_sentence(named).find("real descriptor"), std::string::npos);
    EXPECT_HOLDS(simulate(through_a_pipe(true)));
}

TEST(real_descriptors, connect_over_loopback)
{
    const auto run = simulate([](mishap::resource&) -> asio::awaitable<void> {
        const auto allowed = mishap::environment::current().allow_outside();
        const auto executor = co_await asio::this_coro::executor;
        asio::ip::tcp::acceptor acceptor(executor, {asio::ip::address_v4::loopback(), 0});
        asio::ip::tcp::socket client(executor);
        co_await client.async_connect(acceptor.local_endpoint(), asio::use_awaitable);
        asio::ip::tcp::socket server = co_await acceptor.async_accept(asio::use_awaitable);
        EXPECT_TRUE(server.is_open());
    });
    EXPECT_HOLDS(run);
}

TEST(blocks_the_thread, names_sleeps_which_return_at_once)
{
    const auto slept = simulate([](mishap::resource&) -> asio::awaitable<void> {
        std::this_thread::sleep_for(10h);
        std::this_thread::sleep_until(std::chrono::steady_clock::now() + 1h);
        std::this_thread::sleep_until(std::chrono::system_clock::now() + 1h);
        ::usleep(1000);
        ::sleep(1);
        ::poll(nullptr, 0, 1000);
        co_return;
    });
    EXPECT_TRUE(slept.violates("blocks_the_thread"));
    EXPECT_NE(why(slept).find("sleep"), std::string::npos);
    EXPECT_EQ(slept.trace.events.back().at, 12h + 2s + 1ms);
}

TEST(blocks_the_thread, names_timed_waits_which_time_out)
{
    const auto waited = simulate([](mishap::resource&) -> asio::awaitable<void> {
        std::mutex mutex;
        std::condition_variable condition;
        std::unique_lock lock(mutex);
        EXPECT_FALSE(condition.wait_for(lock, 5s, [] { return false; }));
        std::promise<int> never;
        EXPECT_EQ(never.get_future().wait_for(5s), std::future_status::timeout);
        co_return;
    });
    EXPECT_TRUE(waited.violates("blocks_the_thread"));
    EXPECT_EQ(waited.trace.events.back().at, 10s);
}

TEST(blocks_the_thread, names_run_on_the_worlds_own_context)
{
    const auto run = simulate([](mishap::resource&) -> asio::awaitable<void> {
        asio::io_context& io = mishap::environment::current().context();
        asio::steady_timer timer(io, 1s);
        timer.async_wait([](boost::system::error_code) {});
        io.run();
        co_return;
    });
    EXPECT_TRUE(run.violates("blocks_the_thread")) << why(run);
    EXPECT_NE(first_sentence(run).find("run()"), std::string::npos) << first_sentence(run);
}

// Runs `wait` inside of a run, and says what came of it.
template <class Wait>
mishap::run_result run_waiting(Wait wait)
{
    return simulate(
        [wait](mishap::resource& session) -> asio::awaitable<void> {
            co_await session.use("query");
            wait();
            co_await session.use("query");
        },
        mishap::parse_plan("session.query=delay(1s)"));
}

void expect_blocked(const mishap::run_result& run, std::string_view call)
{
    ASSERT_EQ(run.verdict.violations.size(), 1u) << why(run);
    EXPECT_TRUE(run.violates("blocks_the_thread")) << why(run);
    EXPECT_NE(first_sentence(run).find(call), std::string::npos) << first_sentence(run);
    EXPECT_EQ(run.trace.operations.back().id.occurrence, 1u) << "nothing runs after it";
}

TEST(blocks_the_thread, of_a_wait_that_nobody_could_end_is_where_the_run_ends)
{
    expect_blocked(run_waiting([] {
        std::promise<int> never;
        never.get_future().wait();
    }),
        "a futex wait");
    expect_blocked(run_waiting([] {
        std::mutex mutex;
        std::condition_variable condition;
        std::unique_lock lock(mutex);
        condition.wait(lock, [] { return false; });
    }),
        "pthread_cond_wait");
    expect_blocked(run_waiting([] {
        asio::io_context mine;
        asio::steady_timer timer(mine, asio::steady_timer::time_point::max());
        timer.async_wait([](boost::system::error_code) {});
        mine.run();
    }),
        "io_context::run");
}

// std::terminate
// -----------------------------------------------------------------------------------------------------

void expect_terminated(const mishap::run_result& run, std::string_view sentence)
{
    ASSERT_EQ(run.verdict.violations.size(), 1u) << why(run);
    EXPECT_TRUE(run.violates("no_escape")) << why(run);
    EXPECT_EQ(first_sentence(run), sentence);
    EXPECT_EQ(std::uncaught_exceptions(), 0);
    EXPECT_FALSE(std::current_exception());
}

TEST(terminate, is_a_verdict_and_the_program_lives)
{
    const auto direct = [](mishap::resource& session) -> asio::awaitable<void> {
        co_await session.use("query");
        std::terminate();
    };
    const auto from_noexcept = [](mishap::resource& session) -> asio::awaitable<void> {
        const auto careless = [&]() noexcept { session.now(mishap::role::use, "query"); };
        careless();
        co_return;
    };
    struct throws_when_destroyed
    {
        mishap::resource& session;
        ~throws_when_destroyed() noexcept(false) { session.now(mishap::role::close, "close"); }
    };
    const auto twice = [](mishap::resource& session) -> asio::awaitable<void> {
        const throws_when_destroyed first{session};
        session.now(mishap::role::use, "query");
        co_return;
    };
    const auto returns = [](mishap::resource& session) -> asio::awaitable<void> {
        co_await session.use("query");
    };
    const auto query_fails = mishap::parse_plan("session.query=fail(io_error)");
    const auto both_fail = mishap::parse_plan("session.query=fail(io_error) session.close=fail(io_error)");
    for (int i = 0; i < 3; ++i) {
        expect_terminated(simulate(direct), "std::terminate was called");
        expect_terminated(simulate(from_noexcept, query_fails),
            "std::terminate was called while io_error (raised by session.query#1) was under way");
        const auto both = simulate(twice, both_fail);
        EXPECT_TRUE(both.violates("no_escape")) << why(both);
        const auto after = simulate(returns);
        EXPECT_TRUE(after.verdict.holds()) << why(after);
    }
}

TEST(terminate, in_strands_and_below_other_handlers_leaves_no_trace_in_the_next_run)
{
    const auto in_strand = [](mishap::environment& env) -> asio::awaitable<void> {
        const auto strand = asio::make_strand(env.executor());
        const asio::io_context::strand old_strand(env.context());
        bool ran_here = false;
        asio::post(strand, [&, strand] {
            ran_here = strand.running_in_this_thread();
            asio::dispatch(old_strand, [] { std::terminate(); });
            std::terminate();
        });
        co_await asio::post(strand, asio::use_awaitable);
    };
    const auto asks = [](mishap::environment& env) -> asio::awaitable<void> {
        const auto strand = asio::make_strand(env.executor());
        EXPECT_FALSE(strand.running_in_this_thread());
        co_await asio::post(strand, asio::use_awaitable);
    };
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(mishap::run(mishap::manager("strand", in_strand), {}).violates("no_escape"));
        EXPECT_TRUE(mishap::run(mishap::manager("asks", asks), {}).verdict.holds());
    }
}

TEST(terminate, ends_a_campaign_no_more_than_any_other_violation)
{
    const auto careless = [](mishap::environment& env) -> asio::awaitable<void> {
        mishap::mock_resource session("session");
        co_await session.create();
        struct closes
        {
            mishap::resource& session;
            ~closes() { session.now(mishap::role::close, "close"); }
        } const guard{session};
        co_await env.body()(session);
    };
    const auto swept = mishap::sweep(mishap::manager("careless", careless), {});
    ASSERT_FALSE(swept.counterexamples.empty()) << swept.invalid;
    EXPECT_TRUE(swept.complete);
    EXPECT_EQ(swept.counterexamples.front().minimal.verdict.violations.front().invariant, "no_escape");
    EXPECT_EQ(mishap::to_string(swept.counterexamples.front().minimal.plan), "session.close=fail(io_error)");
}

TEST(terminate_DeathTest, of_another_kind_of_death_names_the_run_that_it_struck)
{
    const auto dying = [](mishap::resource& session) -> asio::awaitable<void> {
        co_await session.use("query");
        std::abort();
    };
    EXPECT_DEATH(simulate(dying, mishap::parse_plan("session.query=delay(1s)")),
        "the program was aborted in the run that this repeats:\n.*1 session session.query=delay\\(1s\\) ~");
}

} // namespace
