// SPDX-License-Identifier: MIT
#pragma once
/// How tests run hand-made managers and read the verdict.

#include <mishap/environment.hpp>
#include <mishap/explore.hpp>
#include <mishap/manager.hpp>
#include <mishap/plan.hpp>
#include <mishap/resource.hpp>
#include <mishap/run.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <exception>
#include <string_view>

namespace selftest {

namespace asio = boost::asio;
using namespace std::chrono_literals;

using mishap::awaitable;
using mishap::contract;
using mishap::environment;
using mishap::mock_resource;
using mishap::phase;
using mishap::run_result;

/// Promises nothing about time, so that what hangs is nobody's fault.
inline const contract patient{.time = {.unbounded = {phase::create, phase::close}}};

/// From here on the coroutine is not cancelled: `co_await shield();`
inline auto shield() { return asio::this_coro::reset_cancellation_state(asio::disable_cancellation()); }

/// Does `work`, then `close`, which nothing cancels: the try and finally of other languages. The first error
/// is thrown. Who is cancelled before it is entered throws at the `co_await`, and cleans up nothing: where
/// cancellations at any step must be survived, write the frame out.
template <class Work, class Close>
awaitable<void> with_cleanup(Work work, Close close)
{
    std::exception_ptr error;
    try {
        co_await work();
    } catch (...) {
        error = std::current_exception();
    }
    co_await shield();
    try {
        co_await close();
    } catch (...) {
        error = error ? error : std::current_exception();
    }
    if (error)
        std::rethrow_exception(error);
}

/// Throws the error, if there is one.
inline void raise(const std::exception_ptr& error)
{
    if (error)
        std::rethrow_exception(error);
}

/// Creates, lends and closes a resource; a close error yields to an earlier one, and is reported then.
awaitable<void> right(environment& env);

/// Checks an open resource, as a manager does before it lends it.
awaitable<void> pings(mock_resource& resource);

/// Acquires something on an open resource, such as an advisory lock.
awaitable<void> acquires(mock_resource& resource);

/// One run under a plan's line.
run_result run_under(std::string_view plan, mishap::adapter under_test, const contract& promises = patient,
    mishap::limits bounds = {});

/// No invariant broke.
testing::AssertionResult holds(const run_result& done);

/// That invariant broke, once, and no other.
testing::AssertionResult breaks_only(const run_result& done, std::string_view invariant);

/// That invariant broke, and comes first in the report. What else broke is a consequence that is told, too.
testing::AssertionResult breaks_first(const run_result& done, std::string_view invariant);

/// Nothing breaks it: a sweep over every plan of at most two faults, complete.
testing::AssertionResult holds_under_any_two_faults(
    mishap::adapter under_test, const contract& promises = patient);

/// What the first violation's sentence says.
std::string sentence_of(const run_result& done);

} // namespace selftest
