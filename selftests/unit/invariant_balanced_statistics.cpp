// SPDX-License-Identifier: MIT
// Goal: balanced_statistics blames counters that do not show what there is, and no others. Method: a manager
// that counts in the right places, and some that count elsewhere; sweeps, in which operations hang and take
// their time, so that the counters are seen half-way.

#include "refusal.hpp"
#include "support/under_test.hpp"

#include <mishap/report.hpp>

#include <boost/asio/steady_timer.hpp>

#include <optional>

namespace {

using namespace selftest;

struct counters
{
    long active = 0;
    long created = 0;
    long closed = 0;
    long lent = 0;
};

enum class counts
{
    rightly,
    drops_before_close, ///< as the Python of the document does
    counts_before_create,
    counts_failed_creations,
    forgets_on_error
};

awaitable<void> with_session(environment& env, counters& stats, counts how)
{
    mock_resource session("session");
    if (how == counts::counts_before_create)
        ++stats.active;
    std::exception_ptr error;
    bool open = false;
    try {
        if (how == counts::counts_failed_creations)
            ++stats.created;
        co_await session.create();
        open = true;
        if (how != counts::counts_failed_creations)
            ++stats.created;
        if (how != counts::counts_before_create)
            ++stats.active;
        ++stats.lent;
        co_await env.body()(session);
        --stats.lent;
    } catch (...) {
        error = std::current_exception();
        if (open && stats.lent != 0)
            --stats.lent;
    }
    co_await shield();
    if (open) {
        if (how == counts::drops_before_close)
            --stats.active;
        std::exception_ptr close_error;
        try {
            co_await session.close();
        } catch (...) {
            close_error = std::current_exception();
        }
        ++stats.closed;
        if (how != counts::drops_before_close && !(how == counts::forgets_on_error && error))
            --stats.active;
        if (close_error && error)
            env.report(close_error);
        else if (close_error)
            error = close_error;
    } else if (how == counts::counts_before_create) {
        --stats.active;
    }
    if (error)
        std::rethrow_exception(error);
}

mishap::adapter counting(counts how)
{
    return [how](environment& env) -> awaitable<void> {
        counters stats;
        const auto active = env.statistics("session.open", [&] { return stats.active; });
        const auto created = env.statistics("session.created", [&] { return stats.created; });
        const auto closed = env.statistics("closed", [&] { return stats.closed; });
        const auto lent = env.statistics("in_use", [&] { return stats.lent; });
        co_await with_session(env, stats, how);
    };
}

/// With cancellations at every step.
testing::AssertionResult survives_any_two_mishaps(mishap::adapter under_test, const contract& promises)
{
    const mishap::manager made("under_test", std::move(under_test), promises);
    const mishap::campaign_result result = mishap::sweep(made, {});
    if (result.holds() && result.complete)
        return testing::AssertionSuccess();
    testing::AssertionResult failed = testing::AssertionFailure() << result.covered << result.invalid;
    for (const mishap::counterexample& c : result.counterexamples)
        failed << '\n' << mishap::report(c);
    return failed;
}

// (L) The counters are the manager's: they change in its coroutine, not in the mock.
TEST(balanced_statistics, holds_for_counters_updated_in_the_resumed_coroutine)
{
    EXPECT_TRUE(holds(run_under("", counting(counts::rightly))));
    EXPECT_TRUE(
        holds(run_under("session.create=delay(1s) session.close=delay(1s)", counting(counts::rightly))));
    EXPECT_TRUE(survives_any_two_mishaps(counting(counts::rightly), patient));
}

TEST(balanced_statistics, blames_a_counter_that_drops_before_the_close_has_ended)
{
    EXPECT_TRUE(holds(run_under("", counting(counts::drops_before_close))));
    const run_result done = run_under("session.close=delay(1s)", counting(counts::drops_before_close));
    EXPECT_TRUE(breaks_only(done, "balanced_statistics"));
    EXPECT_EQ(sentence_of(done), "session.open was 0 when nothing was ready to run, but the ledger has 1");
}

TEST(balanced_statistics, blames_a_counter_that_rises_before_anything_is_there)
{
    EXPECT_TRUE(breaks_only(run_under("session.create=delay(1s)", counting(counts::counts_before_create)),
        "balanced_statistics"));
}

TEST(balanced_statistics, blames_who_counts_creations_that_failed)
{
    const run_result done =
        run_under("session.create=fail(io_error)", counting(counts::counts_failed_creations));
    EXPECT_TRUE(breaks_only(done, "balanced_statistics"));
    EXPECT_EQ(sentence_of(done), "session.created was 1 in the end, but the ledger has 0");
}

TEST(balanced_statistics, blames_a_counter_that_is_not_zero_in_the_end)
{
    EXPECT_TRUE(holds(run_under("", counting(counts::forgets_on_error))));
    const run_result done = run_under("session.use=fail(io_error)", counting(counts::forgets_on_error));
    EXPECT_TRUE(breaks_only(done, "balanced_statistics"));
    EXPECT_EQ(sentence_of(done), "session.open was 1 in the end, but the ledger has 0");
}

// A close that failed may count either way until the end.
TEST(balanced_statistics, leaves_open_what_a_failed_close_has_done)
{
    const auto tries_again = [](environment& env) -> awaitable<void> {
        long open = 0;
        const auto watched = env.statistics("open", [&] { return open; });
        mock_resource resource;
        co_await resource.create();
        ++open;
        std::exception_ptr error;
        try {
            co_await resource.close();
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            asio::steady_timer pause(co_await asio::this_coro::executor, 1s);
            co_await pause.async_wait(asio::use_awaitable);
            resource.force_close();
        }
        --open;
        if (error)
            std::rethrow_exception(error);
    };
    EXPECT_TRUE(holds(run_under("resource.close=fail(io_error)", tries_again)));
}

TEST(balanced_statistics, counts_over_all_clients)
{
    const auto several = [](counts how) -> mishap::adapter {
        return [how](environment& env) -> awaitable<void> {
            long open = 0;
            const auto watched = env.statistics("open", [&] { return open; });
            co_await env.clients([&](mishap::client& client) -> awaitable<void> {
                mock_resource session("session");
                co_await session.create();
                ++open;
                std::exception_ptr error;
                try {
                    co_await client.body(session);
                } catch (...) {
                    error = std::current_exception();
                }
                co_await shield();
                try {
                    co_await session.close();
                } catch (...) {
                    if (error)
                        env.report(std::current_exception());
                    else
                        error = std::current_exception();
                }
                if (how == counts::rightly || !error)
                    --open;
                if (error)
                    std::rethrow_exception(error);
            });
        };
    };
    contract promises = patient;
    promises.capacity.clients = 2;
    EXPECT_TRUE(survives_any_two_mishaps(several(counts::rightly), promises));
    EXPECT_TRUE(
        breaks_only(run_under("c1/session.use=fail(io_error)", several(counts::forgets_on_error), promises),
            "balanced_statistics"));
}

TEST(balanced_statistics, says_when_no_resource_of_that_kind_was_ever_made)
{
    const auto misspelt = [](environment& env) -> awaitable<void> {
        counters stats;
        const auto active = env.statistics("sesion.created", [&] { return stats.created; });
        co_await with_session(env, stats, counts::rightly);
    };
    EXPECT_EQ(sentence_of(run_under("", misspelt)),
        "sesion.created was 1 in the end, but the ledger has 0 (no sesion was ever made, but session)");
}

TEST(balanced_statistics, refuses_names_that_count_nothing)
{
    std::vector<std::string> refused;
    const auto asks = [&](environment& env) -> awaitable<void> {
        std::optional<mishap::statistic> kept;
        for (const std::string_view name : {"opne", "session.actve", "", ".open", "closed", "closed"})
            try {
                kept.emplace(env.statistics(name, [] { return 0l; }));
            } catch (const mishap::input_error& e) {
                refused.emplace_back(e.what());
            }
        kept.reset();
        co_await right(env);
    };
    EXPECT_THROW(run_under("", asks), mishap::input_error)
        << "the adapter swallows it, and is told all the same";
    ASSERT_EQ(refused.size(), 5u);
    EXPECT_NE(refused[0].find("unknown statistic 'opne'; did you mean 'open'? (known: open, created, closed, "
                              "in_use, waiting, idle, reserved)"),
        std::string::npos)
        << refused[0];
    EXPECT_NE(refused[4].find("was given twice"), std::string::npos) << refused[4];
}

// With nothing to compare, nothing is asked.
TEST(balanced_statistics, ends_with_its_handle)
{
    long calls = 0;
    const auto briefly = [&](environment& env) -> awaitable<void> {
        {
            const auto watched = env.statistics("open", [&] {
                ++calls;
                return 0l;
            });
        }
        co_await right(env);
    };
    EXPECT_TRUE(holds(run_under("resource.use=delay(1s)", briefly)));
    EXPECT_EQ(calls, 1);
}

// Counters of an abandoned client go in no order that could be judged.
TEST(balanced_statistics, does_not_judge_the_counters_of_the_abandoned)
{
    EXPECT_FALSE(run_under("abandon(c0 after session.create)", counting(counts::rightly))
                     .violates("balanced_statistics"));
    EXPECT_FALSE(run_under("abandon(world after session.create)", counting(counts::rightly))
                     .violates("balanced_statistics"));
}

} // namespace
