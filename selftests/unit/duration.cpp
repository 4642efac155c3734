// SPDX-License-Identifier: MIT
// Goal: durations read back as they were written, and what is no duration is refused where the trouble is.
// Method: tables of texts.

#include "refusal.hpp"

#include <mishap/duration.hpp>

namespace {

using namespace std::chrono_literals;
using mishap::duration;
using mishap::parse_duration;
using mishap::to_string;
using selftest::expect_refused;

TEST(duration, each_unit_is_read)
{
    EXPECT_EQ(parse_duration("7ns"), 7ns);
    EXPECT_EQ(parse_duration("7us"), 7us);
    EXPECT_EQ(parse_duration("7ms"), 7ms);
    EXPECT_EQ(parse_duration("7s"), 7s);
    EXPECT_EQ(parse_duration("7min"), 7min);
    EXPECT_EQ(parse_duration("7h"), 7h);
}

TEST(duration, fractions_are_exact)
{
    EXPECT_EQ(parse_duration("1.5ms"), 1'500us);
    EXPECT_EQ(parse_duration("29.999999s"), 30s - 1us);
    EXPECT_EQ(parse_duration("0.000000001s"), 1ns);
    EXPECT_EQ(parse_duration("1.50h"), 90min);
    EXPECT_EQ(parse_duration("1.0ns"), 1ns);
    EXPECT_EQ(parse_duration("0.1min"), 6s);
}

TEST(duration, is_written_in_the_largest_unit_that_fits)
{
    EXPECT_EQ(to_string(duration(0)), "0s");
    EXPECT_EQ(to_string(duration(7ns)), "7ns");
    EXPECT_EQ(to_string(duration(1'500ns)), "1.5us");
    EXPECT_EQ(to_string(duration(1'500us)), "1.5ms");
    EXPECT_EQ(to_string(duration(30s - 1us)), "29.999999s");
    EXPECT_EQ(to_string(duration(1h)), "3600s");
}

TEST(duration, reads_what_it_writes)
{
    for (const duration d : {duration(0), duration(1), duration(999), duration(1'000), duration(1'001),
             duration(999'999'999), duration(1'000'000'001), duration(24h), duration::max()})
        EXPECT_EQ(parse_duration(to_string(d)), d) << to_string(d);
}

TEST(duration, the_largest_is_the_last_that_is_read)
{
    EXPECT_EQ(parse_duration("9223372036854775807ns"), duration::max());
    expect_refused(
        [] { parse_duration("9223372036854775808ns"); }, 0, {"'9223372036854775808ns'", "292 years"});
    expect_refused([] { parse_duration("9223372036.854775808s"); }, 0, {"292 years"});
    expect_refused([] { parse_duration("99999999999999999999999h"); }, 0, {"292 years"});
}

TEST(duration, what_is_no_duration_is_refused_where_it_ends_to_be_one)
{
    expect_refused([] { parse_duration(""); }, 0, {"'' is no duration", "empty"});
    expect_refused([] { parse_duration("-5s"); }, 0, {"'-5s'", "no sign"});
    expect_refused([] { parse_duration("+5s"); }, 0, {"'+5s'", "no sign"});
    expect_refused([] { parse_duration("s"); }, 0, {"'s'", "does not begin with a digit"});
    expect_refused([] { parse_duration(" 5s"); }, 0, {"does not begin with a digit"});
    expect_refused([] { parse_duration("5"); }, 1, {"'5'", "no unit", "ns, us, ms, s, min, h"});
    expect_refused([] { parse_duration("5.s"); }, 1, {"a digit must follow the point"});
    expect_refused(
        [] { parse_duration("5x"); }, 1, {"'5x'", "unknown duration unit 'x'", "ns, us, ms, s, min, h"});
    expect_refused([] { parse_duration("5 s"); }, 1, {"unknown duration unit ' s'"});
    expect_refused([] { parse_duration("5sec"); }, 1, {"unknown duration unit 'sec'"});
    expect_refused([] { parse_duration("5mni"); }, 1, {"did you mean 'min'?"});
    expect_refused([] { parse_duration("1.5ns"); }, 1, {"finer than a nanosecond"});
    expect_refused([] { parse_duration("0.0000000001s"); }, 1, {"finer than a nanosecond"});
}

} // namespace
