// SPDX-License-Identifier: MIT
#pragma once
/// How the events of a run read.

#include <mishap/run.hpp>

#include <optional>
#include <string>

namespace mishap::detail {

/// Who did what.
struct event_words
{
    std::string who;
    std::string what;
};

/// How an event reads, or nothing where another event of the same operation says it.
std::optional<event_words> describe_event(const run_result&, index event);

/// How any event reads, also one that timelines leave out.
event_words name_event(const run_result&, index event);

/// The first event of a run that is not as in the other one, or `none` where the other one has all of them.
index first_difference(const run_result&, const run_result& other);

/// Milliseconds, or finer where the time is.
std::string format_time(duration at);

/// `session#1`, with its lane where several clients ran.
std::string resource_name(const trace&, index resource);

} // namespace mishap::detail
