// SPDX-License-Identifier: MIT
// Goal: `--html` and MISHAP_HTML write one file that needs nothing else and holds what was found, whatever
// names and messages it is made of; what cannot be written is an error. Method: pages of the program and of
// campaigns here; their data is read back, since JSON is YAML.

#include "page.hpp"

#include "misuse/child.hpp"

#include <yaml-cpp/yaml.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using misuse::says;

using page::data_of;

class html_report : public misuse::in_fresh_folder
{};

std::string token_of(const std::string& manager)
{
    return to_string(mishap::replay_token{
        manager, mishap::parse_plan("resource.use=fail(io_error) resource.close=fail(io_error)")});
}

void expect_self_contained(const std::string& page)
{
    EXPECT_TRUE(page.starts_with("<!DOCTYPE html>")) << page.substr(0, 200);
    for (const char* outside : {"<link", "@import", " src=", "url(http", "https:", "fetch("})
        EXPECT_EQ(page.find(outside), std::string::npos) << outside;
    // What SVG is called looks like an address, and is none.
    std::size_t addresses = 0;
    for (std::size_t at = 0; (at = page.find("http:", at)) != std::string::npos; ++at)
        ++addresses;
    EXPECT_EQ(addresses, 1u);
    EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
    EXPECT_EQ(page.find("SPDX"), std::string::npos);
}

TEST_F(html_report, of_a_sweep_holds_what_was_found)
{
    const misuse::ended child =
        mishap({"sweep", "bad_cleanup", "--perturbations", "2", "--html", "report.html"});
    EXPECT_EQ(child.code, 1);
    EXPECT_TRUE(says(child.out, "the HTML report is report.html"));
    const std::string page = read("report.html");
    expect_self_contained(page);
    const YAML::Node sections = YAML::Load(data_of(page));
    ASSERT_EQ(sections.size(), 1u);
    const YAML::Node part = sections[0]["parts"][0];
    EXPECT_EQ(part["manager"].as<std::string>(), "bad_cleanup");
    const YAML::Node c = part["counterexamples"][0];
    EXPECT_EQ(c["invariant"].as<std::string>(), "preserves_error");
    EXPECT_EQ(c["holds"].as<std::string>(), "with resource.close=fail(io_error) only");
    EXPECT_EQ(c["run"]["plan"].size(), 2u);
    EXPECT_EQ(c["neighbour"]["plan"].size(), 1u);
    EXPECT_GE(c["run"]["differs"].as<int>(), 0);
    EXPECT_NE(c["replay"].as<std::string>().find(" replay '1 bad_cleanup "), std::string::npos);
    EXPECT_GE(part["coverage"]["rows"].size(), 3u);
    // Causes come before what they cause, and numbers name what is there.
    const YAML::Node events = c["run"]["events"];
    int proofs = 0;
    for (std::size_t i = 0; i < events.size(); ++i) {
        EXPECT_LT(events[i]["cause"].as<std::size_t>(0), i + (i == 0));
        EXPECT_LT(events[i]["op"].as<std::size_t>(0), c["run"]["operations"].size());
        proofs += events[i]["remark"].IsDefined();
    }
    EXPECT_GE(proofs, 2);
}

TEST_F(html_report, of_scenarios_has_a_section_for_each)
{
    const std::string folder = std::string(SOURCE_FOLDER) + "/scenarios/cleanup_error";
    const misuse::ended child = mishap({"run", folder, "--html=all.html"});
    EXPECT_EQ(child.code, 0) << child.err;
    const YAML::Node sections = YAML::Load(data_of(read("all.html")));
    EXPECT_GE(sections.size(), 5u);
    for (const YAML::Node& section : sections) {
        EXPECT_TRUE(section["as_expected"].as<bool>());
        EXPECT_FALSE(section["where"].as<std::string>().empty());
        EXPECT_GE(section["parts"].size(), 1u) << section["where"];
    }
}

TEST_F(html_report, of_a_replay_shows_the_run_that_holds)
{
    const misuse::ended broken = mishap({"replay", token_of("bad_cleanup"), "--html", "broken.html"});
    EXPECT_EQ(broken.code, 1) << broken.out << broken.err;
    EXPECT_EQ(YAML::Load(data_of(read("broken.html")))[0]["parts"][0]["counterexamples"].size(), 1u);
    const misuse::ended held = mishap({"replay", token_of("good_cleanup"), "--html", "held.html"});
    EXPECT_EQ(held.code, 0) << held.out << held.err;
    EXPECT_GE(YAML::Load(data_of(read("held.html")))[0]["parts"][0]["run"]["events"].size(), 10u);
}

TEST_F(html_report, is_asked_for_by_a_variable_where_there_is_no_command_line)
{
    const misuse::ended child = run(FIRST_TEST, {}, {{"MISHAP_HTML", "first.html"}});
    EXPECT_EQ(child.code, 1);
    const std::string page = read("first.html");
    expect_self_contained(page);
    EXPECT_EQ(YAML::Load(data_of(page))[0]["name"].as<std::string>(), "session.survives_any_two_mishaps");
    // CTest runs a program for each test: a folder has a file for each that is not as it should be.
    run(FIRST_TEST, {}, {{"MISHAP_HTML", "pages/"}});
    EXPECT_EQ(files_in("pages"), std::vector<std::string>{"session_survives_any_two_mishaps.html"});
}

TEST_F(html_report, that_cannot_be_written_is_an_error)
{
    const misuse::ended nowhere = mishap({"sweep", "good_cleanup", "--html", "/proc/nowhere/report.html"});
    EXPECT_EQ(nowhere.code, 2);
    EXPECT_TRUE(says(nowhere.err, "the HTML report cannot be written to /proc/nowhere/report.html"));
    const misuse::ended nameless = mishap({"sweep", "good_cleanup", "--html", ""});
    EXPECT_EQ(nameless.code, 2);
    EXPECT_TRUE(says(nameless.err, "--html needs the name of a file"));
}

TEST(html_page, is_not_broken_out_of_by_what_it_shows)
{
    const std::string hostile = "</script><script>alert(1)</script><!-- \xff \x01 & \"";
    const std::string page = to_html(page::campaign_of_five(hostile));
    EXPECT_EQ(page.find("<script>alert"), std::string::npos);
    EXPECT_EQ(page.find("<!--"), std::string::npos);
    const YAML::Node sections = YAML::Load(page::data_of(page));
    EXPECT_EQ(sections[0]["name"].as<std::string>(),
        "</script><script>alert(1)</script><!-- \xEF\xBF\xBD \x01 & \"");
}

TEST(html_page, leaves_out_the_middle_of_a_run_that_nobody_looks_through)
{
    mishap::sweep_options options{.perturbations = 1, .kinds = {mishap::fault::fail("io_error")}};
    options.occurrences_max = 1;
    options.contract = mishap::contract{.work = {.uses = std::vector<std::string>(5'000, "query")}};
    const auto leaks = [](mishap::environment& env) -> mishap::awaitable<void> {
        mishap::mock_resource session("session");
        co_await session.create();
        co_await env.body()(session);
        co_await session.close();
        throw std::runtime_error("invented");
    };
    const std::string page = to_html(mishap::sweep(mishap::manager("long", leaks), options));
    const YAML::Node run = YAML::Load(page::data_of(page))[0]["parts"][0]["counterexamples"][0]["run"];
    EXPECT_GT(run["left_out"].as<int>(), 9'000);
    EXPECT_LT(run["events"].size(), 5'000u);
    EXPECT_LT(page.size(), 5'000'000u);
}

} // namespace
