// SPDX-License-Identifier: MIT
// Goal: reports fit the width they are given, tell once what repeats, keep columns only where they fit, and
// say which plan holds and what may just as well go wrong. Method: reports of hand-made managers, as text.

#include "support/under_test.hpp"

#include <mishap/report.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace selftest;

std::vector<std::string> lines_of(const std::string& text)
{
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

std::size_t columns_of(const std::string& line)
{
    return static_cast<std::size_t>(
        std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

bool has(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

/// Every client fails to close what it has when a use fails.
awaitable<void> leaks(environment& env)
{
    co_await env.clients([](mishap::client& one) -> awaitable<void> {
        mock_resource session("session_with_a_long_name");
        co_await session.create();
        co_await one.body(session);
        co_await session.close();
    });
}

mishap::campaign_result campaign(std::uint32_t clients)
{
    mishap::sweep_options options{.perturbations = 1};
    options.name = "leaks";
    options.contract = patient;
    options.contract->capacity = {.resources = clients, .clients = clients};
    options.kinds = {mishap::fault::fail("io_error")};
    return mishap::sweep(mishap::manager("leaks", &leaks), options);
}

TEST(reports, fit_the_width_that_they_are_given)
{
    for (const std::uint32_t clients : {1u, 2u, 6u}) {
        const mishap::campaign_result found = campaign(clients);
        ASSERT_FALSE(found.counterexamples.empty());
        for (const std::size_t width : {80u, 100u, 120u})
            for (const std::string& line : lines_of(report(found.counterexamples.front(), {.width = width})))
                EXPECT_TRUE(line.starts_with("  replay    ") || columns_of(line) <= width) << line;
    }
}

TEST(reports, tell_who_was_served_in_one_line_where_columns_do_not_fit)
{
    const std::string text = report(campaign(6).counterexamples.front(), {.width = 80});
    EXPECT_TRUE(has(text, "-- c1 to c5 are served: nothing goes wrong --")) << text;
    EXPECT_TRUE(has(text, "destroyed while open")) << text;
}

TEST(reports, say_which_plan_holds_and_where_the_runs_part)
{
    const mishap::counterexample c = campaign(1).counterexamples.front();
    ASSERT_TRUE(c.neighbour);
    EXPECT_TRUE(c.neighbour->holds());
    EXPECT_EQ(c.neighbour->fired.perturbations.size() + 1, c.minimal.fired.perturbations.size());
    const std::string text = report(c);
    EXPECT_TRUE(has(text, "  holds     with no fault; ")) << text;
    EXPECT_TRUE(has(text, "session_with_a_long_name.use may just as well hang or be cancelled")) << text;
    std::size_t marks = 0;
    for (const std::string& line : lines_of(text))
        marks += has(line, " > 0.000s") || has(line, ".000s") ? line.find("> ") == 12 : 0;
    EXPECT_EQ(marks, 1u) << text;
}

TEST(reports, tell_once_what_repeats)
{
    const auto beats = [](environment&) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        boost::asio::steady_timer pause(co_await asio::this_coro::executor);
        for (int i = 0; i < 1'500; ++i) {
            co_await session.use("ping");
            pause.expires_after(1s);
            co_await pause.async_wait(asio::use_awaitable);
        }
        co_await session.close();
    };
    const std::string text = timeline(mishap::run(mishap::manager("beats", beats), {}));
    EXPECT_TRUE(has(text, "session.ping")) << text;
    EXPECT_TRUE(has(text, "ok  ×1,500, every 1s")) << text;
    EXPECT_LE(lines_of(text).size(), 6u) << text;
}

TEST(reports, of_a_run_have_one_timeline_whatever_it_broke)
{
    const auto closes_never = [](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        co_await env.body()(session);
        throw std::runtime_error("invented");
    };
    const mishap::run_result run = mishap::run(mishap::manager("wrong", closes_never), {});
    ASSERT_GE(run.verdict.violations.size(), 2u);
    const std::string text = report(run);
    const auto lines = lines_of(text);
    EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                  [](const std::string& line) { return line.starts_with("  timeline"); }),
        1)
        << text;
    EXPECT_TRUE(has(text, "  also      breaks ")) << text;
}

TEST(reports, begin_as_compilers_write_where_a_place_is_known)
{
    const std::string text = report(campaign(1).counterexamples.front(), {.location = "x.yaml:3"});
    EXPECT_TRUE(text.starts_with("x.yaml:3: error: leaks breaks closes_everything\n")) << text;
}

} // namespace
