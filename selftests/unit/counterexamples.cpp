// SPDX-License-Identifier: MIT
// Goal: a campaign tells each different bug once, the plainest first, with as little in its plan as it takes,
// and keeps what it found when a manager turns out not to be deterministic. Method: sessions and pools with
// two flaws each, or with one that several perturbations reach, swept and drawn.

#include "support/under_test.hpp"

#include <mishap/plan.hpp>
#include <mishap/report.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <sys/random.h>

namespace {

using namespace selftest;

std::vector<std::string> plans_against(const mishap::campaign_result& found, std::string_view invariant)
{
    std::vector<std::string> plans;
    for (const mishap::counterexample& c : found.counterexamples)
        if (c.invariant == invariant)
            plans.push_back(to_string(c.minimal.fired));
    return plans;
}

std::string reports(const mishap::campaign_result& found)
{
    std::string text;
    for (const mishap::counterexample& c : found.counterexamples)
        text += mishap::report(c) + '\n';
    return text + mishap::summary(found);
}

/// Closes its two sessions, but neither where its own login failed, nor the first where the second's close
/// did.
awaitable<void> leaks_in_two_places(environment& env)
{
    mock_resource reader("reader"), writer("writer");
    co_await reader.create();
    std::exception_ptr error;
    bool reads = false, writes = false;
    try {
        co_await reader.use("login");
        reads = true;
        co_await writer.create();
        co_await writer.use("login");
        writes = true;
        co_await env.body()(writer);
    } catch (...) {
        error = std::current_exception();
    }
    co_await shield();
    if (writes)
        co_await writer.close();
    if (reads)
        co_await reader.close();
    if (error)
        std::rethrow_exception(error);
}

TEST(counterexamples, tell_three_bugs_that_break_the_same_rule)
{
    const auto found = mishap::sweep({"leaky", &leaks_in_two_places, patient},
        {.perturbations = 2, .kinds = {mishap::fault::fail("io_error")}});
    EXPECT_EQ(plans_against(found, "closes_everything"),
        (std::vector<std::string>{
            "reader.login=fail(io_error)", "writer.login=fail(io_error)", "writer.close=fail(io_error)"}))
        << reports(found);
}

TEST(counterexamples, tell_a_bug_once_whatever_else_goes_wrong)
{
    const auto found = mishap::random_campaign({"leaky", &leaks_in_two_places, patient},
        {.cases = 500, .seed = 1, .kinds = {mishap::fault_kind::fail}});
    const auto leaks = plans_against(found, "closes_everything");
    EXPECT_EQ(leaks.size(), 3u) << reports(found);
    for (const std::string& plan : leaks)
        EXPECT_EQ(plan.find(' '), std::string::npos) << plan;
    // Each of both closes can hide an error, whichever that was.
    EXPECT_EQ(plans_against(found, "preserves_error").size(), 2u) << reports(found);
}

TEST(counterexamples, begin_with_the_plainest)
{
    const auto found = mishap::sweep({"leaky", &leaks_in_two_places, patient});
    ASSERT_GT(found.counterexamples.size(), 1u);
    const auto size = [](const mishap::counterexample& c) { return c.minimal.fired.perturbations.size(); };
    EXPECT_TRUE(std::is_sorted(found.counterexamples.begin(), found.counterexamples.end(),
        [&](const auto& a, const auto& b) { return size(a) < size(b); }))
        << reports(found);
}

TEST(counterexamples, beyond_ten_are_counted)
{
    const auto careless = [](environment&) -> awaitable<void> {
        for (int i = 0; i < 15; ++i) {
            mock_resource one(mishap::symbol("kind_" + std::to_string(i)));
            co_await one.create();
            co_await one.use("login"); // throws, and nobody closes
            co_await one.close();
        }
    };
    const auto found = mishap::sweep(
        {"careless", careless, patient}, {.perturbations = 1, .kinds = {mishap::fault::fail("io_error")}});
    EXPECT_EQ(found.counterexamples.size(), 10u) << reports(found);
    EXPECT_GE(found.untold, 5u);
    EXPECT_NE(mishap::summary(found).find("more in other ways"), std::string::npos) << mishap::summary(found);
}

/// Lends a session to several clients in turn; forgets the slot when a body fails.
mishap::adapter keeps_the_slot()
{
    return [](environment& env) -> awaitable<void> {
        int free = 2;
        asio::steady_timer turn(env.executor(), asio::steady_timer::time_point::max());
        co_await env.clients([&](mishap::client& one) -> awaitable<void> {
            while (free == 0)
                co_await turn.async_wait(asio::as_tuple(asio::use_awaitable));
            --free;
            mock_resource session("session");
            co_await session.create();
            std::exception_ptr error;
            try {
                co_await one.body(session);
            } catch (...) {
                error = std::current_exception();
            }
            session.force_close();
            if (error)
                std::rethrow_exception(error); // the slot is lost
            ++free;
            turn.cancel();
        });
    };
}

const contract two_at_once{.time = {.unbounded = {phase::create, phase::acquire, phase::close}},
    .capacity = {.resources = 2, .clients = 4}};

TEST(counterexamples, move_the_fault_to_a_client_that_comes_at_once)
{
    // Drawn plans fail late comers, too; the first client's failure alone shows the same.
    const auto found = mishap::random_campaign({"pool", keeps_the_slot(), two_at_once},
        {.cases = 300, .seed = 3, .kinds = {mishap::fault_kind::fail}, .arrivals = {{3, 30s}}});
    const auto plans = plans_against(found, "recovers");
    ASSERT_FALSE(plans.empty()) << reports(found);
    EXPECT_EQ(plans.front().find("arrive"), std::string::npos) << plans.front();
    EXPECT_EQ(plans.front().find(' '), std::string::npos) << plans.front();
    EXPECT_TRUE(plans.front().find('/') == std::string::npos || plans.front().starts_with("c0/"))
        << plans.front();
}

TEST(counterexamples, keep_what_was_found_before_a_manager_is_not_deterministic)
{
    int runs = 0;
    const auto moody = [&runs](environment& env) -> awaitable<void> {
        ++runs;
        for (int moods = runs > 200 ? runs % 7 : 0; moods > 0; --moods)
            env.note("in another mood");
        co_await leaks_in_two_places(env);
    };
    const auto found = mishap::random_campaign({"moody", moody, patient}, {.cases = 1'000, .seed = 1});
    EXPECT_EQ(found.counterexamples.front().invariant, "nondeterministic") << reports(found);
    EXPECT_TRUE(found.violates("closes_everything")) << reports(found);
}

TEST(counterexamples, say_what_differed_also_where_several_clients_ran)
{
    int runs = 0;
    const auto moody = [&runs](environment& env) -> awaitable<void> {
        const bool warms_up = ++runs % 2 == 0;
        co_await env.clients([&](mishap::client& one) -> awaitable<void> {
            mock_resource session("session");
            co_await session.create();
            if (warms_up)
                session.now(mishap::role::use, "warm_up");
            co_await one.body(session);
            session.force_close();
        });
    };
    const auto found = mishap::random_campaign({"moody", moody, two_at_once}, {.cases = 100, .seed = 1});
    ASSERT_TRUE(found.violates("nondeterministic"));
    const mishap::violation* broken = found.counterexamples.front().broken();
    ASSERT_TRUE(broken);
    EXPECT_NE(broken->actual.find("warm_up"), std::string::npos) << broken->actual;
}

/// Backs off for a random time after a failed create, as a client of a service does.
template <class Draw>
mishap::adapter backs_off(Draw draw)
{
    return [draw](environment& env) -> awaitable<void> {
        mock_resource session("session");
        for (int attempt = 1;; ++attempt) {
            bool failed = false;
            try {
                co_await session.create();
            } catch (...) {
                if (attempt == 3)
                    throw;
                failed = true;
            }
            if (!failed)
                break;
            const auto pause = std::chrono::milliseconds(draw() % 1000);
            co_await asio::steady_timer(env.executor(), pause).async_wait(asio::use_awaitable);
        }
        std::exception_ptr error;
        try {
            co_await env.body()(session);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        try {
            co_await session.close();
        } catch (...) {
            error = error ? error : std::current_exception();
        }
        if (error)
            std::rethrow_exception(error);
    };
}

template <class Draw>
void expect_deterministic(Draw draw)
{
    contract thrice = patient;
    thrice.attempts.create = 3;
    const mishap::manager jittered("jittered", backs_off(draw), thrice);
    const auto swept = mishap::sweep(jittered, {.kinds = {mishap::fault::fail("io_error")}});
    EXPECT_FALSE(swept.violates("nondeterministic")) << reports(swept);
    const auto drawn = mishap::random_campaign(
        jittered, {.cases = 200, .seed = 1, .kinds = {mishap::fault_kind::fail, mishap::fault_kind::delay}});
    EXPECT_FALSE(drawn.violates("nondeterministic")) << reports(drawn);
}

TEST(randomness, is_the_same_in_each_run)
{
    expect_deterministic([] { return std::random_device{}(); });
    expect_deterministic([] { return static_cast<unsigned>(std::rand()); });
    expect_deterministic([] { return static_cast<unsigned>(::random()); });
    expect_deterministic([] {
        unsigned drawn = 0;
        EXPECT_EQ(::getrandom(&drawn, sizeof drawn, 0), static_cast<ssize_t>(sizeof drawn));
        return drawn;
    });
    expect_deterministic([] {
        unsigned drawn = 0;
        EXPECT_EQ(::getentropy(&drawn, sizeof drawn), 0);
        return drawn;
    });
    expect_deterministic([] {
        unsigned drawn = 0;
        std::ifstream device("/dev/urandom", std::ios::binary);
        device.read(reinterpret_cast<char*>(&drawn), sizeof drawn);
        return drawn;
    });
}

namespace {

void draw_different_numbers()
{
    std::random_device device;
    const auto first = device();
    EXPECT_NE(first, device());
    unsigned number = 0;
    EXPECT_EQ(::getentropy(&number, sizeof number), 0);
    EXPECT_NE(number, first);
}

} // namespace

TEST(randomness, gives_different_numbers_within_a_run)
{
    const auto drawing = [](environment& env) {
        draw_different_numbers();
        return right(env);
    };
    EXPECT_TRUE(holds(mishap::run({"drawing", drawing, patient}, {})));
    // Outside of a run nothing is replaced.
    std::random_device device;
    unsigned numbers[4];
    for (unsigned& number : numbers)
        number = device();
    EXPECT_FALSE(numbers[0] == numbers[1] && numbers[1] == numbers[2] && numbers[2] == numbers[3]);
}

} // namespace
