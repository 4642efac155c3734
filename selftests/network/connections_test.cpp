// SPDX-License-Identifier: MIT
// Code with stock sockets inside runs: what the ledger has of it, what the plan does to it, and what is said.

#include "shared/with_deadline.hpp"
#include "vocabulary/causes.hpp"

#include <mishap/environment.hpp>
#include <mishap/explore.hpp>
#include <mishap/network.hpp>
#include <mishap/report.hpp>
#include <mishap/run.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <gmock/gmock.h>

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
using testing::HasSubstr;
using namespace std::chrono_literals;

namespace {

using mishap::fault;

const tcp::endpoint shop(asio::ip::make_address("10.9.0.1"), 80);

mishap::contract quiet()
{
    return {.time = {.unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::other}}};
}

mishap::awaitable<std::string> ask(tcp::socket& s)
{
    co_await asio::async_write(s, asio::buffer("hello\n", 6), use_awaitable);
    std::string line;
    const std::size_t length =
        co_await asio::async_read_until(s, asio::dynamic_buffer(line), '\n', use_awaitable);
    co_return line.substr(0, length - 1);
}

mishap::awaitable<void> answer(tcp::socket s)
{
    std::string line;
    co_await asio::async_read_until(s, asio::dynamic_buffer(line), '\n', use_awaitable);
    co_await asio::async_write(s, asio::buffer("hello yourself\n", 15), use_awaitable);
}

template <class Work>
mishap::run_result simulate(
    Work work, const mishap::fault_plan& plan = {}, mishap::contract promises = quiet())
{
    const mishap::manager under_test(
        "client", [&](mishap::environment& env) { return work(env); }, std::move(promises));
    return mishap::run(under_test, plan);
}

std::string why(const mishap::run_result& run)
{
    std::string text;
    for (const mishap::violation& v : run.verdict.violations)
        text += mishap::report(run, v);
    return text;
}

#define EXPECT_HOLDS(run) EXPECT_TRUE((run).holds()) << why(run)

/// The client of most tests: connects, asks, closes.
mishap::awaitable<void> asks_once(mishap::environment& env)
{
    env.network().listen("10.9.0.1:80", &answer);
    tcp::socket s(env.executor());
    co_await s.async_connect(shop, use_awaitable);
    env.note(co_await ask(s));
    s.close();
}

std::vector<std::string> operations(const mishap::run_result& run)
{
    std::vector<std::string> all;
    for (const mishap::operation_record& op : run.trace.operations)
        all.push_back(to_string(run.trace, op));
    return all;
}

std::string error_of(const mishap::run_result& run)
{
    return run.trace.outcomes.at(0).error
               ? mishap::detail::name_of_error(run.trace, run.trace.outcomes.at(0).error)
               : "none";
}

TEST(connections, talk_to_a_peer_that_is_a_coroutine)
{
    const auto run = simulate(&asks_once);
    EXPECT_HOLDS(run);
    EXPECT_THAT(run.trace.notes, testing::ElementsAre("hello yourself"));
    EXPECT_THAT(operations(run),
        testing::ElementsAre("tcp.socket#1", "tcp.connect#1", "tcp.send#1", "tcp.receive#1", "tcp.close#1"));
    EXPECT_EQ(run.trace.outcomes[0].ending, mishap::ending::returned);
}

TEST(connections, are_the_same_in_each_run)
{
    const auto first = simulate(&asks_once);
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(simulate(&asks_once).trace.hash, first.trace.hash);
}

TEST(connections, talk_to_a_peer_that_is_a_script)
{
    const auto run = simulate([](mishap::environment& env) -> mishap::awaitable<void> {
        env.network().play("10.9.0.1:80", "expect hello\\n\nwait 2s\nreply hi\\n\nclose\n");
        tcp::socket s(env.executor());
        co_await s.async_connect(shop, use_awaitable);
        env.note(co_await ask(s));
        s.close();
    });
    EXPECT_HOLDS(run);
    EXPECT_THAT(run.trace.notes, testing::ElementsAre("hi"));
    // Each message is on its way for a millisecond.
    EXPECT_EQ(run.trace.time_of(run.trace.outcomes[0].ended), 2s + 4ms);
}

TEST(connections, a_script_that_is_told_something_else_is_a_failed_expectation)
{
    const auto run = simulate([](mishap::environment& env) -> mishap::awaitable<void> {
        env.network().play("10.9.0.1:80", "expect GET\n");
        tcp::socket s(env.executor());
        co_await s.async_connect(shop, use_awaitable);
        co_await ask(s);
    });
    EXPECT_TRUE(run.violates("expectation")) << why(run);
    EXPECT_THAT(why(run), HasSubstr("it expected \"GET\", and got \"hello\\n\""));
}

TEST(connections, resolve_names_on_a_thread_that_is_held)
{
    const auto work = [](mishap::environment& env) -> mishap::awaitable<void> {
        env.network().listen("shop.example:80", &answer);
        tcp::resolver resolver(env.executor());
        const auto found = co_await resolver.async_resolve("shop.example", "80", use_awaitable);
        tcp::socket s(env.executor());
        co_await asio::async_connect(s, found, use_awaitable);
        env.note(co_await ask(s));
        s.close();
    };
    const auto first = simulate(work);
    EXPECT_HOLDS(first);
    EXPECT_THAT(first.trace.notes, testing::ElementsAre("hello yourself"));
    EXPECT_THAT(
        operations(first), testing::ElementsAre("resolve#1", "tcp.socket#1", "shop_example.connect#1",
                               "shop_example.send#1", "shop_example.receive#1", "shop_example.close#1"));
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(simulate(work).trace.hash, first.trace.hash);
    mishap::fault_plan plan;
    plan.at("resolve", fault::fail("host_not_found"));
    const auto lost = simulate(work, plan);
    EXPECT_HOLDS(lost);
    EXPECT_EQ(error_of(lost), "host_not_found");
}

TEST(connections, a_name_that_nobody_has_is_not_found)
{
    const auto run = simulate([](mishap::environment& env) -> mishap::awaitable<void> {
        tcp::resolver resolver(env.executor());
        co_await resolver.async_resolve("nowhere.example", "80", use_awaitable);
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(error_of(run), "host_not_found");
}

TEST(connections, fail_as_the_plan_says)
{
    const std::pair<const char*, const char*> cases[] = {{"tcp.connect", "connection_refused"},
        {"tcp.connect", "host_unreachable"}, {"tcp.send", "connection_reset"},
        {"tcp.receive", "connection_reset"}, {"tcp.receive", "end_of_file"},
        {"tcp.socket", "too_many_files"}};
    for (const auto& [where, what] : cases) {
        mishap::fault_plan plan;
        plan.at(where, fault::fail(what));
        const auto run = simulate(&asks_once, plan);
        EXPECT_HOLDS(run) << where << " " << what;
        EXPECT_EQ(error_of(run), what) << where;
    }
}

TEST(connections, move_one_byte_at_a_time)
{
    mishap::fault_plan plan;
    plan.at("tcp.send#1", fault::one_byte()).at("tcp.receive#1", fault::one_byte());
    const auto run = simulate(&asks_once, plan);
    EXPECT_HOLDS(run);
    EXPECT_THAT(run.trace.notes, testing::ElementsAre("hello yourself"));
    EXPECT_THAT(operations(run), testing::Contains("tcp.send#2"));
    EXPECT_THAT(operations(run), testing::Contains("tcp.receive#2"));
}

TEST(connections, are_late)
{
    mishap::fault_plan plan;
    plan.at("tcp.connect", fault::delay(3s)).at("tcp.receive", fault::delay(4s));
    const auto run = simulate(&asks_once, plan);
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.time_of(run.trace.outcomes[0].ended), 7s + 1ms);
}

TEST(connections, that_hang_are_told_with_what_they_wait_for)
{
    mishap::fault_plan plan;
    plan.at("tcp.receive", fault::hang());
    const auto run = simulate(&asks_once, plan, {});
    EXPECT_TRUE(run.violates("completes")) << why(run);
    EXPECT_THAT(why(run), HasSubstr("bytes from 10.9.0.1:80"));
}

TEST(connections, whose_peer_is_silent_are_told_with_its_script)
{
    const auto run = simulate(
        [](mishap::environment& env) -> mishap::awaitable<void> {
            env.network().play("10.9.0.1:80", "expect hello\\n\nsilence\n");
            tcp::socket s(env.executor());
            co_await s.async_connect(shop, use_awaitable);
            co_await ask(s);
        },
        {}, {});
    EXPECT_TRUE(run.violates("completes")) << why(run);
    EXPECT_THAT(why(run), HasSubstr("bytes from 10.9.0.1:80; its script is over"));
}

TEST(connections, into_a_black_hole_are_given_up_at_the_deadline)
{
    const auto work = [](mishap::environment& env) -> mishap::awaitable<void> {
        env.network().listen("10.9.0.1:80");
        tcp::socket s(env.executor());
        co_await catalogue::with_deadline([&] { return s.async_connect(shop, asio::use_awaitable); }, 30s);
    };
    const auto run = simulate(work, {}, {.time = {.create = 30s}});
    EXPECT_HOLDS(run);
    EXPECT_EQ(error_of(run), "timed_out");
    EXPECT_EQ(run.trace.time_of(run.trace.outcomes[0].ended), 30s);
}

TEST(connections, a_descriptor_that_leaks_is_blamed)
{
    const auto run = simulate([](mishap::environment&) -> mishap::awaitable<void> {
        static_cast<void>(::socket(AF_INET, SOCK_STREAM, 0));
        co_return;
    });
    EXPECT_TRUE(run.violates("closes_everything")) << why(run);
}

TEST(connections, a_descriptor_that_leaks_when_the_connect_failed_is_blamed)
{
    const auto run = simulate([](mishap::environment& env) -> mishap::awaitable<void> {
        env.network().refuse("10.9.0.1:80");
        tcp::socket s(env.executor());
        boost::system::error_code error;
        co_await s.async_connect(shop, asio::redirect_error(use_awaitable, error));
        s.release();
        throw boost::system::system_error(error);
    });
    EXPECT_TRUE(run.violates("closes_everything")) << why(run);
}

TEST(connections, a_descriptor_that_is_closed_twice_is_blamed)
{
    const auto run = simulate([](mishap::environment&) -> mishap::awaitable<void> {
        const int s = ::socket(AF_INET, SOCK_STREAM, 0);
        ::close(s);
        ::close(s);
        co_return;
    });
    EXPECT_TRUE(run.violates("closes_once")) << why(run);
}

TEST(connections, a_descriptor_that_is_used_when_closed_is_blamed)
{
    const auto run = simulate([](mishap::environment&) -> mishap::awaitable<void> {
        const int s = ::socket(AF_INET, SOCK_STREAM, 0);
        ::close(s);
        char byte = 0;
        static_cast<void>(::recv(s, &byte, 1, 0));
        co_return;
    });
    EXPECT_TRUE(run.violates("no_use_after_close")) << why(run);
}

TEST(connections, outside_is_real_where_it_is_allowed)
{
    const auto run = simulate([](mishap::environment& env) -> mishap::awaitable<void> {
        const auto outside = env.allow_outside();
        const int s = ::socket(AF_INET, SOCK_STREAM, 0);
        struct stat known
        {};
        env.note(::fstat(s, &known) == 0 && S_ISSOCK(known.st_mode) ? "real" : "in memory");
        ::close(s);
        co_return;
    });
    EXPECT_HOLDS(run);
    EXPECT_THAT(run.trace.notes, testing::ElementsAre("real"));
    EXPECT_TRUE(operations(run).empty());
}

TEST(connections, what_is_not_simulated_is_named)
{
    const auto run = simulate([](mishap::environment&) -> mishap::awaitable<void> {
        const int s = ::socket(AF_INET, SOCK_STREAM, 0);
        static_cast<void>(::dup(s));
        ::close(s);
        co_return;
    });
    EXPECT_TRUE(run.violates("leaves_the_simulation"));
    EXPECT_THAT(why(run), HasSubstr("dup() of a socket"));
}

TEST(connections, latency_and_partitions_take_virtual_time)
{
    const auto run = simulate([](mishap::environment& env) -> mishap::awaitable<void> {
        env.network().listen("far.example:80", &answer);
        env.network().between("client", "far.example", {.latency = 50ms});
        env.network().partition("client", "far.example", 1s, 10s);
        asio::steady_timer pause(env.executor(), 900ms);
        co_await pause.async_wait(use_awaitable);
        tcp::resolver resolver(env.executor());
        tcp::socket s(env.executor());
        co_await asio::async_connect(
            s, co_await resolver.async_resolve("far.example", "80", use_awaitable), use_awaitable);
        env.note(co_await ask(s));
        s.close();
    });
    EXPECT_HOLDS(run);
    // The question is under way when the line is cut, and the answer arrives when it is mended.
    EXPECT_EQ(run.trace.time_of(run.trace.outcomes[0].ended), 10s + 100ms);
}

TEST(connections, a_partition_leaves_the_rest_of_a_route_as_it_is)
{
    const auto run = simulate([](mishap::environment& env) -> mishap::awaitable<void> {
        env.network().listen("10.9.0.1:80", &answer);
        env.network().between("", "", {.latency = 50ms});
        env.network().partition("client", "10.9.0.1", 1min, 2min);
        tcp::socket s(env.executor());
        co_await s.async_connect(shop, use_awaitable);
        env.note(co_await ask(s));
        s.close();
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.time_of(run.trace.outcomes[0].ended), 200ms);
}

TEST(connections, what_is_said_of_one_host_counts_more_than_what_is_said_of_all)
{
    const auto run = simulate([](mishap::environment& env) -> mishap::awaitable<void> {
        env.network().listen("10.9.0.1:80", &answer);
        env.network().between("", "10.9.0.1", {.latency = 1s});
        tcp::socket s(env.executor());
        co_await s.async_connect(shop, use_awaitable);
        env.note(co_await ask(s));
        s.close();
    });
    EXPECT_HOLDS(run);
    EXPECT_EQ(run.trace.time_of(run.trace.outcomes[0].ended), 4s);
}

TEST(connections, a_restart_strikes_what_is_connected_and_not_who_comes_later)
{
    const auto run = simulate([](mishap::environment& env) -> mishap::awaitable<void> {
        env.network().restart("10.9.0.1:80", 1s, 2s);
        env.network().listen("10.9.0.1:80", &answer); // after it was said when it is down
        boost::system::error_code error;
        {
            tcp::socket s(env.executor());
            co_await s.async_connect(shop, use_awaitable);
            char byte = 0;
            co_await s.async_read_some(asio::buffer(&byte, 1), asio::redirect_error(use_awaitable, error));
            env.note(error == asio::error::connection_reset ? "reset" : error.message());
        }
        asio::steady_timer pause(env.executor(), 5s);
        co_await pause.async_wait(use_awaitable);
        tcp::socket s(env.executor());
        co_await s.async_connect(shop, use_awaitable);
        env.note(co_await ask(s));
    });
    EXPECT_THAT(run.trace.notes, testing::ElementsAre("reset", "hello yourself"));
}

TEST(connections, may_break_after_a_message_that_arrived)
{
    mishap::fault_plan plan;
    plan.at("tcp.receive", fault::fail_after_effect("connection_reset"));
    const auto run = simulate(&asks_once, plan);
    EXPECT_HOLDS(run);
    EXPECT_THAT(run.trace.notes, testing::ElementsAre("hello yourself"));
}

/// The right client: each step has a deadline, and what went wrong reaches its caller.
mishap::awaitable<void> asks_in_time(mishap::environment& env)
{
    env.network().listen("10.9.0.1:80", &answer);
    tcp::socket s(env.executor());
    co_await catalogue::with_deadline([&] { return s.async_connect(shop, asio::use_awaitable); }, 5s);
    std::string line;
    co_await catalogue::with_deadline([&]() -> mishap::awaitable<void> { line = co_await ask(s); }, 5s);
}

std::string all_of(const mishap::campaign_result& swept)
{
    std::string text = mishap::summary(swept);
    for (const mishap::counterexample& found : swept.counterexamples)
        text += mishap::report(found);
    return text;
}

mishap::contract in_time() { return {.time = {.create = 5s, .unbounded = {mishap::phase::other}}}; }

TEST(connections, are_swept_with_what_a_network_does)
{
    const mishap::manager right("right", &asks_in_time, in_time());
    const mishap::campaign_result swept = mishap::sweep(right, {.perturbations = 2});
    EXPECT_TRUE(swept.holds()) << all_of(swept);
    for (const char* operation : {"tcp.connect", "tcp.send", "tcp.receive", "tcp.socket"})
        EXPECT_TRUE(swept.coverage.contains(operation)) << operation;
}

TEST(connections, a_client_that_takes_an_early_end_for_success_is_found)
{
    const mishap::manager wrong(
        "wrong",
        [](mishap::environment& env) -> mishap::awaitable<void> {
            env.network().listen("10.9.0.1:80", &answer);
            tcp::socket s(env.executor());
            co_await s.async_connect(shop, use_awaitable);
            co_await asio::async_write(s, asio::buffer("hello\n", 6), use_awaitable);
            std::string line;
            boost::system::error_code error;
            co_await asio::async_read_until(
                s, asio::dynamic_buffer(line), '\n', asio::redirect_error(use_awaitable, error));
            if (error && error != asio::error::eof)
                throw boost::system::system_error(error);
        },
        quiet());
    const mishap::campaign_result swept = mishap::sweep(wrong, {.perturbations = 1});
    EXPECT_FALSE(swept.holds());
    EXPECT_THAT(all_of(swept), HasSubstr("tcp.receive=fail(end_of_file)"));
}

TEST(connections, a_thread_pool_is_held_and_joined)
{
    const auto work = [](mishap::environment& env) -> mishap::awaitable<void> {
        asio::thread_pool pool(2);
        int sum = 0;
        for (int i = 1; i <= 10; ++i)
            asio::post(pool, [&sum, i] { sum += i; });
        pool.join();
        env.note(std::to_string(sum));
        co_return;
    };
    const auto first = simulate(work);
    EXPECT_HOLDS(first);
    EXPECT_THAT(first.trace.notes, testing::ElementsAre("55"));
    EXPECT_EQ(simulate(work).trace.hash, first.trace.hash);
}

} // namespace
