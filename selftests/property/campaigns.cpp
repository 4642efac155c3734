// SPDX-License-Identifier: MIT
// Goal: a sweep visits each plan once, says truly whether it saw all, and a counterexample is minimal and
// breaks what it is said to break. Method: sweeps counted against an enumeration made here; random campaigns
// on wrong managers, and every smaller plan than their counterexamples.

#include "support/under_test.hpp"

#include <mishap/error.hpp>
#include <mishap/rapidcheck.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h> // needs the former

#include <algorithm>
#include <set>
#include <string>

namespace {

using namespace selftest;
using mishap::fault;

// The sweep
// ---------------------------------------------------------------------------------------------------

/// What its adapter saw of each run, in order. The runs of two plans never look alike.
std::vector<std::string> seen;

/// Awaits it, and writes down when and how it ended.
awaitable<void> observe(std::string& run, const char* name, awaitable<void> operation)
{
    std::string how = "ok";
    std::exception_ptr error;
    try {
        co_await std::move(operation);
    } catch (...) {
        error = std::current_exception();
        how = mishap::describe(error);
    }
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    run += std::string(name) + ' ' + how + " at " + std::to_string(now.count()) + "; ";
    if (error)
        std::rethrow_exception(error);
}

/// Create, use, the body itself, close; and a reset, which there is only after an error.
awaitable<void> observed(environment& env)
{
    std::string run;
    mock_resource resource;
    std::exception_ptr error;
    bool created = false;
    try {
        co_await observe(run, "create", resource.create());
        created = true;
        const auto work = [&run](mock_resource& lent) { return observe(run, "use", lent.use("use")); };
        co_await observe(run, "body", env.body(work)(resource));
    } catch (...) {
        error = std::current_exception();
    }
    co_await shield();
    try {
        if (created && error)
            co_await observe(run, "reset", resource.maintain("reset"));
    } catch (...) {
        env.note("the reset failed");
    }
    try {
        if (created)
            co_await observe(run, "close", resource.close());
    } catch (...) {
        env.report(std::current_exception());
    }
    seen.push_back(run);
    if (error)
        std::rethrow_exception(error);
}

const mishap::manager under_sweep(
    "observed", &observed, contract{.time = {.unbounded = {phase::create, phase::close, phase::other}}});

/// Every plan of at most that many faults at the operations that there can be, of which all fires.
std::set<std::string> every_plan(unsigned faults, const std::vector<fault>& kinds)
{
    const std::vector<std::string> operations{
        "resource.create", "resource.use", "body", "resource.reset", "resource.close"};
    std::set<std::string> plans{""};
    for (unsigned n = 0; n < faults; ++n) {
        std::set<std::string> more = plans;
        for (const std::string& plan : plans)
            for (const std::string& operation : operations)
                for (const fault& kind : kinds) {
                    mishap::fault_plan longer = mishap::parse_plan(plan);
                    if (longer.find(mishap::parse_operation(operation)))
                        continue;
                    longer.at(operation, kind);
                    const run_result done = mishap::run(under_sweep, longer);
                    if (done.fired.perturbations.size() == longer.perturbations.size())
                        more.insert(to_string(done.fired));
                }
        plans = std::move(more);
    }
    return plans;
}

std::vector<fault> some_kinds()
{
    const std::vector<fault> all{fault::fail("io_error"), fault::fail("foreign"), fault::hang(),
        fault::delay(3s), fault::fail("value_error")};
    auto kinds =
        *rc::gen::suchThat(rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, 5)),
            [](const auto& chosen) { return !chosen.empty(); });
    std::sort(kinds.begin(), kinds.end());
    kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
    std::vector<fault> chosen;
    for (const std::size_t i : kinds)
        chosen.push_back(all[i]);
    return chosen;
}

RC_GTEST_PROP(sweep, visits_each_plan_once_and_says_complete, ())
{
    const auto kinds = some_kinds();
    const auto perturbations = *rc::gen::inRange(1u, 4u);
    const auto expected = every_plan(perturbations, kinds);
    seen.clear();
    const mishap::campaign_result result =
        mishap::sweep(under_sweep, {.perturbations = perturbations, .kinds = kinds});
    RC_ASSERT(result.complete);
    RC_ASSERT(result.runs == expected.size());
    RC_ASSERT(seen.size() == expected.size());
    RC_ASSERT(std::set<std::string>(seen.begin(), seen.end()).size() == seen.size());
    RC_ASSERT(result.covered.starts_with(
        "complete: every plan of at most " + std::to_string(perturbations) + " perturbation"));
}

RC_GTEST_PROP(sweep, a_bound_makes_it_incomplete, ())
{
    const auto kinds = some_kinds();
    const auto total = mishap::sweep(under_sweep, {.kinds = kinds}).runs;
    const auto bound = *rc::gen::inRange<std::uint64_t>(1, total + 3);
    const mishap::campaign_result result = mishap::sweep(under_sweep, {.kinds = kinds, .runs_max = bound});
    RC_ASSERT(result.runs == std::min(bound, total));
    RC_ASSERT(result.complete == (bound >= total));
    RC_ASSERT(result.covered.starts_with(bound >= total ? "complete" : "incomplete"));
}

TEST(sweep, a_delay_of_zero_stands_for_the_deadlines)
{
    std::vector<std::chrono::steady_clock::duration> taken;
    const mishap::manager timed("timed",
        [&taken](environment&) -> awaitable<void> {
            const auto begin = std::chrono::steady_clock::now();
            mock_resource resource;
            co_await resource.create();
            taken.push_back(std::chrono::steady_clock::now() - begin);
            co_await resource.close();
        },
        {.time = {.create = 5s, .unbounded = {phase::close}}});
    const auto result = mishap::sweep(timed, {.perturbations = 1, .kinds = {fault::delay(0s)}});
    EXPECT_TRUE(result.holds() && result.complete);
    EXPECT_EQ(result.runs, 3u);
    EXPECT_EQ(taken, (std::vector<std::chrono::steady_clock::duration>{0s, 5s - 1us, 5s}));
}

TEST(sweep, without_a_fault_it_is_invalid)
{
    const auto idle = [](environment&) -> awaitable<void> { co_return; };
    const auto result = mishap::sweep(mishap::manager(idle));
    EXPECT_FALSE(result.holds());
    EXPECT_NE(result.invalid.find("no fault ever fired"), std::string::npos);
}

TEST(campaigns, a_manager_that_is_not_deterministic_is_found_out)
{
    int runs = 0;
    const mishap::manager moody(
        "moody",
        [&runs](environment& env) -> awaitable<void> {
            if (++runs % 2 == 0)
                env.note("in another mood");
            co_await right(env);
        },
        patient);
    EXPECT_TRUE(mishap::sweep(moody).violates("nondeterministic"));
    EXPECT_TRUE(mishap::random_campaign(moody, {.cases = 100, .seed = 1}).violates("nondeterministic"));
}

// Counterexamples
// -----------------------------------------------------------------------------------------------

/// Wrong in three ways: it closes what failed to open, loses the first error, and leaks when it is cancelled
/// in `use`.
awaitable<void> wrong(environment& env)
{
    mock_resource resource;
    std::exception_ptr error;
    bool cancelled = false;
    try {
        co_await resource.create();
        co_await env.body()(resource);
    } catch (const boost::system::system_error& e) {
        error = std::current_exception();
        cancelled = e.code() == asio::error::operation_aborted;
    } catch (...) {
        error = std::current_exception();
    }
    co_await shield();
    if (!cancelled)
        co_await resource.close();
    if (error)
        std::rethrow_exception(error);
}

contract of_two_uses()
{
    contract promises = patient;
    promises.work.uses = {"query", "query"};
    return promises;
}

const mishap::manager under_test("wrong", &wrong, of_two_uses());

/// Every plan with fewer of the same faults.
std::vector<mishap::fault_plan> smaller_than(const mishap::fault_plan& plan)
{
    std::vector<mishap::fault_plan> smaller;
    const std::size_t faults = plan.perturbations.size();
    for (std::size_t subset = 0; subset + 1 < (std::size_t(1) << faults); ++subset) {
        smaller.push_back(plan);
        smaller.back().perturbations.clear();
        for (std::size_t i = 0; i < faults; ++i)
            if (subset >> i & 1)
                smaller.back().perturbations.push_back(plan.perturbations[i]);
    }
    return smaller;
}

RC_GTEST_PROP(random_campaign, shrinking_keeps_the_violation_and_nothing_else, ())
{
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const auto result = mishap::random_campaign(under_test, {.cases = 60, .seed = seed});
    RC_PRE(!result.counterexamples.empty());
    for (const mishap::counterexample& c : result.counterexamples) {
        RC_LOG() << c.invariant << ": " << to_string(c.found) << " -> " << to_string(c.minimal.fired) << '\n';
        RC_ASSERT(!c.nondeterministic);
        RC_ASSERT(c.minimal.violates(c.invariant));
        RC_ASSERT(mishap::run(under_test, c.found).violates(c.invariant));
        RC_ASSERT(c.minimal.fired.perturbations.size() <= c.found.perturbations.size());
        const run_result again = mishap::run(under_test, c.minimal.fired);
        RC_ASSERT(again.violates(c.invariant));
        RC_ASSERT(again.trace.hash == c.minimal.trace.hash);
        for (const mishap::fault_plan& smaller : smaller_than(c.minimal.fired))
            RC_ASSERT(!mishap::run(under_test, smaller).violates(c.invariant));
    }
}

RC_GTEST_PROP(random_campaign, one_seed_gives_one_result, ())
{
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const auto first = mishap::random_campaign(under_test, {.cases = 20, .seed = seed});
    const auto second = mishap::random_campaign(under_test, {.cases = 20, .seed = seed});
    RC_ASSERT(first.seed == seed);
    RC_ASSERT(first.runs == second.runs);
    RC_ASSERT(first.fired == second.fired);
    RC_ASSERT(first.violating_runs == second.violating_runs);
    RC_ASSERT(first.counterexamples.size() == second.counterexamples.size());
    for (std::size_t i = 0; i < first.counterexamples.size(); ++i) {
        RC_ASSERT(first.counterexamples[i].found == second.counterexamples[i].found);
        RC_ASSERT(first.counterexamples[i].minimal.fired == second.counterexamples[i].minimal.fired);
    }
}

// Enough cases find all that is wrong, and the smallest plans are known.
TEST(random_campaign, finds_each_of_three_bugs_by_its_smallest_plan)
{
    const auto result = mishap::random_campaign(under_test, {.cases = 2'000, .seed = 1});
    std::map<std::string, std::string> minimal;
    for (const mishap::counterexample& c : result.counterexamples)
        minimal.emplace(c.invariant, to_string(c.minimal.fired)); // the plainest of each rule comes first
    EXPECT_EQ(minimal["closes_only_what_exists"], "resource.create=fail(io_error)");
    const std::string& leaked = minimal["closes_everything"];
    // A cancellation leaks as a hang does, until the caller gives up; which is met first is the seed's
    // affair.
    const bool at_one_operation = leaked.ends_with("=hang") || leaked.ends_with("=cancel");
    EXPECT_TRUE((at_one_operation && leaked.find(' ') == std::string::npos) ||
                leaked == "cancel(c0 queued c0/resource.create#1)")
        << leaked;
    const std::string& lost = minimal["preserves_error"];
    EXPECT_TRUE(lost.ends_with("=fail(io_error) resource.close=fail(io_error)")) << lost;
    EXPECT_EQ(minimal.size(), 3u);
}

} // namespace
