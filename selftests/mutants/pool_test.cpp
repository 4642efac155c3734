// Goal: each flawed pool is blamed by the rule that its flaw breaks, and its twin without a flaw holds
// everything. Method: sweeps of two perturbations, clients cancelled at every step, two clients more than
// there is capacity.

#include "pool.hpp"

#include <mishap/explore.hpp>
#include <mishap/mishap.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

class fake_connection
{
    mishap::resource resource_{"connection"};

public:
    mishap::awaitable<void> open() { return resource_.create(); }
    mishap::awaitable<void> close() { return resource_.close(); }
    operator mishap::resource&() { return resource_; }
};

template <mutants::flaw Flaw>
mishap::manager pool_under_test(std::uint32_t capacity)
{
    return {"pool",
        [capacity](mishap::environment& env) -> mishap::awaitable<void> {
            using pool = mutants::pool<fake_connection, Flaw>;
            typename pool::options options{.size_max = capacity,
                .timeout = 30s,
                .make = [] { return std::make_shared<fake_connection>(); },
                .log = [&env](std::exception_ptr error) { env.report(error); }};
            pool under_test(options);
            co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                co_await under_test.with_connection(client.body());
            });
            co_await under_test.shut_down();
        },
        {.create_timeout = 30s,
            .close_timeout = 30s,
            .acquire_timeout = 30s,
            .capacity = capacity,
            .fair = true,
            .cancelled_use_breaks = true}};
}

template <mutants::flaw Flaw>
std::vector<std::string> broken_rules(std::uint32_t capacity, unsigned perturbations, std::string& reports)
{
    const auto result =
        mishap::sweep(pool_under_test<Flaw>(capacity), {.perturbations = perturbations, .runs_max = 200'000});
    std::vector<std::string> names;
    for (const mishap::counterexample& c : result.counterexamples) {
        names.push_back(c.invariant);
        reports += mishap::report(c);
    }
    reports += mishap::summary(result);
    return names;
}

TEST(pool, without_a_flaw_holds_everything)
{
    std::string reports;
    EXPECT_EQ(broken_rules<mutants::flaw::none>(1, 2, reports), std::vector<std::string>()) << reports;
    reports.clear();
    EXPECT_EQ(broken_rules<mutants::flaw::none>(2, 1, reports), std::vector<std::string>()) << reports;
}

template <mutants::flaw Flaw>
void expect_blamed(const std::vector<std::string>& rules, std::uint32_t capacity = 1)
{
    std::string reports;
    const auto broken = broken_rules<Flaw>(capacity, 2, reports);
    const bool blamed = std::any_of(rules.begin(), rules.end(), [&](const std::string& rule) {
        return std::find(broken.begin(), broken.end(), rule) != broken.end();
    });
    EXPECT_TRUE(blamed) << fmt::format("expected one of {}, broke {}\n", rules, broken) << reports;
}

using mutants::flaw;

TEST(pool, that_leaks_a_slot_when_create_fails)
{
    expect_blamed<flaw::leaks_slot_when_create_fails>({"recovers"});
}
TEST(pool, that_creates_beyond_its_capacity)
{
    expect_blamed<flaw::creates_beyond_capacity>({"within_capacity"});
}
TEST(pool, that_loses_a_wake_up)
{
    expect_blamed<flaw::loses_wake_up_of_cancelled_waiter>({"completes", "honours_timeout", "recovers"});
}
TEST(pool, that_leaves_a_timed_out_waiter_queued)
{
    expect_blamed<flaw::leaves_timed_out_waiter_queued>({"recovers", "closes_everything"});
}
TEST(pool, that_recycles_broken_connections) { expect_blamed<flaw::recycles_broken>({"discards_broken"}); }
TEST(pool, that_discards_without_waking)
{
    expect_blamed<flaw::discards_without_waking>({"completes", "honours_timeout", "recovers"});
}
TEST(pool, that_gives_back_twice) { expect_blamed<flaw::gives_back_twice>({"exclusive", "closes_once"}); }
TEST(pool, that_waits_without_a_deadline)
{
    expect_blamed<flaw::waits_without_deadline>({"honours_timeout", "completes"});
}
TEST(pool, that_closes_unshielded) { expect_blamed<flaw::closes_unshielded>({"closes_everything"}); }
TEST(pool, that_drops_its_idle_connections)
{
    expect_blamed<flaw::drops_idle_at_shutdown>({"closes_everything"});
}
TEST(pool, that_swallows_a_cancellation)
{
    expect_blamed<flaw::swallows_cancellation_of_waiter>({"swallows_no_error"});
}
TEST(pool, that_serves_the_last_waiter_first) { expect_blamed<flaw::serves_last_waiter_first>({"fair"}, 1); }

} // namespace
