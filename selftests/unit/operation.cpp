// SPDX-License-Identifier: MIT
// Goal: names of operations read back as they were written, in every form, and what names none is refused
// with the place of the trouble. Method: tables of texts.

#include "refusal.hpp"

#include <mishap/operation.hpp>

namespace {

using mishap::operation_id;
using mishap::parse_operation;
using selftest::expect_refused;

TEST(operation, no_lane_is_client_0_and_no_number_the_first)
{
    const operation_id expected{.lane = 0, .kind = "session", .name = "query", .occurrence = 1, .attempt = 1};
    EXPECT_EQ(parse_operation("session.query"), expected);
    EXPECT_EQ(parse_operation("session.query#1"), expected);
    EXPECT_EQ(parse_operation("session.query#1.1"), expected);
    EXPECT_EQ(parse_operation("c0/session.query#1"), expected);
}

TEST(operation, lanes_occurrences_and_attempts_are_read)
{
    EXPECT_EQ(parse_operation("c12/session.query#34"),
        (operation_id{.lane = 12, .kind = "session", .name = "query", .occurrence = 34}));
    EXPECT_EQ(parse_operation("bg/session.create#3"),
        (operation_id{
            .lane = mishap::background_lane, .kind = "session", .name = "create", .occurrence = 3}));
    EXPECT_EQ(parse_operation("session.close#1.2"),
        (operation_id{.kind = "session", .name = "close", .attempt = 2}));
    EXPECT_EQ(parse_operation("body"), mishap::body_operation(0));
    EXPECT_EQ(parse_operation("c1/body#2"), mishap::body_operation(1, 2));
}

TEST(operation, is_written_with_a_lane_where_that_says_something)
{
    const operation_id query{.kind = "session", .name = "query", .occurrence = 2};
    EXPECT_EQ(to_string(query), "session.query#2");
    EXPECT_EQ(to_string(query, true), "c0/session.query#2");
    EXPECT_EQ(to_string(operation_id{.lane = 1, .kind = "session", .name = "query"}), "c1/session.query#1");
    EXPECT_EQ(to_string(mishap::body_operation(0)), "body#1");
}

TEST(operation, reads_what_it_writes)
{
    for (const char* text : {"session.query#1", "c1/session.close#2.3", "bg/session.create#1000000",
             "c999/a.b#1", "Kind_9.name_0#7", "body#1", "c3/body#2"}) {
        EXPECT_EQ(to_string(parse_operation(text)), text);
        EXPECT_EQ(parse_operation(to_string(parse_operation(text), true)), parse_operation(text));
    }
}

TEST(operation, what_names_none_is_refused_at_its_place)
{
    struct row
    {
        const char* text;
        std::size_t offset;
        const char* words;
    };
    const row rows[] = {
        {"", 0, "no '.'"},
        {"session", 0, "no '.'"},
        {"session.", 0, "letters, digits and _"},
        {".query", 0, "letters, digits and _"},
        {"session.query.again", 0, "letters, digits and _"},
        {"session query.x", 0, "letters, digits and _"},
        {"session.qu-ery", 0, "letters, digits and _"},
        {"session.query#", 13, "'#'"},
        {"session.query#0", 13, "'#0'"},
        {"session.query#-1", 13, "'#-1'"},
        {"session.query#+1", 13, "'#+1'"},
        {"session.query# 1", 13, "'# 1'"},
        {"session.query#1x", 13, "'#1x'"},
        {"session.query#1000001", 13, "#1000000"},
        {"session.query#99999999999999999999", 13, "#1000000"},
        {"session.close#1.0", 13, "'#0'"},
        {"session.close#1.", 13, "'#'"},
        {"session.query##1", 13, "'##1'"},
        {"/session.query", 0, "'' is no lane"},
        {"c/session.query", 0, "'c' is no lane"},
        {"c-1/session.query", 0, "'c-1' is no lane"},
        {"c1000/session.query", 0, "'c1000' is no lane"},
        {"1/session.query", 0, "'1' is no lane"},
        {"bgx/session.query", 0, "(c0, c1, ... or bg)"},
        {"c0/c1/session.query", 3, "letters, digits and _"},
    };
    for (const row& r : rows)
        expect_refused(
            [&] { parse_operation(r.text); }, r.offset, {"'" + std::string(r.text) + "'", r.words}, r.text);
}

TEST(operation, roles_and_lanes_have_names)
{
    EXPECT_EQ(mishap::lane_name(0), "c0");
    EXPECT_EQ(mishap::lane_name(mishap::background_lane), "bg");
    EXPECT_EQ(to_string(mishap::role::create), "create");
    EXPECT_EQ(to_string(mishap::role::force_close), "force_close");
    EXPECT_EQ(to_string(mishap::role::body), "body");
}

} // namespace
