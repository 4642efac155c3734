// SPDX-License-Identifier: MIT
// Goal: a plan survives being written down and read, and a token that was changed in any way is never taken
// for another. Method: plans with one of everything; every single change of every single character of a
// token.

#include "refusal.hpp"

#include <mishap/plan.hpp>

#include <boost/crc.hpp>

#include <fmt/format.h>

#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using mishap::fault;
using mishap::fault_plan;
using mishap::parse_plan;
using mishap::parse_token;
using mishap::replay_token;
using selftest::expect_refused;

fault_plan with_everything()
{
    fault_plan plan;
    plan.at("session.create", fault::ok_now());
    plan.at("session.query#2", fault::fail("connection_reset"));
    plan.at("session.close#2.3", fault::hang());
    plan.at("c1/session.query", fault::delay(30s - 1us));
    plan.at("bg/session.create#7", fault{});
    plan.at("body", fault::fail("value_error"));
    plan.perturbations.push_back({.at = mishap::parse_operation("session.commit#2"),
        .what = mishap::body_failure{.error = "io_error"}});
    plan.lazy = mishap::lazy_faults{
        .seed = 0xfeedfacecafebeef, .per_mille = 350, .weights = {0, 1, 16, 4, 255}, .at_most = 8};
    plan.settings["timeout"] = "5s";
    plan.settings["an odd (name)"] = "-1";
    plan.invalid_settings = {"timeout", "an odd (name)"};
    return plan;
}

TEST(plan, reads_what_it_writes)
{
    const fault_plan plan = with_everything();
    EXPECT_EQ(parse_plan(to_string(plan)), plan) << to_string(plan);
    EXPECT_EQ(to_string(fault_plan()), "");
    EXPECT_EQ(parse_plan(""), fault_plan());
    EXPECT_EQ(parse_plan("   "), fault_plan());
}

TEST(plan, is_written_as_people_would)
{
    fault_plan plan;
    plan.at("session.query#2", fault::fail("io_error")).at("session.close", fault::hang());
    plan.settings["timeout"] = "5s";
    EXPECT_EQ(to_string(plan), "session.query#2=fail(io_error) session.close=hang with(timeout=5s)");
}

TEST(plan, a_lane_is_written_where_there_are_several)
{
    fault_plan plan;
    plan.at("session.query", fault::hang()).at("c1/session.query", fault::hang());
    EXPECT_EQ(to_string(plan), "c0/session.query=hang c1/session.query=hang");
    EXPECT_EQ(parse_plan(to_string(plan)), plan);
}

TEST(plan, a_body_that_fails_after_an_operation_reads_back)
{
    fault_plan plan;
    plan.perturbations.push_back(
        {.at = mishap::parse_operation("session.query#2"), .what = mishap::body_failure{.error = "foreign"}});
    EXPECT_EQ(to_string(plan), "body=fail(foreign after session.query#2)");
    EXPECT_EQ(parse_plan(to_string(plan)), plan);
    plan.perturbations[0].at.lane = 2;
    EXPECT_EQ(to_string(plan), "c2/body=fail(foreign after c2/session.query#2)");
    EXPECT_EQ(parse_plan(to_string(plan)), plan);
}

TEST(plan, says_which_settings_are_invalid)
{
    const fault_plan plan = parse_plan("invalid(fetch_size) with(fetch_size=-1)");
    EXPECT_EQ(plan.invalid_settings.count("fetch_size"), 1u);
    EXPECT_EQ(to_string(plan), "with(fetch_size=-1) invalid(fetch_size)");
    expect_refused([] { parse_plan("with(a=1) invalid(b)"); }, 10, {"'b'", "has no value"});
    expect_refused([] { parse_plan("with(a=1) invalid(a) invalid(a)"); }, 21, {"'a'", "twice"});
}

// Settings are the only free text in a plan: whatever is in them must not be taken for structure.
TEST(plan, settings_may_hold_any_text)
{
    std::string every_byte;
    for (int c = 0; c < 256; ++c)
        every_byte += static_cast<char>(c);
    for (const std::string& value :
        {std::string(), std::string("a b"), std::string("a=b) session.close=hang"), std::string("100%"),
            std::string("%20"), std::string("1 ~7f3a"), std::string("gr\xc3\xbc\xc3\x9f"),
            std::string("'quoted\" \\ $(command)"), every_byte}) {
        fault_plan plan;
        plan.settings["name"] = value;
        plan.settings["an odd name = (%)"] = value;
        EXPECT_EQ(parse_plan(to_string(plan)), plan) << to_string(plan);
        const std::string line = to_string(plan);
        EXPECT_EQ(line.find_first_of("'\"\\$\n\t"), std::string::npos) << "not safe between quotes: " << line;
    }
}

TEST(plan, finds_what_was_planned_for_an_operation)
{
    const fault_plan plan = with_everything();
    ASSERT_NE(plan.find(mishap::parse_operation("session.query#2")), nullptr);
    EXPECT_EQ(
        plan.find(mishap::parse_operation("session.query#2"))->fault(), fault::fail("connection_reset"));
    EXPECT_EQ(plan.find(mishap::parse_operation("session.query#3")), nullptr);
    EXPECT_EQ(plan.find(mishap::parse_operation("c2/session.query#2")), nullptr);
}

TEST(plan, what_cannot_be_read_is_refused_at_its_place)
{
    struct row
    {
        const char* text;
        std::size_t offset;
        const char* words;
    };
    const row rows[] = {
        {"session.query", 0, "'session.query' is no part of a plan"},
        {"a.b=hang nonsense", 9, "'nonsense' is no part of a plan"},
        {"a.b=hang a=hang", 9, "'a' names no operation"},
        {"a.b#0=hang", 3, "'#0'"},
        {"a.b=hang a.c#0=hang", 12, "'#0'"},
        {"a.b=hang a.c=hnag", 13, "unknown fault 'hnag'"},
        {"a.b=", 4, "unknown fault ''"},
        {"=hang", 0, "names no operation"},
        {"a.b=hang a.c=fail(io_eror)", 18, "unknown error 'io_eror'"},
        {"a.b=delay(5x)", 11, "unknown duration unit 'x'"},
        {"a.b=fail(io_error", 17, "no closing bracket"},
        {"a.b=fail(io_error))", 9, "unknown error 'io_error)'"},
        {"a.b=hang a.b=fail(io_error)", 9, "'a.b#1' is perturbed twice"},
        {"a.b=hang a.b#1=hang", 9, "'a.b#1' is perturbed twice"},
        {"a.b=hang with(timeout)", 9, "'with(timeout)' has no '='"},
        {"a.b=hang with(=5s)", 9, "'with(=5s)' has no name"},
        {"with(a=%2)", 7, "broken % escape"},
        {"with(a=b%zz)", 8, "broken % escape"},
        {"with(a=1) with(a=2)", 10, "'a' is set twice"},
        {"with(a=5s", 0, "no closing bracket"},
        {"clients(0)", 8, "'0' is no number of clients: 1 to 100"},
        {"clients(4000000000)", 8, "1 to 100"},
        {"random(1,2,3)", 7, "needs a seed, a rate, weights and a bound"},
        {"random(xyz,1,1:1:1:1:1:1:1:1:1:1,1)", 7, "'xyz' is no number"},
        {"random(1,-1,1:1:1:1:1:1:1:1:1:1,1)", 9, "'-1' is no number"},
        {"random(1,1001,1:1:1:1:1:1:1:1:1:1,1)", 9, "'1001'"},
        {"random(1,1,1:1,1)", 11, "needs 10 weights"},
        {"random(1,1,1:1:1:256:1:1:1:1:1:1,1)", 17, "'256' is no number"},
        {"random(1,1,1:1:1:1:1:1:1:1:1:1,)", 31, "'' is no number"},
        {"random(1,1,1:1:1:1:1:1:1:1:1:1,1) random(1,1,1:1:1:1:1:1:1:1:1:1,1)", 34, "twice"},
        {"a.b=hang body=hang(after a.c)", 19, "'hang' takes no parameter"},
        {"body=fail(io_eror after a.b)", 10, "unknown error 'io_eror'"},
        {"body=fail(io_error after a)", 25, "'a' names no operation"},
        {"body=hang after a.b", 10, "'after' is no part of a plan"},
        {"a.c=fail(io_error after a.b)", 0, "only a body fails before or after an operation"},
        {"nobody=fail(io_error after a.b)", 0, "'nobody' names no operation"},
        {"body#2=fail(io_error after a.b)", 0, "only a body fails before or after an operation"},
        {"c1/body=fail(io_error after c0/a.b)", 28, "not of another client's"},
        {"body=fail(io_error after a.b", 28, "no closing bracket"},
    };
    for (const row& r : rows)
        expect_refused([&] { parse_plan(r.text); }, r.offset, {r.words}, r.text);
}

const replay_token sample{"session", with_everything()};

TEST(token, reads_what_it_writes)
{
    const replay_token read = parse_token(to_string(sample));
    EXPECT_EQ(read.manager, sample.manager);
    EXPECT_EQ(read.plan, sample.plan);
    EXPECT_EQ(parse_token(to_string(replay_token{"session", {}})).plan, fault_plan());
}

TEST(token, any_name_of_a_manager_reads_back)
{
    for (const char* name :
        {"session", "suite.test", "suite/3.test/0", "a b", "1", "~", "odd=(%) name", "\xc3\xbc"})
        EXPECT_EQ(parse_token(to_string(replay_token{name, {}})).manager, name);
}

TEST(token, is_one_line_that_shells_leave_alone_between_quotes)
{
    const std::string text = to_string(sample);
    EXPECT_EQ(text.find_first_of("'\n"), std::string::npos);
    EXPECT_TRUE(text.starts_with("1 session session.create=ok_now") || text.starts_with("1 session c0/"))
        << text;
    EXPECT_EQ(text[text.size() - 5], '~');
}

testing::AssertionResult is_refused(const std::string& token)
{
    try {
        parse_token(token);
        return testing::AssertionFailure() << "taken for a token: " << token;
    } catch (const mishap::input_error&) {
        return testing::AssertionSuccess();
    }
}

TEST(token, a_changed_character_never_goes_unnoticed)
{
    const std::string whole = to_string(sample);
    for (std::size_t i = 0; i < whole.size(); ++i)
        for (const char other : std::string("0129afzAFZ #=()~%._:/,\n\0\x80", 25)) {
            std::string changed = whole;
            changed[i] = other;
            if (other == whole[i])
                continue;
            EXPECT_TRUE(is_refused(changed)) << i;
        }
}

// Every bit, for those characters that the list above does not have.
TEST(token, a_flipped_bit_never_goes_unnoticed)
{
    const std::string whole = to_string(sample);
    for (std::size_t i = 0; i < whole.size() * 8; ++i) {
        std::string changed = whole;
        changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << i % 8));
        EXPECT_TRUE(is_refused(changed)) << i;
    }
}

TEST(token, a_lost_character_never_goes_unnoticed)
{
    const std::string whole = to_string(sample);
    for (std::size_t i = 0; i < whole.size(); ++i)
        EXPECT_TRUE(is_refused(std::string(whole).erase(i, 1))) << i;
}

TEST(token, a_doubled_character_never_goes_unnoticed)
{
    const std::string whole = to_string(sample);
    for (std::size_t i = 0; i < whole.size(); ++i)
        EXPECT_TRUE(is_refused(std::string(whole).insert(i, 1, whole[i]))) << i;
}

TEST(token, two_swapped_characters_never_go_unnoticed)
{
    const std::string whole = to_string(sample);
    for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
        std::string changed = whole;
        std::swap(changed[i], changed[i + 1]);
        if (changed == whole)
            continue;
        EXPECT_TRUE(is_refused(changed)) << i;
    }
}

TEST(token, a_cut_one_is_refused)
{
    const std::string whole = to_string(sample);
    for (std::size_t length = 0; length < whole.size(); ++length)
        EXPECT_TRUE(is_refused(whole.substr(0, length))) << length;
}

TEST(token, a_line_end_that_came_with_copying_is_left_out)
{
    EXPECT_EQ(parse_token(to_string(sample) + " \n").plan, sample.plan);
}

/// With a checksum that fits.
std::string sealed(const std::string& text)
{
    boost::crc_ccitt_type crc;
    crc.process_bytes(text.data(), text.size());
    return fmt::format("{} ~{:04x}", text, crc.checksum());
}

TEST(token, a_sound_one_of_another_format_or_with_nonsense_is_refused_at_its_place)
{
    const std::string newer = sealed("2 session a.b=hang");
    expect_refused([&] { parse_token(newer); }, 0, {"format version '2'", "reads version 1"});
    const std::string nameless = sealed("1");
    expect_refused([&] { parse_token(nameless); }, 0, {"a version, a manager and a plan"});
    const std::string nonsense = sealed("1 session a.b=hang a.c=hnag");
    expect_refused([&] { parse_token(nonsense); }, 23, {"unknown fault 'hnag'"});
    const std::string broken_name = sealed("1 sess%ion a.b=hang");
    expect_refused([&] { parse_token(broken_name); }, 6, {"broken % escape"});
}

TEST(token, a_sum_that_does_not_fit_is_echoed)
{
    expect_refused([] { parse_token("1 session a.b=hang ~zzzz"); }, 20, {"~zzzz", "copy the whole line"});
    expect_refused([] { parse_token("1 session a.b=hang"); }, 18, {"does not end in a checksum"});
    expect_refused([] { parse_token(""); }, 0, {"does not end in a checksum"});
}

} // namespace
