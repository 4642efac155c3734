// SPDX-License-Identifier: MIT
// Goal: an injected error is recognised wherever it went, by being that object, and nothing else is taken for
// it. Method: hand-made traces.

#include <mishap/trace.hpp>

#include <gtest/gtest.h>

#include <stdexcept>

namespace {

using mishap::find_source;
using mishap::none;

std::exception_ptr wrapped(const std::exception_ptr& cause)
{
    try {
        try {
            std::rethrow_exception(cause);
        } catch (...) {
            std::throw_with_nested(std::runtime_error("while the session was open"));
        }
    } catch (...) {
        return std::current_exception();
    }
}

mishap::trace trace_of(std::initializer_list<std::exception_ptr> errors)
{
    mishap::trace happened;
    for (const std::exception_ptr& error : errors)
        happened.operations.push_back({.error = error});
    return happened;
}

const std::exception_ptr first = std::make_exception_ptr(std::runtime_error("io"));
const std::exception_ptr second = std::make_exception_ptr(std::runtime_error("io"));

TEST(find_source, the_same_object_is_found_at_its_operation)
{
    const auto happened = trace_of({nullptr, first, second});
    EXPECT_EQ(find_source(happened, first), 1u);
    EXPECT_EQ(find_source(happened, second), 2u);
}

TEST(find_source, an_equal_object_is_another)
{
    const auto happened = trace_of({first});
    EXPECT_EQ(find_source(happened, second), none);
}

TEST(find_source, nothing_comes_from_nowhere)
{
    EXPECT_EQ(find_source(trace_of({nullptr}), nullptr), none);
    EXPECT_EQ(find_source(trace_of({}), first), none);
}

TEST(find_source, a_wrapped_error_is_followed_to_its_cause)
{
    const auto happened = trace_of({first, second});
    EXPECT_EQ(find_source(happened, wrapped(second)), 1u);
    EXPECT_EQ(find_source(happened, wrapped(wrapped(wrapped(first)))), 0u);
    EXPECT_EQ(find_source(happened, wrapped(std::make_exception_ptr(std::runtime_error("io")))), none);
}

// A nested_exception may hold nothing, when it was made outside a handler.
TEST(find_source, an_empty_wrapping_is_no_cause)
{
    struct empty : std::runtime_error, std::nested_exception
    {
        empty() : std::runtime_error("empty") {}
    };
    EXPECT_EQ(find_source(trace_of({nullptr, first}), std::make_exception_ptr(empty())), none);
}

TEST(find_source, wrapping_without_end_is_given_up)
{
    std::exception_ptr deep = first;
    for (int i = 0; i < 1'000; ++i)
        deep = wrapped(deep);
    EXPECT_EQ(find_source(trace_of({first}), deep), none);
}

TEST(trace, operations_show_their_lane_where_several_clients_ran)
{
    mishap::trace happened;
    happened.operations.push_back({.id = {.lane = 0, .kind = "session", .name = "query"}});
    happened.outcomes.resize(1);
    EXPECT_EQ(to_string(happened, happened.operations[0]), "session.query#1");
    happened.outcomes.resize(2);
    EXPECT_EQ(to_string(happened, happened.operations[0]), "c0/session.query#1");
}

TEST(trace, clearing_forgets_everything)
{
    mishap::trace happened = trace_of({first});
    happened.events.push_back({});
    happened.escapes.push_back(first);
    happened.notes.emplace_back("note");
    happened.steps = 3;
    happened.hash = 4;
    happened.clear();
    EXPECT_TRUE(happened.events.empty() && happened.operations.empty() && happened.escapes.empty());
    EXPECT_TRUE(happened.notes.empty() && happened.steps == 0 && happened.hash == 0);
}

} // namespace
