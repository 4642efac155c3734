// SPDX-License-Identifier: MIT
// Goal: whatever can be written down is read back as it was, and whatever cannot be read is refused in an
// orderly way. Method: RapidCheck draws plans with everything in them, and texts that are nearly something.

#include "generators.hpp"

#include <mishap/duration.hpp>
#include <mishap/input_error.hpp>
#include <mishap/scenario.hpp>

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h> // needs the former

namespace {

namespace gen = rc::gen;

RC_GTEST_PROP(plan, survives_printing_and_parsing, ())
{
    const mishap::fault_plan plan = *selftest::written_plans();
    const std::string line = to_string(plan);
    RC_LOG() << line;
    RC_ASSERT(mishap::parse_plan(line) == plan);
    RC_ASSERT(line.find_first_of("'\n") == std::string::npos);
}

RC_GTEST_PROP(token, survives_printing_and_parsing, ())
{
    const mishap::replay_token token{*gen::nonEmpty<std::string>(), *selftest::written_plans()};
    const mishap::replay_token read = mishap::parse_token(to_string(token));
    RC_ASSERT(read.manager == token.manager);
    RC_ASSERT(read.plan == token.plan);
}

RC_GTEST_PROP(operation, survives_printing_and_parsing, ())
{
    const mishap::operation_id id = *selftest::operations();
    RC_ASSERT(mishap::parse_operation(to_string(id)) == id);
    RC_ASSERT(mishap::parse_operation(to_string(id, true)) == id);
}

RC_GTEST_PROP(duration, survives_printing_and_parsing, ())
{
    const auto count = *gen::inRange<std::int64_t>(0, mishap::duration::max().count());
    const int scale = *gen::inRange(0, 60);
    const mishap::duration d(count >> scale);
    RC_ASSERT(mishap::parse_duration(mishap::to_string(d)) == d);
}

/// Reads it, or refuses it with an offset that lies in it.
template <class Parse>
void expect_orderly(const std::string& text, Parse parse)
{
    try {
        parse(text);
    } catch (const mishap::input_error& e) {
        RC_ASSERT(e.offset() <= text.size());
        RC_ASSERT(e.what()[0] != '\0');
    }
}

/// Something that can be read, with a few characters changed, lost or added.
std::string nearly(const std::string& sound)
{
    std::string text = sound;
    const int changes = *gen::inRange(0, 4);
    for (int i = 0; i < changes; ++i) {
        const auto at = *gen::inRange<std::size_t>(0, text.size() + 1);
        const char other =
            *gen::oneOf(gen::elementOf(std::string("0#=()~%._:/, -c")), gen::arbitrary<char>());
        if (*gen::arbitrary<bool>() || at == text.size())
            text.insert(at, 1, other);
        else if (*gen::arbitrary<bool>())
            text.erase(at, 1);
        else
            text[at] = other;
    }
    return text;
}

RC_GTEST_PROP(any_text, is_read_or_refused_in_an_orderly_way, ())
{
    const std::string text = *gen::arbitrary<std::string>();
    expect_orderly(text, [](const std::string& t) { mishap::parse_plan(t); });
    expect_orderly(text, [](const std::string& t) { mishap::parse_token(t); });
    expect_orderly(text, [](const std::string& t) { mishap::parse_operation(t); });
    expect_orderly(text, [](const std::string& t) { mishap::parse_fault(t); });
    expect_orderly(text, [](const std::string& t) { mishap::parse_duration(t); });
}

RC_GTEST_PROP(nearly_sound_text, is_read_or_refused_in_an_orderly_way, ())
{
    const mishap::fault_plan plan = *selftest::written_plans();
    expect_orderly(nearly(to_string(plan)), [](const std::string& t) { mishap::parse_plan(t); });
    expect_orderly(
        nearly(to_string(*selftest::operations())), [](const std::string& t) { mishap::parse_operation(t); });
    const mishap::fault fault = *selftest::faults();
    expect_orderly(nearly(to_string(fault)), [](const std::string& t) { mishap::parse_fault(t); });
    expect_orderly(nearly(to_token(fault)), [](const std::string& t) { mishap::parse_fault(t); });
    expect_orderly(
        nearly(mishap::to_string(fault.after)), [](const std::string& t) { mishap::parse_duration(t); });
}

// What is read is what was meant: reading and writing once more changes nothing.
RC_GTEST_PROP(nearly_sound_text, that_is_read_has_one_meaning, ())
{
    const std::string text = nearly(to_string(*selftest::written_plans()));
    mishap::fault_plan plan;
    try {
        plan = mishap::parse_plan(text);
    } catch (const mishap::input_error&) {
        return;
    }
    RC_LOG() << text;
    RC_ASSERT(mishap::parse_plan(to_string(plan)) == plan);
}

RC_GTEST_PROP(nearly_sound_token, is_refused_unless_it_is_the_same, ())
{
    const std::string sound = to_string(mishap::replay_token{"session", *selftest::written_plans()});
    std::string text = sound;
    const auto at = *gen::inRange<std::size_t>(0, text.size());
    const char other = *gen::arbitrary<char>();
    RC_PRE(text[at] != other);
    text[at] = other;
    RC_ASSERT_THROWS_AS(mishap::parse_token(text), mishap::input_error);
}

RC_GTEST_PROP(nearly_sound_scenario, is_read_or_refused_at_a_place, ())
{
    const std::string text =
        nearly("mishap: 1\nmanager: nobody\nabout: x\nfaults:\n  session.query#2: fail io_error\n"
               "expect:\n  outcome: throws io_error\n");
    try {
        mishap::parse_scenario(text, "file.yaml");
        RC_FAIL("there is no manager 'nobody'");
    } catch (const mishap::scenario_error& e) {
        RC_ASSERT(e.where().line >= 1);
        RC_ASSERT(e.where().column >= 1);
        RC_ASSERT(std::string_view(e.what()).starts_with(to_string(e.where()) + ": "));
    }
}

} // namespace
