// SPDX-License-Identifier: MIT
// Goal: a real operation is part of a run like a mock's, and its effect comes when the ledger says that it
// does. Method: operations that count and throw, in the place of files and sockets.

#include "support/under_test.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

namespace {

using namespace selftest;
using mishap::role;

/// A resource whose operations have effects outside the simulation.
struct real_resource : mock_resource
{
    int opened = 0;
    int written = 0;
    int closed = 0;

    awaitable<void> create()
    {
        return around(role::create, "create", [this] { ++opened; });
    }
    awaitable<int> use()
    {
        return around(role::use, "use", [this] { return ++written; });
    }
    awaitable<void> close()
    {
        return around(role::close, "close", [this] { ++closed; });
    }
};

/// How often each effect came, as "opened written closed".
std::string effects_under(std::string_view plan)
{
    std::string effects;
    const run_result done = run_under(plan, [&](environment& env) -> awaitable<void> {
        real_resource real;
        const auto write = [](real_resource& lent) -> awaitable<void> { co_await lent.use(); };
        const auto work = [&]() -> awaitable<void> {
            co_await real.create();
            co_await with_cleanup([&] { return env.body(write)(real); }, [&] { return real.close(); });
        };
        std::exception_ptr error;
        try {
            co_await work();
        } catch (...) {
            error = std::current_exception();
        }
        effects = std::to_string(real.opened) + std::to_string(real.written) + std::to_string(real.closed);
        if (error)
            std::rethrow_exception(error);
    });
    EXPECT_TRUE(holds(done)) << plan;
    return effects;
}

TEST(around, takes_effect_when_the_ledger_says_so)
{
    EXPECT_EQ(effects_under(""), "111");
    EXPECT_EQ(effects_under("resource.use=ok_now"), "111");
    EXPECT_EQ(effects_under("resource.use=delay(5s)"), "111");
    EXPECT_EQ(effects_under("resource.use=late(5s)"), "111");
    EXPECT_EQ(effects_under("resource.create=fail(io_error)"), "000");
    EXPECT_EQ(effects_under("resource.use=fail(io_error)"), "101");
    EXPECT_EQ(effects_under("resource.use=bad_alloc"), "101");
    EXPECT_EQ(effects_under("resource.use=fail_after_effect(io_error)"), "111");
    EXPECT_EQ(effects_under("resource.use=cancel"), "101");
    EXPECT_EQ(effects_under("resource.use=hang"), "101");
    EXPECT_EQ(effects_under("resource.close=fail(io_error)"), "110");
    EXPECT_EQ(effects_under("resource.close=fail_after_effect(io_error)"), "111");
}

TEST(around, of_a_create_whose_reply_is_lost_nothing_is_left)
{
    EXPECT_EQ(effects_under("resource.create=fail_after_effect(io_error)"), "000");
}

TEST(around, gives_what_the_operation_returns)
{
    run_under("", [](environment&) -> awaitable<void> {
        real_resource real;
        co_await real.create();
        EXPECT_EQ(co_await real.use(), 1);
        EXPECT_EQ(co_await real.use(), 2);
        co_await real.close();
    });
}

/// Opens a resource whose write fails by itself, and closes it.
awaitable<void> write_fails(environment& env)
{
    mock_resource real;
    co_await real.create();
    const auto write = [](mock_resource& lent) {
        return lent.around(role::use, "write", [] { throw std::length_error("no space"); });
    };
    co_await with_cleanup([&] { return env.body(write)(real); }, [&] { return real.close(); });
}

TEST(around, an_error_of_its_own_is_judged_as_an_injected_one)
{
    EXPECT_TRUE(holds(run_under("", write_fails)));
    const run_result replaced = run_under("", [](environment& env) -> awaitable<void> {
        try {
            co_await write_fails(env);
        } catch (const std::length_error&) {
            throw std::runtime_error("cannot write");
        }
    });
    EXPECT_TRUE(breaks_only(replaced, "preserves_error"));
    EXPECT_NE(sentence_of(replaced).find("no space"), std::string::npos) << sentence_of(replaced);
    EXPECT_TRUE(holds_under_any_two_faults(write_fails));
}

TEST(around, a_copy_of_its_code_is_the_same_error)
{
    const auto code = std::make_error_code(std::errc::no_space_on_device);
    const run_result done = run_under("", [&](environment& env) -> awaitable<void> {
        mock_resource real;
        co_await real.create();
        const auto write = [&](mock_resource& lent) {
            return lent.around(role::use, "write", [&] { throw std::system_error(code); });
        };
        std::error_code seen;
        try {
            co_await env.body(write)(real);
        } catch (const std::system_error& e) {
            seen = e.code();
        }
        co_await real.close();
        if (seen)
            throw std::system_error(seen, "cannot write");
    });
    EXPECT_TRUE(holds(done));
}

TEST(around, the_real_world_is_no_part_of_the_simulation)
{
    const run_result done = run_under("", [](environment&) -> awaitable<void> {
        mock_resource real;
        co_await real.create();
        const auto before = std::chrono::steady_clock::now();
        bool fired = false;
        co_await real.around(role::use, "exchange", [&] {
            std::thread([] {}).join();
            asio::io_context own;
            asio::steady_timer timer(own, 1us);
            timer.async_wait([&](auto) { fired = true; });
            own.run();
        });
        EXPECT_TRUE(fired);
        EXPECT_EQ(std::chrono::steady_clock::now(), before);
        co_await real.close();
    });
    EXPECT_TRUE(holds(done));
}

TEST(around, an_abandoned_operation_has_no_effect)
{
    int effects = 0;
    run_under("abandon(c0 after 2 steps)", [&](environment&) -> awaitable<void> {
        mock_resource real;
        co_await real.create();
        co_await real.use("first");
        co_await real.around(role::use, "write", [&] { ++effects; });
    });
    EXPECT_EQ(effects, 0);
}

} // namespace
