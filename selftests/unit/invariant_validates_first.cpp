// SPDX-License-Identifier: MIT
// Goal: validates_first blames who creates something, or goes on, in spite of a setting that is declared
// invalid; and who refuses it is blamed for nothing. Method: managers that validate first, late or never.

#include "refusal.hpp"
#include "support/under_test.hpp"

#include <mishap/input_error.hpp>
#include <mishap/report.hpp>
#include <mishap/scenario.hpp>

#include <stdexcept>

namespace {

using namespace selftest;

enum class validates
{
    first,
    late,
    never,
    silently ///< does nothing, and says nothing
};

mishap::adapter fetching(validates when)
{
    return [when](environment& env) -> awaitable<void> {
        const int fetch_size = env.setting("fetch_size", 1000);
        const auto validate = [&] {
            if (fetch_size <= 0)
                throw std::invalid_argument("fetch_size must be positive");
        };
        if (when == validates::first)
            validate();
        if (when == validates::silently && fetch_size <= 0)
            co_return;
        mock_resource resource;
        co_await resource.create();
        std::exception_ptr error;
        try {
            if (when == validates::late)
                validate();
            co_await env.body()(resource);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        try {
            co_await resource.close();
        } catch (...) {
            if (!error)
                throw;
            env.report(std::current_exception());
        }
        if (error)
            std::rethrow_exception(error);
    };
}

constexpr std::string_view invalid = "with(fetch_size=-1) invalid(fetch_size)";

TEST(validates_first, holds_for_who_refuses_before_anything_else)
{
    EXPECT_TRUE(holds(run_under(invalid, fetching(validates::first))));
    EXPECT_TRUE(holds(run_under("with(fetch_size=5)", fetching(validates::first))));
    EXPECT_TRUE(holds_under_any_two_faults(fetching(validates::first)));
}

TEST(validates_first, blames_who_creates_something)
{
    const run_result done = run_under(invalid, fetching(validates::late));
    EXPECT_TRUE(breaks_only(done, "validates_first"));
    EXPECT_EQ(
        sentence_of(done), "resource.create#1 was started in spite of the invalid setting fetch_size = '-1'");
    EXPECT_TRUE(breaks_only(run_under(invalid, fetching(validates::never)), "validates_first"));
}

TEST(validates_first, blames_who_says_nothing)
{
    const run_result done = run_under(invalid, fetching(validates::silently));
    EXPECT_TRUE(breaks_only(done, "validates_first"));
    EXPECT_EQ(sentence_of(done), "the caller saw success in spite of the invalid setting fetch_size = '-1'");
}

// The same error of its own is one too many where no setting is declared invalid.
TEST(validates_first, leaves_other_inventions_to_invents_no_error)
{
    EXPECT_TRUE(
        breaks_only(run_under("with(fetch_size=-1)", fetching(validates::first)), "invents_no_error"));
}

TEST(validates_first, holds_for_a_manager_that_is_refused_as_a_whole)
{
    const auto pool = [](environment& env) -> awaitable<void> {
        if (env.setting("size", 2) <= 0)
            throw std::invalid_argument("size must be positive");
        co_await env.clients([](mishap::client& client) -> awaitable<void> {
            mock_resource connection;
            co_await connection.create();
            co_await client.body(connection);
            co_await connection.close();
        });
    };
    contract promises = patient;
    promises.capacity.clients = 2;
    EXPECT_TRUE(holds(run_under("with(size=0) invalid(size)", pool, promises)));
}

TEST(validates_first, sweeps_keep_the_setting)
{
    const mishap::manager late("under_test", fetching(validates::late), patient);
    const mishap::campaign_result found =
        mishap::sweep(late, {.settings = {{"fetch_size", "-1"}}, .invalid_settings = {"fetch_size"}});
    ASSERT_EQ(found.counterexamples.size(), 1u);
    const mishap::counterexample& c = found.counterexamples.front();
    EXPECT_EQ(c.invariant, "validates_first");
    EXPECT_EQ(to_string(c.minimal.fired), invalid);
    EXPECT_NE(to_scenario(c).find("invalid:\n  - \"fetch_size\"\n"), std::string::npos) << to_scenario(c);
}

TEST(validates_first, refuses_an_invalid_setting_without_a_value)
{
    expect_refused([] { static_cast<void>(mishap::parse_plan("invalid(fetch_size)")); }, 0, {"fetch_size"});
    mishap::fault_plan plan;
    plan.invalid_settings.insert("fetch_size");
    EXPECT_THROW(static_cast<void>(mishap::run(right, plan)), mishap::input_error);
}

TEST(validates_first, a_scenario_declares_it)
{
    static const bool known = [] {
        mishap::register_manager({"validates_first_manager", fetching(validates::first), patient});
        return true;
    }();
    static_cast<void>(known);
    const std::string begin = "mishap: 1\nmanager: validates_first_manager\n";
    const auto read = [&](const std::string& rest) {
        return mishap::parse_scenario(begin + rest, "scenario.yaml");
    };
    const mishap::scenario s = read("with: {fetch_size: -1}\ninvalid: [fetch_size]\nfaults: {}\n");
    EXPECT_EQ(to_string(s.plan), invalid);
    EXPECT_EQ(run_scenario(s, {.save_to = ""}).status, mishap::scenario_status::held);
    expect_refused([&] { read("with: {fetch_size: -1}\ninvalid: [fetch_sise]\nfaults: {}\n"); }, 0,
        {"scenario.yaml:4:11", "unknown setting 'fetch_sise'", "did you mean 'fetch_size'?"});
    expect_refused([&] { read("with: {fetch_size: -1}\ninvalid: [fetch_size, fetch_size]\nfaults: {}\n"); },
        0, {"scenario.yaml:4:23", "twice"});
}

} // namespace
