// SPDX-License-Identifier: MIT
// Goal: contexts keep their protocol: what is lent is cleaned up whatever the body did, and no error is lost.
// Method: the protocol alone on a plain io_context, as in production.

#include "lending.hpp"
#include "simulate.hpp"

#include <mishap/context.hpp>
#include <mishap/explore.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace {

using mishap::context;
using mishap::context_error;
using namespace lending;

TEST(with, enters_runs_the_body_and_leaves)
{
    journal happened;
    const auto end = run_lending(happened, {}, nullptr);
    EXPECT_TRUE(end.done);
    EXPECT_EQ(end.what(), "");
    EXPECT_EQ(happened, (journal{"open", "body", "close"}));
}

TEST(with, throws_the_body_error_at_the_co_yield_and_then_at_the_caller)
{
    journal happened;
    const auto failing = error_of("lost");
    const auto end = run_lending(happened, {}, failing);
    EXPECT_EQ(end.error, failing);
    EXPECT_EQ(happened, (journal{"open", "body", "sees lost", "close"}));
}

TEST(with, passes_on_errors_of_any_type)
{
    journal happened;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        const auto plain = [](journal& into) -> context<journal> {
            co_yield into; // nothing catches: the error passes through
        };
        co_await mishap::with(plain(happened), [](journal&) -> asio::awaitable<void> { throw 42; });
    });
    EXPECT_EQ(end.what(), "the int 42");
}

TEST(with, does_not_run_the_body_when_entering_fails)
{
    journal happened;
    const auto failing = error_of("refused");
    EXPECT_EQ(run_lending(happened, {.opening = failing}, nullptr).error, failing);
    EXPECT_EQ(happened, journal{});
}

TEST(with, lets_a_context_suppress_the_body_error)
{
    journal happened;
    EXPECT_EQ(run_lending(happened, {.suppresses = true}, error_of("lost")).what(), "");
    EXPECT_EQ(happened, (journal{"open", "body", "sees lost", "close"}));
}

TEST(with, raises_a_clean_up_error_that_comes_alone)
{
    journal happened;
    const auto failing = error_of("stuck");
    EXPECT_EQ(run_lending(happened, {.closing = failing}, nullptr).error, failing);
    EXPECT_EQ(happened, (journal{"open", "body", "close"}));
}

TEST(with, reports_a_clean_up_error_beside_the_body_error)
{
    journal happened;
    const auto failing = error_of("lost");
    EXPECT_EQ(run_lending(happened, {.closing = error_of("stuck")}, failing).error, failing);
    EXPECT_EQ(happened, (journal{"open", "body", "sees lost", "close", "report stuck"}));
}

TEST(with, keeps_the_body_error_without_a_sink_and_with_one_that_throws)
{
    const auto failing = error_of("lost");
    for (const mishap::report_sink& sink :
        {mishap::report_sink(), mishap::report_sink([](std::exception_ptr) { throw 1; })}) {
        journal happened;
        const auto end = run_alone([&]() -> asio::awaitable<void> {
            const options how{.closing = error_of("stuck")};
            const auto body = [&](thing&) -> asio::awaitable<void> {
                std::rethrow_exception(failing);
                co_return;
            };
            co_await mishap::with(lend(happened, how), body, sink);
        });
        EXPECT_EQ(end.error, failing);
    }
}

TEST(with, lets_a_context_translate_the_body_error_if_it_keeps_it_nested)
{
    journal happened;
    const auto end = run_lending(happened, {.translates = true}, error_of("lost"));
    EXPECT_EQ(end.what(), "translated");
    EXPECT_EQ(happened, (journal{"open", "body", "sees lost", "close"}));
    try {
        std::rethrow_exception(end.error);
    } catch (const std::nested_exception& e) {
        EXPECT_EQ(ended{.error = e.nested_ptr()}.what(), "lost");
    } catch (...) {
        FAIL() << "the cause is lost";
    }
}

TEST(with, gives_what_the_body_gives)
{
    journal happened;
    std::unique_ptr<int> got;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        const options how;
        got = co_await mishap::with(lend(happened, how),
            [](thing&) -> asio::awaitable<std::unique_ptr<int>> { co_return std::make_unique<int>(7); });
    });
    EXPECT_EQ(end.what(), "");
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, 7);
    EXPECT_EQ(happened, (journal{"open", "close"}));
}

TEST(with, says_so_when_a_value_is_suppressed)
{
    journal happened;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        const options how{.suppresses = true};
        co_await mishap::with(lend(happened, how), [](thing&) -> asio::awaitable<int> {
            throw std::runtime_error("lost");
            co_return 7;
        });
    });
    try {
        std::rethrow_exception(end.error);
    } catch (const context_error& e) {
        EXPECT_NE(std::string(e.what()).find("was to give a value"), std::string::npos) << e.what();
        try {
            std::rethrow_if_nested(e);
            FAIL() << "the cause is lost";
        } catch (const std::runtime_error& cause) {
            EXPECT_STREQ(cause.what(), "lost");
        }
    }
}

TEST(context, that_lends_nothing_is_an_error)
{
    const auto end = run_alone([]() -> asio::awaitable<void> {
        const auto empty = [](bool lends) -> context<int> {
            int lent = 1;
            if (lends)
                co_yield lent;
        };
        co_await mishap::with(empty(false), [](int&) -> asio::awaitable<void> {
            ADD_FAILURE() << "there is nothing to lend";
            co_return;
        });
    });
    EXPECT_NE(end.what().find("ended without lending anything"), std::string::npos) << end.what();
}

/// Lends two things, one after the other, and cleans up behind both.
context<int> lend_twice(journal& happened, std::exception_ptr closing)
{
    int first = 1;
    int second = 2;
    std::exception_ptr error;
    try {
        co_yield first;
        co_yield second;
    } catch (...) {
        error = std::current_exception();
    }
    co_await turn();
    happened.push_back("close");
    if (closing)
        std::rethrow_exception(closing);
    std::rethrow_exception(error);
}

TEST(context, that_lends_twice_is_an_error_and_cleans_up)
{
    journal happened;
    int bodies = 0;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        co_await mishap::with(lend_twice(happened, nullptr), [&](int&) -> asio::awaitable<void> {
            ++bodies;
            co_return;
        });
    });
    EXPECT_NE(end.what().find("came to a second co_yield"), std::string::npos) << end.what();
    EXPECT_EQ(bodies, 1);
    EXPECT_EQ(happened, journal{"close"});
}

TEST(context, that_lends_twice_nests_the_error_of_its_clean_up)
{
    journal happened;
    const auto closing = error_of("stuck");
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        co_await mishap::with(
            lend_twice(happened, closing), [](int&) -> asio::awaitable<void> { co_return; });
    });
    EXPECT_NE(end.what().find("came to a second co_yield"), std::string::npos) << end.what();
    EXPECT_TRUE(mishap::detail::carries(end.error, closing));
}

TEST(context, that_lends_again_after_an_error_cannot_replace_it)
{
    journal happened;
    const auto stubborn = [](int& lent) -> context<int> {
        for (;;) {
            try {
                co_yield lent;
            } catch (...) { // and on it goes
            }
        }
    };
    const auto failing = error_of("lost");
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        int lent = 1;
        const auto body = [&](int&) -> asio::awaitable<void> {
            std::rethrow_exception(failing);
            co_return;
        };
        const auto report = [&](std::exception_ptr error) {
            happened.push_back(ended{.error = error}.what());
        };
        co_await mishap::with(stubborn(lent), body, report);
    });
    EXPECT_EQ(end.error, failing);
    ASSERT_EQ(happened.size(), 1u);
    EXPECT_NE(happened[0].find("came to a second co_yield"), std::string::npos) << happened[0];
}

TEST(context, is_entered_once_and_left_once_in_that_order)
{
    const auto one = [](int& lent) -> context<int> { co_yield lent; };
    int lent = 1;
    EXPECT_NE(run_alone([&]() -> asio::awaitable<void> {
        auto c = one(lent);
        co_await c.exit(nullptr);
    })
                  .what()
                  .find("left once, and after it was entered"),
        std::string::npos);
    EXPECT_NE(run_alone([&]() -> asio::awaitable<void> {
        auto c = one(lent);
        EXPECT_EQ(&(co_await c.enter()).get(), &lent);
        EXPECT_FALSE(co_await c.exit(nullptr));
        co_await c.enter();
    })
                  .what()
                  .find("can be entered once"),
        std::string::npos);
}

TEST(context, moves_until_it_is_entered)
{
    const auto one = [](int& lent) -> context<int> { co_yield lent; };
    int first = 1;
    int second = 2;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        auto a = one(first);
        auto b = one(second);
        a = std::move(b);
        auto c = std::move(a);
        EXPECT_EQ((co_await c.enter()).get(), 2);
        EXPECT_FALSE(co_await c.exit(nullptr));
    });
    EXPECT_EQ(end.what(), "");
}

TEST(context, may_lend_what_it_yields_itself_and_what_derives_from_it)
{
    struct base
    {
        int value;
    };
    struct derived : base
    {};
    const auto temporary = []() -> context<std::tuple<int, int>> { co_yield std::tuple(1, 2); };
    const auto child = []() -> context<base> {
        derived lent{{3}};
        co_yield lent;
    };
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        co_await mishap::with(temporary(), [](std::tuple<int, int>& both) -> asio::awaitable<void> {
            co_await turn();
            EXPECT_EQ(both, std::tuple(1, 2));
        });
        const int value =
            co_await mishap::with(child(), [](base& lent) -> asio::awaitable<int> { co_return lent.value; });
        EXPECT_EQ(value, 3);
    });
    EXPECT_EQ(end.what(), "");
}

TEST(context, runs_on_the_executor_of_whoever_enters)
{
    asio::io_context io;
    auto strand = asio::make_strand(io);
    const auto where = [&]() -> context<int> {
        int lent = 1;
        EXPECT_TRUE(co_await asio::this_coro::executor == asio::any_io_executor(strand));
        co_await turn();
        EXPECT_TRUE(strand.running_in_this_thread());
        co_yield lent;
        EXPECT_TRUE(co_await asio::this_coro::executor == asio::any_io_executor(strand));
        co_await turn();
        EXPECT_TRUE(strand.running_in_this_thread());
    };
    bool done = false;
    asio::co_spawn(
        strand,
        [&]() -> asio::awaitable<void> {
            co_await mishap::with(where(), [](int&) -> asio::awaitable<void> { co_await turn(); });
            EXPECT_TRUE(strand.running_in_this_thread());
        },
        [&](std::exception_ptr error) { done = !error; });
    io.run();
    EXPECT_TRUE(done);
}

} // namespace
