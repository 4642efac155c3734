// SPDX-License-Identifier: MIT
#pragma once
// What the tests of the simulation share: a session to manage, and one run of a manager.

#include <mishap/environment.hpp>
#include <mishap/report.hpp>
#include <mishap/run.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Creates a session, does the given work, closes it. The work is what a test is about.
template <class Work>
mishap::awaitable<void> with_session(Work work)
{
    mishap::mock_resource session("session");
    co_await session.create();
    co_await work(session);
    co_await session.close();
}

/// Promises nothing about time, so that what hangs is nobody's fault.
inline const mishap::contract patient{.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

inline mishap::contract nothing_promised()
{
    return {.time = {.unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::other}},
        .work = {.pipelined = true}};
}

/// Runs the work inside a session manager and expects every invariant to hold.
template <class Work>
mishap::run_result simulate(Work work, const mishap::fault_plan& plan = {}, mishap::run_options options = {})
{
    const mishap::manager under_test(
        "session", [&](mishap::environment&) { return with_session(std::ref(work)); }, nothing_promised());
    return mishap::run(under_test, plan, options);
}

inline std::string why(const mishap::run_result& run)
{
    std::string text;
    for (const mishap::violation& v : run.verdict.violations)
        text += mishap::report(run, v);
    return text;
}

#define EXPECT_HOLDS(run) EXPECT_TRUE((run).holds()) << why(run)
