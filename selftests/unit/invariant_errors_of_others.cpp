// SPDX-License-Identifier: MIT
// Goal: the rules about errors hold where errors are others': another client's, the background's, or a
// world's that ends. Method: one small manager for each.

#include "support/under_test.hpp"

#include "shared/with_deadline.hpp"

#include <mishap/error.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <functional>
#include <memory>
#include <stdexcept>

namespace {

using namespace selftest;

using error = std::exception_ptr;

/// Each client has a resource of its own, and sees its own error, or the last of all.
mishap::adapter remembering(bool of_all)
{
    return [of_all](environment& env) -> awaitable<void> {
        error last;
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            mock_resource resource;
            co_await resource.create();
            error own;
            try {
                co_await client.body(resource);
            } catch (...) {
                own = std::current_exception();
                last = own;
            }
            resource.force_close();
            raise(of_all ? last : own);
        });
    };
}

TEST(invents_no_error, blames_passing_on_what_failed_for_another_client)
{
    contract promises = patient;
    promises.capacity.clients = 2;
    const run_result done = run_under("c0/resource.use=fail(io_error)", remembering(true), promises);
    EXPECT_TRUE(breaks_first(done, "invents_no_error"));
    EXPECT_EQ(sentence_of(done),
        "nothing failed that was its own, but client 1 saw io_error (raised by c0/resource.use#1)");
    EXPECT_TRUE(holds(run_under("c0/resource.use=fail(io_error)", remembering(false), promises)));
}

/// Opens one connection for all in the background, with a greeting within a second, when the first comes and
/// whenever somebody comes and there is none. Who waits for that is told what went wrong, or what `tells`
/// makes of it.
mishap::adapter opening_for_all(std::function<error(const error&)> tells)
{
    return [tells](environment& env) -> awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        auto connection = std::make_unique<mock_resource>("conn");
        bool ready = false, over = false;
        error failed;
        const auto never = asio::steady_timer::time_point::max();
        asio::steady_timer opened(env.executor(), never), wanted(env.executor(), never);
        const auto open = [&]() -> awaitable<void> {
            while (!over) {
                failed = nullptr;
                try {
                    co_await connection->create();
                    co_await catalogue::with_deadline([&] { return connection->maintain("hello"); }, 1s);
                } catch (...) {
                    failed = std::current_exception();
                }
                if (failed) {
                    if (connection->usable())
                        connection->force_close();
                    connection = std::make_unique<mock_resource>("conn");
                }
                ready = !failed;
                opened.cancel();
                boost::system::error_code woken;
                if (!over)
                    co_await wanted.async_wait(asio::redirect_error(asio::use_awaitable, woken));
            }
        };
        const auto serve = [&](mishap::client& client) -> awaitable<void> {
            if (failed)
                wanted.cancel();
            boost::system::error_code woken;
            if (!ready)
                co_await opened.async_wait(asio::redirect_error(asio::use_awaitable, woken));
            if (failed)
                raise(tells(failed));
            co_await client.body(*connection);
        };
        const auto serve_all = [&]() -> awaitable<void> {
            co_await env.clients(serve);
            over = true;
            wanted.cancel();
        };
        co_await (serve_all() && open());
        connection->force_close();
    };
}

TEST(invents_no_error, who_waits_for_what_is_opened_in_the_background_may_be_told_of_its_time_out)
{
    contract promises = patient;
    promises.time.unbounded.push_back(phase::acquire);
    promises.time.other = 1s;
    promises.capacity.clients = 2;
    promises.capacity.shared = promises.work.pipelined = true;
    const auto as_it_is = opening_for_all([](const error& failed) { return failed; });
    const auto made_up =
        opening_for_all([](const error&) { return std::make_exception_ptr(std::runtime_error("not open")); });
    const char* plan = "bg/conn.hello=hang";
    const run_result done = run_under(plan, as_it_is, promises);
    EXPECT_TRUE(holds(done));
    for (const mishap::lane client : {0, 1})
        EXPECT_EQ(mishap::describe(done.trace.outcomes[static_cast<std::size_t>(client)].error), "timed_out");
    EXPECT_TRUE(breaks_first(run_under(plan, made_up, promises), "invents_no_error"));
    EXPECT_TRUE(holds_under_any_two_faults(as_it_is, promises));
}

// Worlds that end ------------------------------------------------------------------------------------------

awaitable<void> close_within_2s(std::shared_ptr<mock_resource> resource, environment& env, bool logs)
{
    try {
        co_await catalogue::with_deadline([&] { return resource->close(); }, 2s);
    } catch (...) {
        if (logs)
            env.report(std::current_exception());
    }
}

/// Does not wait for its close; a close error is logged.
mishap::adapter closing_in_the_background(bool logs)
{
    return [logs](environment& env) -> awaitable<void> {
        const auto resource = std::make_shared<mock_resource>();
        co_await resource->create();
        error first;
        try {
            co_await env.body()(*resource);
        } catch (...) {
            first = std::current_exception();
        }
        asio::co_spawn(env.executor(), close_within_2s(resource, env, logs), asio::detached);
        raise(first);
    };
}

TEST(swallows_no_error, a_close_error_may_be_lost_with_the_world)
{
    const contract promises{.time = {.close = 2s, .grace = 10s, .unbounded = {phase::create}}};
    for (const char* plan : {"resource.close=fail(io_error)",
             "resource.close=fail(io_error) abandon(world after resource.close#1)",
             "resource.close=fail(io_error) abandon(world queued resource.close#1 +1)"})
        EXPECT_TRUE(holds(run_under(plan, closing_in_the_background(true), promises))) << plan;
    EXPECT_TRUE(
        breaks_only(run_under("resource.close=fail(io_error)", closing_in_the_background(false), promises),
            "swallows_no_error"));
}

} // namespace
