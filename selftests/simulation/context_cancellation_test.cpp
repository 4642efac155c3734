// SPDX-License-Identifier: MIT
// Goal: what is lent is cleaned up however the work is cancelled, destroyed or failed by others.
// Method: cancellations and destruction on a plain io_context; then managers made of contexts, in the
// simulation, with every fault and every cancellation that a sweep finds.

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

/// Spawns `main`, lets it run until it waits, cancels it, lets it run on.
template <class Main>
ended run_cancelled(Main main)
{
    asio::io_context io;
    ended end;
    asio::cancellation_signal signal;
    asio::co_spawn(io, main(), asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr error) {
        end.error = error;
        end.done = true;
    }));
    io.poll();
    signal.emit(asio::cancellation_type::terminal);
    io.restart();
    io.run();
    return end;
}

bool is_abort(const std::exception_ptr& error)
{
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& e) {
        return e.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

/// Never expires by itself.
asio::awaitable<void> wait_for_ever()
{
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
}

TEST(cancellation_of_a_context, reaches_the_operation_awaited_while_entering)
{
    journal happened;
    const auto waits = [](journal& into) -> context<journal> {
        try {
            co_await wait_for_ever();
        } catch (const boost::system::system_error&) {
            into.push_back("aborted");
            throw;
        }
        co_yield into;
    };
    const auto end = run_cancelled([&]() -> asio::awaitable<void> {
        co_await mishap::with(waits(happened), [](journal& into) -> asio::awaitable<void> {
            into.push_back("body");
            co_return;
        });
    });
    EXPECT_TRUE(is_abort(end.error));
    EXPECT_EQ(happened, journal{"aborted"});
}

TEST(cancellation_of_a_context, reaches_the_body_and_not_the_clean_up)
{
    journal happened;
    const auto end = run_cancelled([&]() -> asio::awaitable<void> {
        const options how;
        co_await mishap::with(lend(happened, how), [](thing&) { return wait_for_ever(); });
    });
    EXPECT_TRUE(is_abort(end.error));
    ASSERT_EQ(happened.size(), 3u);
    EXPECT_EQ(happened[2], "close"); // which is suspended once before
}

TEST(cancellation_of_a_context, that_comes_while_leaving_is_seen_afterwards)
{
    journal happened;
    asio::cancellation_signal signal;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        const auto inner = [&]() -> asio::awaitable<void> {
            const auto struck = [&]() -> context<journal> {
                co_yield happened;
                signal.emit(asio::cancellation_type::terminal);
                co_await turn();
                happened.push_back("close");
            };
            co_await mishap::with(struck(), [](journal&) -> asio::awaitable<void> { co_return; });
            happened.push_back("after");
            const bool noticed = (co_await asio::this_coro::cancellation_state).cancelled() ==
                                 asio::cancellation_type::terminal;
            happened.push_back(noticed ? "cancelled" : "not cancelled");
            co_await turn();
            happened.push_back("too far");
        };
        co_await asio::co_spawn(co_await asio::this_coro::executor, inner(),
            asio::bind_cancellation_slot(signal.slot(), asio::use_awaitable));
    });
    EXPECT_TRUE(is_abort(end.error));
    EXPECT_EQ(happened, (journal{"close", "after", "cancelled"}));
}

TEST(cancellation_of_a_context, is_what_this_coro_says_inside)
{
    bool shields = false;
    journal happened;
    const auto shielded = [&]() -> context<journal> {
        EXPECT_TRUE(co_await asio::this_coro::throw_if_cancelled());
        try {
            co_await wait_for_ever();
        } catch (const boost::system::system_error&) {
            happened.push_back("aborted");
        }
        EXPECT_EQ(
            (co_await asio::this_coro::cancellation_state).cancelled(), asio::cancellation_type::terminal);
        if (shields) {
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
            co_await turn(); // would throw otherwise
        } else {
            try {
                co_await turn();
                ADD_FAILURE() << "a cancelled coroutine goes on";
            } catch (const boost::system::system_error&) {
                happened.push_back("aborted again");
            }
            co_await asio::this_coro::throw_if_cancelled(false);
            EXPECT_FALSE(co_await asio::this_coro::throw_if_cancelled());
            co_await turn();
        }
        happened.push_back("open");
        co_yield happened;
    };
    for (const bool now : {false, true}) {
        shields = now;
        happened.clear();
        const auto end = run_cancelled([&]() -> asio::awaitable<void> {
            co_await mishap::with(shielded(), [](journal&) -> asio::awaitable<void> { co_return; });
        });
        EXPECT_EQ(end.what(), "");
        EXPECT_EQ(
            happened, shields ? (journal{"aborted", "open"}) : (journal{"aborted", "aborted again", "open"}));
    }
}

/// Sets a flag when it is destroyed.
struct flag_setter
{
    bool& flag;
    ~flag_setter() { flag = true; }
};

TEST(context, is_destroyed_with_whoever_awaits_it)
{
    // In which phase it waits for ever: entering, the body, leaving.
    for (int phase = 0; phase < 3; ++phase) {
        SCOPED_TRACE(phase);
        bool destroyed = false;
        {
            asio::io_context io;
            const auto waiting = [&]() -> context<int> {
                const flag_setter mark{destroyed};
                int lent = 1;
                if (phase == 0)
                    co_await wait_for_ever();
                co_yield lent;
                if (phase == 2)
                    co_await wait_for_ever();
            };
            asio::co_spawn(
                io,
                [&]() -> asio::awaitable<void> {
                    co_await mishap::with(waiting(), [&](int&) -> asio::awaitable<void> {
                        if (phase == 1)
                            co_await wait_for_ever();
                    });
                },
                [](std::exception_ptr) {});
            io.poll();
            EXPECT_FALSE(destroyed);
        }
        EXPECT_TRUE(destroyed);
    }
}

/// A class instead of a coroutine, which lends a value that `with` keeps.
class ticket_office
{
public:
    explicit ticket_office(journal& happened) : happened_(&happened) {}

    asio::awaitable<std::string> enter()
    {
        co_await turn();
        co_return "ticket";
    }

    asio::awaitable<bool> exit(std::exception_ptr error)
    {
        co_await turn();
        happened_->push_back(error ? "refund" : "used");
        co_return error != nullptr;
    }

private:
    journal* happened_;
};

TEST(with, takes_a_class_that_enters_and_exits)
{
    journal happened;
    const auto end = run_alone([&]() -> asio::awaitable<void> {
        co_await mishap::with(ticket_office(happened), [](std::string& lent) -> asio::awaitable<void> {
            EXPECT_EQ(lent, "ticket");
            co_return;
        });
        co_await mishap::with(ticket_office(happened),
            [](std::string&) -> asio::awaitable<void> { throw std::runtime_error("suppressed"); });
    });
    EXPECT_EQ(end.what(), "");
    EXPECT_EQ(happened, (journal{"used", "refund"}));
}

static_assert(mishap::async_context<context<int>>);
static_assert(mishap::async_context<ticket_office>);
static_assert(!mishap::async_context<asio::awaitable<int>>);
static_assert(!mishap::async_context<int>);

// Managers made of contexts, in the simulation
// ----------------------------------------------------------------------------------------------------

context<mishap::mock_resource> open_session(mishap::mock_resource& session)
{
    co_await session.create();
    std::exception_ptr error;
    try {
        co_yield session;
    } catch (...) {
        error = std::current_exception();
    }
    co_await session.close();
    if (error)
        std::rethrow_exception(error);
}

/// A session opened inside another one's body.
mishap::awaitable<void> nested(mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    mishap::mock_resource outer("outer");
    mishap::mock_resource inner("inner");
    const auto both = [&](mishap::mock_resource&) {
        return mishap::with(open_session(inner), env.body(), log);
    };
    co_await mishap::with(open_session(outer), both, log);
}

mishap::awaitable<void> several(mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
        mishap::mock_resource session("session");
        co_await mishap::with(open_session(session), client.body(), log);
    });
}

testing::AssertionResult holds(const mishap::campaign_result& result)
{
    if (result.holds() && result.complete)
        return testing::AssertionSuccess();
    auto failure = testing::AssertionFailure() << result.covered << ' ' << result.invalid;
    for (const mishap::counterexample& c : result.counterexamples)
        failure << '\n' << mishap::report(c);
    return failure;
}

TEST(with, holds_under_any_two_mishaps_when_nested)
{
    const mishap::manager under_test(
        "nested", &nested, {.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}});
    EXPECT_TRUE(holds(mishap::sweep(under_test)));
}

TEST(with, holds_for_several_clients_whoever_fails_or_is_cancelled)
{
    const mishap::manager under_test("several", &several,
        {.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}, .capacity = {.clients = 2}});
    EXPECT_TRUE(holds(mishap::sweep(
        under_test, {.kinds = {mishap::fault::fail("io_error"), mishap::fault::fail("foreign"),
                         mishap::fault::fail_after_effect("io_error"), mishap::fault::cancel()}})));
}

TEST(with, holds_whatever_is_cancelled_in_any_way)
{
    const mishap::manager under_test(
        "nested", &nested, {.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}});
    EXPECT_TRUE(holds(
        mishap::sweep(under_test, {.perturbations = 3,
                                      .kinds = {mishap::fault::fail("io_error"), mishap::fault::cancel(),
                                          mishap::fault::cancel(mishap::cancellation::total)}})));
}

TEST(with, costs_no_step_of_its_own)
{
    // What it adds to a manager written by hand runs inline, so that plans by step mean the same in both.
    const auto by_hand = [](mishap::environment& env) -> mishap::awaitable<void> {
        mishap::mock_resource session("session");
        co_await session.create();
        co_await env.body()(session);
        co_await session.close();
    };
    const auto by_context = [](mishap::environment& env) -> mishap::awaitable<void> {
        mishap::mock_resource session("session");
        co_await mishap::with(open_session(session), env.body());
    };
    EXPECT_EQ(mishap::run(mishap::manager("hand", by_hand), {}).trace.steps,
        mishap::run(mishap::manager("context", by_context), {}).trace.steps);
}

} // namespace
