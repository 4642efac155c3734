// SPDX-License-Identifier: MIT
// Goal: two managers are equivalent exactly when they do the same under every plan, and the first difference
// is told so that it can be found. Method: a manager beside copies of it with one thing changed; scenarios
// that compare, right and wrong.

#include "support/under_test.hpp"

#include <mishap/equivalent.hpp>
#include <mishap/gtest.hpp>
#include <mishap/report.hpp>
#include <mishap/scenario.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <string>

namespace {

using namespace selftest;
using mishap::Holds;
using mishap::manager;
using mishap::Violates;

/// What a copy of the manager does otherwise.
struct change
{
    std::function<awaitable<void>(mock_resource&)> before_body = {};
    std::function<awaitable<void>(mock_resource&)> before_close = {};
    bool reports_late = false;
    bool swallows_close_errors = false;
    bool closes = true;
};

/// Creates, lends, closes; a close error beside another one is reported.
manager make(std::string name, change how = {})
{
    const auto lend = [how](environment& env) -> awaitable<void> {
        mock_resource resource;
        co_await resource.create();
        if (how.before_body)
            co_await how.before_body(resource);
        std::exception_ptr error;
        try {
            co_await env.body()(resource);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        if (how.before_close)
            co_await how.before_close(resource);
        std::exception_ptr late;
        try {
            if (how.closes)
                co_await resource.close();
        } catch (...) {
            late = std::current_exception();
        }
        if (late && error)
            env.report(how.reports_late ? error : late);
        if (error)
            std::rethrow_exception(error);
        if (late && !how.swallows_close_errors)
            std::rethrow_exception(late);
    };
    return {std::move(name), lend, patient};
}

std::string report_of(const mishap::campaign_result& result)
{
    std::string text = result.invalid;
    for (const mishap::counterexample& c : result.counterexamples)
        text += mishap::report(c);
    return text;
}

TEST(equivalent, holds_for_two_that_do_the_same)
{
    const auto result = mishap::equivalent(make("one"), make("other"), {.perturbations = 3});
    EXPECT_THAT(result, Holds());
    EXPECT_TRUE(result.complete);
    EXPECT_NE(result.covered.find("; compared with other"), std::string::npos) << result.covered;
}

TEST(equivalent, is_broken_by_one_that_leaves_an_operation_out)
{
    const auto result = mishap::equivalent(make("one"), make("other", {.closes = false}));
    EXPECT_THAT(result, Violates("equivalent"));
    ASSERT_EQ(result.counterexamples.size(), 1u); // that the other one never closes is not judged here
    const std::string text = report_of(result);
    for (const char* line : {"one breaks equivalent", "other does something else under this plan",
             "plan      (no fault at all)", "expected  as other does: no further operation",
             "actual    resource.close#1 succeeds, 0s to 0s", "<- here they part"})
        EXPECT_NE(text.find(line), std::string::npos) << line << "\nis not in\n" << text;
}

TEST(equivalent, is_broken_by_one_that_does_more)
{
    const auto pings = [](mock_resource& r) -> awaitable<void> { co_await r.maintain("ping"); };
    EXPECT_THAT(
        mishap::equivalent(make("one"), make("other", {.before_body = pings})), Violates("equivalent"));
    EXPECT_THAT(
        mishap::equivalent(make("one", {.before_body = pings}), make("other")), Violates("equivalent"));
}

TEST(equivalent, is_broken_by_one_that_takes_longer)
{
    const auto waits = [](mock_resource&) -> awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 1s);
        co_await timer.async_wait(asio::use_awaitable);
    };
    const auto result = mishap::equivalent(make("one"), make("other", {.before_close = waits}));
    EXPECT_THAT(result, Violates("equivalent"));
    EXPECT_NE(report_of(result).find("as other does: resource.close#1 succeeds, 1s to 1s"), std::string::npos)
        << report_of(result);
}

TEST(equivalent, is_broken_by_another_end)
{
    const auto result =
        mishap::equivalent(make("one"), make("other", {.swallows_close_errors = true}), {.perturbations = 1});
    EXPECT_THAT(result, Violates("equivalent"));
    const std::string text = report_of(result);
    EXPECT_NE(text.find("as other does: client 0 returns at 0s"), std::string::npos) << text;
    EXPECT_NE(text.find("actual    client 0 throws io_error (resource.close#1) at 0s"), std::string::npos)
        << text;
}

// Only two faults together tell these two apart, and the report is cut down to them.
TEST(equivalent, is_broken_by_another_report)
{
    const change late{.reports_late = true};
    EXPECT_THAT(mishap::equivalent(make("one"), make("other", late), {.perturbations = 1}), Holds());
    const auto result = mishap::equivalent(make("one"), make("other", late), {.perturbations = 2});
    EXPECT_THAT(result, Violates("equivalent"));
    ASSERT_EQ(result.counterexamples.size(), 1u);
    EXPECT_EQ(result.counterexamples[0].minimal.fired.perturbations.size(), 2u);
    EXPECT_NE(report_of(result).find("is reported"), std::string::npos) << report_of(result);
    mishap::random_options drawing;
    drawing.seed = 1;
    EXPECT_THAT(mishap::equivalent(make("one"), make("other", late), drawing), Violates("equivalent"));
}

TEST(equivalent, says_nothing_of_promises)
{
    const change leaks{.closes = false};
    EXPECT_THAT(mishap::sweep(make("one", leaks)), Violates("closes_everything"));
    EXPECT_THAT(mishap::equivalent(make("one", leaks), make("other", leaks)), Holds());
}

// How many steps a manager takes between two operations is its own affair.
TEST(equivalent, does_not_count_steps)
{
    const auto turns = [](mock_resource&) -> awaitable<void> {
        for (int i = 0; i < 3; ++i)
            co_await asio::post(asio::use_awaitable);
    };
    const auto result = mishap::equivalent(make("one", {.before_close = turns}), make("other"));
    EXPECT_THAT(result, Holds());
    EXPECT_NE(result.covered.find("that strike at a moment which no operation marks"), std::string::npos)
        << result.covered;
}

TEST(equivalent, compares_each_client)
{
    const auto several = [](std::string name, int eager) -> manager {
        const auto serve = [eager](environment& env) -> awaitable<void> {
            co_await env.clients([eager](mishap::client& client) -> awaitable<void> {
                mock_resource resource;
                co_await resource.create();
                co_await client.body(resource);
                if (client.index() == eager)
                    co_await resource.maintain("flush");
                co_await resource.close();
            });
        };
        contract promises = patient;
        promises.capacity.clients = 3;
        return {std::move(name), serve, promises};
    };
    EXPECT_THAT(mishap::equivalent(several("one", -1), several("other", -1), {.perturbations = 1}), Holds());
    const auto result = mishap::equivalent(several("one", -1), several("other", 2), {.perturbations = 1});
    EXPECT_THAT(result, Violates("equivalent"));
    EXPECT_NE(report_of(result).find("in the lane of client 2"), std::string::npos) << report_of(result);
}

TEST(equivalent, tests_nothing_where_no_fault_fires)
{
    const manager idle("idle", [](environment&) -> awaitable<void> { co_return; });
    EXPECT_NE(mishap::equivalent(idle, idle).invalid, "");
}

// In scenario files
// ------------------------------------------------------------------------------------------------------

const bool registered = [] {
    mishap::register_manager(make("plain"));
    mishap::register_manager(make("twin"));
    mishap::register_manager(make("swallower", {.swallows_close_errors = true}));
    return true;
}();

mishap::scenario_result run_text(const std::string& text)
{
    return mishap::run_scenario(
        mishap::parse_scenario("mishap: 1\nmanager: plain\n" + text, "compared.yaml"), {.save_to = {}});
}

std::string refusal_of(const std::string& text)
{
    try {
        mishap::parse_scenario("mishap: 1\nmanager: plain\n" + text, "compared.yaml");
        return "nothing";
    } catch (const mishap::scenario_error& e) {
        return e.what();
    }
}

TEST(equivalent_to, compares_under_every_plan_of_an_exploration)
{
    const std::string explore = "explore: {sweep: {perturbations: 2}, random: {cases: 200, seed: 1}}\n";
    EXPECT_EQ(run_text("equivalent_to: twin\n" + explore).failure, "");
    const auto failed = run_text("equivalent_to: swallower\n" + explore);
    EXPECT_EQ(failed.status, mishap::scenario_status::failed);
    EXPECT_NE(failed.failure.find("plain breaks equivalent"), std::string::npos) << failed.failure;
    EXPECT_NE(failed.failure.find("replay    run compared.yaml"), std::string::npos) << failed.failure;
    EXPECT_EQ(
        run_text("equivalent_to: swallower\n" + explore + "expect: {violates: [equivalent]}\n").failure, "");
}

TEST(equivalent_to, compares_under_the_plan_of_an_example)
{
    const std::string example = "faults: {resource.close: fail io_error}\n";
    EXPECT_EQ(run_text("equivalent_to: twin\n" + example).failure, "");
    EXPECT_NE(run_text("equivalent_to: swallower\n" + example).failure.find("breaks equivalent"),
        std::string::npos);
    EXPECT_EQ(run_text("equivalent_to: swallower\nfaults: {}\n").failure, "");
}

TEST(equivalent_to, is_kept_in_a_saved_counterexample)
{
    const auto result = mishap::equivalent(mishap::get_manager("plain"), mishap::get_manager("swallower"));
    ASSERT_EQ(result.counterexamples.size(), 1u);
    const std::string saved = mishap::to_scenario(result.counterexamples[0]);
    const auto again = mishap::run_scenario(mishap::parse_scenario(saved, "saved.yaml"), {.save_to = {}});
    EXPECT_EQ(again.broken, std::vector<std::string>{"equivalent"}) << saved;
}

TEST(equivalent_to, refuses_what_cannot_be_compared)
{
    EXPECT_NE(
        refusal_of("equivalent_to: twinn\nfaults: {}\n").find("did you mean 'twin'?"), std::string::npos);
    EXPECT_NE(
        refusal_of("equivalent_to: plain\nfaults: {}\n").find("compared with itself"), std::string::npos);
    EXPECT_NE(
        refusal_of("equivalent_to: twin\nfaults: {}\nexpect: {violates: [closes_once]}\n").find("equivalent"),
        std::string::npos);
    EXPECT_NE(refusal_of("faults: {}\nexpect: {violates: [equivalent]}\n").find("unknown invariant"),
        std::string::npos)
        << refusal_of("faults: {}\nexpect: {violates: [equivalent]}\n");
    const auto skipped =
        run_text("equivalent_to: twin\ncancel: {at: resource.create, when: after, steps: 1}\nfaults: {}\n");
    EXPECT_EQ(skipped.status, mishap::scenario_status::invalid);
    EXPECT_NE(skipped.failure.find("nothing was compared"), std::string::npos) << skipped.failure;
}

} // namespace
