// SPDX-License-Identifier: MIT
// Goal: faults read back as they were written, in a scenario's words and in a token's, and what is none is
// refused. Method: tables of texts.

#include "refusal.hpp"

#include <mishap/duration.hpp>
#include <mishap/fault.hpp>

#include <algorithm>

namespace {

using namespace std::chrono_literals;
using mishap::fault;
using mishap::fault_kind;
using mishap::parse_fault;
using selftest::expect_refused;

TEST(fault, words_are_read)
{
    EXPECT_EQ(parse_fault("ok"), fault{});
    EXPECT_EQ(parse_fault("ok now"), fault::ok_now());
    EXPECT_EQ(parse_fault("fail connection_reset"), fault::fail("connection_reset"));
    EXPECT_EQ(parse_fault("fail"), fault::fail("io_error"));
    EXPECT_EQ(parse_fault("fail foreign in 1.5s"), fault::fail("foreign", 1'500ms));
    EXPECT_EQ(parse_fault("fail(foreign, 3s)"), fault::fail("foreign", 3s));
    EXPECT_EQ(parse_fault("fail after effect foreign in 3s"), fault::fail_after_effect("foreign", 3s));
    EXPECT_EQ(parse_fault("fail foreign in 0s"), fault::fail("foreign"));
    EXPECT_EQ(parse_fault("delay 1.5s"), fault::delay(1'500ms));
    EXPECT_EQ(parse_fault("hang"), fault::hang());
    EXPECT_EQ(parse_fault("  hang  "), fault::hang());
}

TEST(fault, both_forms_read_back)
{
    for (const fault& f : {fault{}, fault::ok_now(), fault::hang(), fault::fail("foreign"),
             fault::fail("timed_out"), fault::delay(0s), fault::delay(30s - 1us), fault::delay(1ns),
             fault::fail("foreign", 3s), fault::fail_after_effect("io_error", 1us)}) {
        EXPECT_EQ(parse_fault(to_string(f)), f) << to_string(f);
        EXPECT_EQ(parse_fault(to_token(f)), f) << to_token(f);
    }
    EXPECT_EQ(to_string(fault::ok_now()), "ok now");
    EXPECT_EQ(to_token(fault::ok_now()), "ok_now");
    EXPECT_EQ(to_string(fault::fail("io_error")), "fail io_error");
    EXPECT_EQ(to_token(fault::fail("io_error")), "fail(io_error)");
    EXPECT_EQ(to_string(fault::fail("io_error", 3s)), "fail io_error in 3s");
    EXPECT_EQ(to_token(fault::fail("io_error", 3s)), "fail(io_error,3s)");
    EXPECT_EQ(to_token(fault::delay(5s)), "delay(5s)");
}

TEST(fault, the_table_has_every_kind_at_its_index)
{
    const auto table = mishap::fault_table();
    for (std::size_t i = 0; i < table.size(); ++i) {
        EXPECT_EQ(static_cast<std::size_t>(table[i].kind), i);
        EXPECT_FALSE(table[i].about.empty());
        EXPECT_TRUE(std::none_of(table.begin(), table.begin() + static_cast<std::ptrdiff_t>(i),
            [&](const auto& other) { return other.word == table[i].word; }));
    }
}

TEST(fault, what_is_none_is_refused_at_its_place)
{
    expect_refused([] { parse_fault(""); }, 0, {"unknown fault ''", "(known: ok, ok now, fail ERROR"});
    expect_refused([] { parse_fault("hnag"); }, 0, {"unknown fault 'hnag'", "did you mean 'hang'?"});
    expect_refused(
        [] { parse_fault("fial io_error"); }, 0, {"unknown fault 'fial io_error'", "did you mean 'fail'?"});
    expect_refused(
        [] { parse_fault("dealy(5s)"); }, 0, {"unknown fault 'dealy(5s)'", "did you mean 'delay'?"});
    expect_refused([] { parse_fault("hangs"); }, 0, {"unknown fault 'hangs'", "did you mean 'hang'?"});
    expect_refused([] { parse_fault("Hang"); }, 0, {"unknown fault 'Hang'", "did you mean 'hang'?"});
    expect_refused(
        [] { parse_fault("fail io_eror"); }, 5, {"unknown error 'io_eror'", "did you mean 'io_error'?"});
    expect_refused([] { parse_fault("  fail io_eror"); }, 7, {"unknown error 'io_eror'"});
    expect_refused([] { parse_fault("fail(io_eror)"); }, 5, {"unknown error 'io_eror'"});
    expect_refused([] { parse_fault("fail()"); }, 5, {"unknown error ''"});
    expect_refused([] { parse_fault("fail(io_error"); }, 13, {"'fail(io_error' has no closing bracket"});
    expect_refused([] { parse_fault("fail io_error twice"); }, 5, {"unknown error 'io_error twice'"});
    expect_refused([] { parse_fault("fail io_eror in 3s"); }, 5, {"unknown error 'io_eror'"});
    expect_refused([] { parse_fault("fail io_error in 3x"); }, 18, {"unknown duration unit 'x'"});
    expect_refused([] { parse_fault("fail(io_error,3x)"); }, 15, {"unknown duration unit 'x'"});
    expect_refused([] { parse_fault("fail(io_error,)"); }, 14, {"''"});
    expect_refused([] { parse_fault("hang 5s"); }, 5, {"'hang' takes no parameter", "'5s'"});
    expect_refused([] { parse_fault("ok io_error"); }, 3, {"'ok' takes no parameter", "'io_error'"});
    expect_refused([] { parse_fault("delay"); }, 5, {"'delay' lacks its duration", "'delay 5s'"});
    expect_refused([] { parse_fault("delay 5x"); }, 7, {"unknown duration unit 'x'"});
    expect_refused([] { parse_fault("delay(5x)"); }, 7, {"unknown duration unit 'x'"});
    expect_refused([] { parse_fault("delay -5s"); }, 6, {"no sign"});
}

} // namespace
