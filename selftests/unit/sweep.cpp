// SPDX-License-Identifier: MIT
// Goal: a sweep reaches the mistakes that only one kind of plan shows: an outage, a client that comes after a
// while, an attempt too many; and it says when it stopped early. Method: small pools and retries with one
// flaw, and their right twins.

#include "support/under_test.hpp"

#include "shared/with_deadline.hpp"

#include <mishap/plan.hpp>
#include <mishap/report.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <optional>
#include <string>

namespace {

using namespace selftest;

testing::AssertionResult holds(const mishap::campaign_result& swept)
{
    if (swept.holds() && swept.complete)
        return testing::AssertionSuccess();
    std::string text = swept.covered + ' ' + swept.invalid;
    for (const mishap::counterexample& c : swept.counterexamples)
        text += '\n' + mishap::report(c);
    return testing::AssertionFailure() << text;
}

/// The plan that shows it, or what was found instead.
std::string plan_against(const mishap::campaign_result& swept, std::string_view invariant)
{
    for (const mishap::counterexample& c : swept.counterexamples)
        if (c.invariant == invariant)
            return mishap::to_string(c.minimal.plan);
    return "nothing";
}

awaitable<void> throw_if_cancelled()
{
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
}

/// One session for whoever comes, one after the other.
struct pool
{
    explicit pool(environment& env) : turn(env.executor(), asio::steady_timer::time_point::max()) {}

    /// Waits for its turn.
    awaitable<void> take()
    {
        while (taken) {
            boost::system::error_code woken;
            co_await turn.async_wait(asio::redirect_error(asio::use_awaitable, woken));
            co_await throw_if_cancelled();
        }
        taken = true;
    }

    void give_back()
    {
        if (session && !session->usable())
            drop();
        taken = false;
        idle_since = asio::steady_timer::clock_type::now();
        turn.cancel();
    }

    void drop()
    {
        if (session)
            session->force_close();
        session = nullptr;
    }

    std::unique_ptr<mock_resource> session = nullptr;
    asio::steady_timer::time_point idle_since = {};
    bool taken = false;
    asio::steady_timer turn;
};

/// Lends what `prepare` makes ready, within that time or for as long as it takes.
template <class Prepare>
awaitable<void> lend(
    pool& from, mishap::client& client, Prepare prepare, std::optional<std::chrono::nanoseconds> timeout)
{
    const auto acquire = [&]() -> awaitable<void> {
        co_await from.take();
        std::exception_ptr error;
        try {
            co_await prepare();
            co_await throw_if_cancelled();
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            from.give_back();
            std::rethrow_exception(error);
        }
    };
    if (timeout)
        co_await catalogue::with_deadline(acquire, *timeout);
    else
        co_await acquire();
    std::exception_ptr error;
    try {
        co_await client.body(*from.session);
    } catch (...) {
        error = std::current_exception();
    }
    from.give_back();
    if (error)
        std::rethrow_exception(error);
}

/// Tries to connect until it comes about or the client's time is over, with that pause between two attempts.
mishap::adapter connecting(std::optional<std::chrono::nanoseconds> pause)
{
    return [pause](environment& env) -> awaitable<void> {
        pool sessions(env);
        const auto connect = [&]() -> awaitable<void> {
            while (!sessions.session) {
                auto made = std::make_unique<mock_resource>("session");
                bool failed = false;
                try {
                    co_await made->create();
                } catch (const std::exception&) {
                    failed = true;
                }
                if (!failed)
                    sessions.session = std::move(made);
                co_await throw_if_cancelled();
                if (failed && pause) {
                    asio::steady_timer timer(co_await asio::this_coro::executor, *pause);
                    co_await timer.async_wait(asio::use_awaitable);
                }
            }
        };
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            co_await lend(sessions, client, connect, 10s);
        });
        sessions.drop();
    };
}

TEST(sweep, finds_who_connects_without_a_pause_during_an_outage)
{
    const contract promises{.time = {.acquire = 10s, .unbounded = {phase::create, phase::close}},
        .capacity = {.resources = 1},
        .attempts = {.create = 1'000}};
    const auto hasty = mishap::sweep(
        {"hasty", connecting({}), promises}, {.perturbations = 1, .limits = {.steps_max = 2'000}});
    EXPECT_TRUE(hasty.violates("livelock"));
    EXPECT_NE(plan_against(hasty, "livelock").find("#*=fail(io_error)"), std::string::npos)
        << plan_against(hasty, "livelock");
    EXPECT_TRUE(holds(mishap::sweep({"calm", connecting(1s), promises}, {.perturbations = 1})));
}

/// Creates so many times at most, a second apart.
mishap::adapter creating_in(int attempts)
{
    return [attempts](environment& env) -> awaitable<void> {
        mock_resource resource;
        for (int i = 1; !resource.usable(); ++i) {
            try {
                co_await resource.create();
            } catch (const std::exception&) {
                if (i == attempts)
                    throw;
            }
            if (!resource.usable()) {
                co_await throw_if_cancelled();
                asio::steady_timer pause(co_await asio::this_coro::executor, 1s);
                co_await pause.async_wait(asio::use_awaitable);
            }
        }
        std::exception_ptr error;
        try {
            co_await env.body()(resource);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        try {
            co_await resource.close();
        } catch (...) {
            error = error ? error : std::current_exception();
        }
        if (error)
            std::rethrow_exception(error);
    };
}

TEST(sweep, finds_who_makes_an_attempt_too_many_with_one_perturbation)
{
    contract thrice = patient;
    thrice.attempts.create = 3;
    const auto stubborn = mishap::sweep({"stubborn", creating_in(4), thrice}, {.perturbations = 1});
    EXPECT_TRUE(stubborn.violates("preserves_error"));
    EXPECT_NE(plan_against(stubborn, "preserves_error").find("create#4=fail(io_error)"), std::string::npos)
        << plan_against(stubborn, "preserves_error");
    EXPECT_TRUE(holds(mishap::sweep({"content", creating_in(3), thrice}, {.perturbations = 1})));
}

/// Pings a session that was idle for more than 10 s, and lends another one if that failed, or this one all
/// the same.
mishap::adapter pinging_what_was_idle(bool replaces)
{
    return [replaces](environment& env) -> awaitable<void> {
        pool sessions(env);
        const auto prepare = [&]() -> awaitable<void> {
            const auto idle = asio::steady_timer::clock_type::now() - sessions.idle_since;
            if (sessions.session && idle > 10s) {
                bool failed = false;
                try {
                    co_await sessions.session->maintain("ping");
                } catch (const std::exception&) {
                    failed = true;
                }
                co_await throw_if_cancelled();
                if (failed && replaces)
                    sessions.drop();
            }
            if (!sessions.session) {
                auto made = std::make_unique<mock_resource>("session");
                co_await made->create();
                sessions.session = std::move(made);
            }
        };
        co_await env.clients(
            [&](mishap::client& client) -> awaitable<void> { co_await lend(sessions, client, prepare, {}); });
        sessions.drop();
    };
}

const contract unhurried{.time = {.unbounded = {phase::create, phase::close, phase::acquire, phase::other}},
    .capacity = {.resources = 1}};

TEST(sweep, lets_a_client_come_when_what_is_idle_has_grown_old)
{
    const auto lends_it =
        mishap::sweep({"lends_it", pinging_what_was_idle(false), unhurried}, {.perturbations = 1});
    EXPECT_TRUE(lends_it.violates("discards_broken"));
    EXPECT_NE(plan_against(lends_it, "discards_broken").find("session.ping=fail(connection_reset)"),
        std::string::npos)
        << plan_against(lends_it, "discards_broken");
    EXPECT_TRUE(
        holds(mishap::sweep({"replaces_it", pinging_what_was_idle(true), unhurried}, {.perturbations = 1})));
}

TEST(sweep, says_that_it_stopped_at_the_limit_of_runs)
{
    const mishap::manager under_test("pool", pinging_what_was_idle(true), unhurried);
    const auto all = mishap::sweep(under_test, {.perturbations = 1});
    EXPECT_TRUE(all.complete);
    EXPECT_EQ(all.covered.find("stopped"), std::string::npos) << all.covered;
    const auto some = mishap::sweep(under_test, {.perturbations = 1, .runs_max = all.runs / 2});
    EXPECT_FALSE(some.complete);
    EXPECT_EQ(some.runs, all.runs / 2);
    EXPECT_NE(some.covered.find("stopped at"), std::string::npos) << some.covered;
}

} // namespace
