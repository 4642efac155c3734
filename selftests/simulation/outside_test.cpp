// Goal: code that would leave the simulation or block its thread is told so by name, never silently real.
// Method: managers that start threads, sleep, wait and run contexts; waits that nobody could end run in a
// child process.

#include "simulate.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/thread_pool.hpp>

#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include <poll.h>
#include <unistd.h>

namespace {

std::string first_sentence(const mishap::run_result& run)
{
    return run.verdict.violations.empty() ? "" : run.verdict.violations[0].sentence;
}

TEST(leaves_the_simulation, names_threads)
{
    const auto by_thread = simulate([](mishap::resource&) -> asio::awaitable<void> {
        std::thread([] {}).join();
        co_return;
    });
    EXPECT_TRUE(by_thread.violates("leaves_the_simulation"));
    EXPECT_NE(first_sentence(by_thread).find("pthread_create"), std::string::npos)
        << first_sentence(by_thread);

    EXPECT_TRUE(simulate([](mishap::resource&) -> asio::awaitable<void> {
        asio::thread_pool pool(1);
        pool.join();
        co_return;
    }).violates("leaves_the_simulation"));

    EXPECT_TRUE(simulate([](mishap::resource&) -> asio::awaitable<void> {
        EXPECT_EQ(std::async(std::launch::async, [] { return 3; }).get(), 3);
        co_return;
    }).violates("leaves_the_simulation"));

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
            if (allow)
                allowed.emplace(mishap::environment::current().allow_outside());
            int ends[2];
            EXPECT_EQ(::pipe(ends), 0);
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

TEST(blocks_the_thread_DeathTest, of_a_wait_that_nobody_could_end_ends_the_program_with_its_plan)
{
    const auto waiting_for = [](auto wait) {
        return [wait] {
            simulate(
                [wait](mishap::resource& session) -> asio::awaitable<void> {
                    co_await session.use("query");
                    wait();
                },
                mishap::parse_plan("session.query=delay(1s)"));
        };
    };
    std::promise<int> never;
    const auto on_promise = waiting_for([&] { never.get_future().wait(); });
    EXPECT_DEATH(
        on_promise(), "blocks the thread in a futex wait.*\n.*1 session session.query=delay\\(1s\\) ~");
    const auto on_condition = waiting_for([] {
        std::mutex mutex;
        std::condition_variable condition;
        std::unique_lock lock(mutex);
        condition.wait(lock, [] { return false; });
    });
    EXPECT_DEATH(on_condition(), "blocks the thread in pthread_cond_wait");
    const auto on_context = waiting_for([] {
        asio::io_context mine;
        asio::steady_timer timer(mine, asio::steady_timer::time_point::max());
        timer.async_wait([](boost::system::error_code) {});
        mine.run();
    });
    EXPECT_DEATH(on_context(), "blocks the thread in io_context::run");
}

TEST(blocks_the_thread_DeathTest, and_terminate_names_the_run_that_it_struck)
{
    EXPECT_DEATH(simulate(
                     [](mishap::resource& session) -> asio::awaitable<void> {
                         co_await session.use("query");
                         std::terminate();
                     },
                     mishap::parse_plan("session.query=delay(1s)")),
        "std::terminate was called in the run that this repeats:\n.*1 session session.query=delay\\(1s\\) ~");
}

} // namespace
