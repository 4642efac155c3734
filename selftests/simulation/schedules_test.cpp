// SPDX-License-Identifier: MIT
// Goal: a chooser decides what happens next, within what the contract's executor model allows.
// Method: two coroutines that each make operations; choosers that prefer one of them, or record what they
// were offered.

#include "simulate.hpp"

#include <mishap/chooser.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace asio::experimental::awaitable_operators;

namespace {

/// Always takes the last that is offered, and counts.
class last_first : public mishap::chooser
{
public:
    std::size_t choose(std::span<const mishap::choice> choices, const mishap::trace&) override
    {
        ++asked;
        const auto handlers = std::count_if(choices.begin(), choices.end(),
            [](const mishap::choice& c) { return c.what == mishap::choice::kind::handler; });
        handlers_max = std::max(handlers_max, static_cast<std::size_t>(handlers));
        completions_max = std::max(completions_max, choices.size() - static_cast<std::size_t>(handlers));
        return choices.size() - 1;
    }

    std::size_t asked = 0;
    std::size_t handlers_max = 0;
    std::size_t completions_max = 0;
};

class first_come : public mishap::chooser
{
public:
    std::size_t choose(std::span<const mishap::choice>, const mishap::trace&) override { return 0; }
};

std::string completions(const mishap::run_result& run)
{
    std::string order;
    for (const mishap::event& e : run.trace.events)
        if (e.kind == mishap::event_kind::completed)
            order += std::string(run.trace.operations[e.subject].id.name.text()) + " ";
    return order;
}

mishap::awaitable<void> two_at_once(mishap::resource& session)
{
    co_await (session.use("left") && session.use("right"));
}

TEST(chooser, decides_in_which_order_operations_complete)
{
    first_come first;
    last_first last;
    const auto in_order = simulate(two_at_once, {}, {.chooser = &first});
    const auto reversed = simulate(two_at_once, {}, {.chooser = &last});
    EXPECT_HOLDS(in_order);
    EXPECT_HOLDS(reversed);
    EXPECT_EQ(completions(in_order), "create left right close ");
    EXPECT_EQ(completions(reversed), "create right left close ");
    EXPECT_GT(last.asked, 0u);
}

TEST(chooser, is_offered_one_handler_on_one_thread_and_all_of_them_otherwise)
{
    const auto many = [](mishap::resource&) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        for (int i = 0; i < 4; ++i)
            asio::post(executor, [] {});
        co_await asio::post(asio::use_awaitable);
    };
    mishap::contract promises = nothing_promised();
    last_first single;
    EXPECT_HOLDS(simulate(many, {}, {.contract = promises, .chooser = &single}));
    EXPECT_EQ(single.handlers_max, 1u);
    promises.work.executor = mishap::executor_model::concurrent;
    last_first concurrent;
    EXPECT_HOLDS(simulate(many, {}, {.contract = promises, .chooser = &concurrent}));
    EXPECT_EQ(concurrent.handlers_max, 5u);
}

TEST(chooser, permutes_handlers_of_concurrent_managers_only)
{
    std::string order;
    const auto three = [&](mishap::resource&) -> asio::awaitable<void> {
        order.clear();
        const auto executor = co_await asio::this_coro::executor;
        for (const char c : std::string("abc"))
            asio::post(executor, [&order, c] { order += c; });
        co_await asio::post(asio::use_awaitable);
        while (order.size() < 3)
            co_await asio::post(asio::use_awaitable);
    };
    class second_if_there : public mishap::chooser
    {
    public:
        std::size_t choose(std::span<const mishap::choice> choices, const mishap::trace&) override
        {
            return choices.size() > 2 ? 1 : 0;
        }
    } order_of;
    mishap::contract promises = nothing_promised();
    EXPECT_HOLDS(simulate(three, {}, {.contract = promises, .chooser = &order_of}));
    EXPECT_EQ(order, "abc");
    promises.work.executor = mishap::executor_model::concurrent;
    EXPECT_HOLDS(simulate(three, {}, {.contract = promises, .chooser = &order_of}));
    EXPECT_NE(order, "abc");
    EXPECT_EQ(order.size(), 3u);
}

TEST(chooser, sees_operations_under_way_together)
{
    /// Lets everything start before anything completes.
    class handlers_first : public mishap::chooser
    {
    public:
        std::size_t choose(std::span<const mishap::choice> choices, const mishap::trace&) override
        {
            for (std::size_t i = 0; i < choices.size(); ++i)
                if (choices[i].what == mishap::choice::kind::handler)
                    return i;
            together = std::max(together, choices.size());
            return choices.size() - 1;
        }
        std::size_t together = 0;
    } order;
    const auto run = simulate(two_at_once, {}, {.chooser = &order});
    EXPECT_HOLDS(run);
    EXPECT_EQ(order.together, 2u);
    EXPECT_EQ(completions(run), "create right left close ");
}

TEST(chooser, gives_equal_runs_for_equal_answers)
{
    last_first one;
    last_first two;
    EXPECT_EQ(simulate(two_at_once, {}, {.chooser = &one}).trace.hash,
        simulate(two_at_once, {}, {.chooser = &two}).trace.hash);
}

TEST(chooser, may_leave_an_operation_under_way_while_it_is_cancelled)
{
    class timer_first : public mishap::chooser
    {
    public:
        std::size_t choose(std::span<const mishap::choice>, const mishap::trace&) override { return 0; }
    } order;
    const auto run = simulate(
        [&](mishap::resource& session) -> asio::awaitable<void> {
            co_await (
                session.use("query") || asio::post(co_await asio::this_coro::executor, asio::use_awaitable));
        },
        {}, {.chooser = &order});
    EXPECT_HOLDS(run);
    const auto query = std::find_if(run.trace.operations.begin(), run.trace.operations.end(),
        [](const mishap::operation_record& op) { return op.id.name == mishap::symbol("query"); });
    ASSERT_NE(query, run.trace.operations.end());
    EXPECT_EQ(query->result, mishap::result::aborted); // it would have been `ok` at once without a chooser
}

} // namespace
