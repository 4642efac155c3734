// SPDX-License-Identifier: MIT
// Pairs of managers that serve one client.

#include "pair.hpp"

#include "shared/with_deadline.hpp"

#include <mishap/equivalent.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <thread>

#include <sys/socket.h>
#include <unistd.h>

namespace pairs {

namespace {

using boost::system::error_code;
using catalogue::with_deadline;

awaitable<void> pause(std::chrono::milliseconds how_long)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, how_long);
    co_await timer.async_wait(asio::use_awaitable);
}

const registration closes_everything{{.invariant = "closes_everything",
    .wrong = "forgets_to_close_when_the_body_fails",
    .twin = "closes_when_the_body_fails",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        co_await hold(
            env, session, [&] { return env.body()(session); },
            [&](bool failed) -> awaitable<void> {
                if (!wrong || !failed)
                    co_await session.close();
            });
    }}};

const registration closes_once{{.invariant = "closes_once",
    .wrong = "closes_again_when_the_body_fails",
    .twin = "closes_once_when_the_body_fails",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        co_await hold(
            env, session, [&] { return env.body()(session); },
            [&](bool failed) -> awaitable<void> {
                co_await session.close();
                if (wrong && failed)
                    co_await session.close();
            });
    }}};

const registration closes_only_what_exists{{.invariant = "closes_only_what_exists",
    .wrong = "closes_although_create_failed",
    .twin = "closes_only_what_was_created",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        bool created = false;
        const auto nothing = []() -> awaitable<void> { co_return; };
        co_await hold(
            env, nothing,
            [&]() -> awaitable<void> {
                co_await session.create();
                created = true;
                co_await env.body()(session);
            },
            [&](bool) -> awaitable<void> {
                if (wrong || created)
                    co_await session.close();
            });
    }}};

const registration no_use_after_close{{.invariant = "no_use_after_close",
    .wrong = "logs_out_after_the_close",
    .twin = "logs_out_before_the_close",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        const auto work = env.body([&](mock_resource& lent) -> awaitable<void> {
            co_await lent.use("query");
            if (!wrong)
                co_await lent.use("log_out");
        });
        co_await hold(
            env, session, [&] { return work(session); },
            [&](bool) -> awaitable<void> {
                co_await session.close();
                if (wrong)
                    co_await session.use("log_out");
            });
    }}};

const registration one_at_a_time{{.invariant = "one_at_a_time",
    .wrong = "prepares_two_statements_at_once",
    .twin = "prepares_one_statement_after_the_other",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        mock_resource session("session");
        const auto work = env.body([&](mock_resource& lent) -> awaitable<void> {
            if (wrong) {
                co_await (lent.use("prepare") && lent.use("prepare"));
            } else {
                co_await lent.use("prepare");
                co_await lent.use("prepare");
            }
        });
        co_await hold(
            env, session, [&] { return work(session); }, [&](bool) { return session.close(); });
    }}};

const registration body_runs_once{{.invariant = "body_runs_once",
    .wrong = "tries_the_body_again",
    .twin = "runs_the_body_once",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        co_await hold(
            env, session,
            [&]() -> awaitable<void> {
                std::exception_ptr error;
                try {
                    co_await env.body()(session);
                } catch (...) {
                    error = std::current_exception();
                }
                if (error && wrong)
                    co_await env.body()(session);
                else if (error)
                    std::rethrow_exception(error);
            },
            [&](bool) { return session.close(); });
    }}};

const registration completes{{.invariant = "completes",
    .wrong = "waits_for_a_create_without_a_deadline",
    .twin = "waits_for_a_create_until_its_deadline",
    .promises = {.time = {.create = 5s, .unbounded = {phase::close}}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        const auto create = [&] {
            return wrong ? session.create() : with_deadline([&] { return session.create(); }, 5s);
        };
        co_await hold(
            env, create, [&] { return env.body()(session); }, [&](bool) { return session.close(); });
    }}};

const registration honours_timeout{{.invariant = "honours_timeout",
    .wrong = "waits_a_second_past_the_deadline",
    .twin = "waits_until_the_deadline",
    .promises = {.time = {.create = 5s, .unbounded = {phase::close}}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        const auto create = [&] { return with_deadline([&] { return session.create(); }, wrong ? 6s : 5s); };
        co_await hold(
            env, create, [&] { return env.body()(session); }, [&](bool) { return session.close(); });
    }}};

const registration preserves_error{{.invariant = "preserves_error",
    .wrong = "close_error_replaces_the_bodys",
    .twin = "close_error_is_reported_beside_the_bodys",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        std::exception_ptr error;
        co_await session.create();
        try {
            co_await env.body()(session);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        try {
            co_await session.close();
        } catch (...) {
            if (wrong || !error)
                throw;
            env.report(std::current_exception());
        }
        if (error)
            std::rethrow_exception(error);
    }}};

const registration swallows_no_error{{.invariant = "swallows_no_error",
    .wrong = "only_logs_what_the_body_throws",
    .twin = "rethrows_what_the_body_throws",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        co_await hold(
            env, session,
            [&]() -> awaitable<void> {
                try {
                    co_await env.body()(session);
                } catch (...) {
                    env.report(std::current_exception());
                    if (!wrong)
                        throw;
                }
            },
            [&](bool) { return session.close(); });
    }}};

const registration invents_no_error{{.invariant = "invents_no_error",
    .wrong = "complains_of_a_slow_close",
    .twin = "says_nothing_of_a_slow_close",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        co_await hold(
            env, session, [&] { return env.body()(session); },
            [&](bool) -> awaitable<void> {
                const auto started = asio::steady_timer::clock_type::now();
                co_await session.close();
                if (wrong && asio::steady_timer::clock_type::now() - started > 1s)
                    throw std::runtime_error("the close took too long");
            });
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::delay(2s)}}};

const registration no_stray_work{{.invariant = "no_stray_work",
    .wrong = "leaves_its_heartbeat_running_when_the_body_fails",
    .twin = "stops_its_heartbeat_when_the_body_fails",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        const auto heartbeat = std::make_shared<asio::steady_timer>(env.executor());
        co_await hold(
            env, session,
            [&] {
                heartbeat->expires_after(1h);
                heartbeat->async_wait([heartbeat](error_code) {});
                return env.body()(session);
            },
            [&](bool failed) {
                if (!wrong || !failed)
                    heartbeat->cancel();
                return session.close();
            });
    }}};

const registration no_escape{{.invariant = "no_escape",
    .wrong = "throws_a_close_error_out_of_its_handler",
    .twin = "reports_a_close_error_from_its_handler",
    .promises = {.time = {.grace = 1min, .unbounded = {phase::create, phase::close}}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        const auto session = std::make_shared<mock_resource>("session");
        const auto closed = [&env, wrong, session](std::exception_ptr error) {
            if (error && wrong)
                std::rethrow_exception(error);
            if (error)
                env.report(error);
        };
        co_await hold(
            env, *session, [&] { return env.body()(*session); },
            [&](bool) -> awaitable<void> {
                asio::co_spawn(env.executor(), session->close(), closed);
                co_return;
            });
    }}};

const registration livelock{{.invariant = "livelock",
    .wrong = "polls_for_a_flush_that_never_comes",
    .twin = "polls_for_a_flush_only_after_success",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        bool flushed = false;
        co_await hold(
            env, session,
            [&]() -> awaitable<void> {
                co_await env.body()(session);
                flushed = true;
            },
            [&](bool failed) -> awaitable<void> {
                while (!flushed && (wrong || !failed))
                    co_await asio::post(asio::use_awaitable);
                co_await session.close();
            });
    },
    .limits = {.steps_max = 2000}}};

const registration expectation{{.invariant = "expectation",
    .wrong = "counts_queries_before_they_succeed",
    .twin = "counts_queries_when_they_have_succeeded",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        int counted = 0;
        int succeeded = 0;
        const auto work = env.body([&](mock_resource& lent) -> awaitable<void> {
            counted += wrong;
            succeeded += co_await lent.use("query", 1);
            counted += !wrong;
        });
        co_await hold(
            env, session, [&] { return work(session); },
            [&](bool) {
                EXPECT_EQ(counted, succeeded);
                return session.close();
            });
    }}};

const registration leaves_the_simulation{{.invariant = "leaves_the_simulation",
    .wrong = "asks_the_kernel_while_it_cleans_up",
    .twin = "closes_where_it_runs",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        co_await hold(
            env, session, [&] { return env.body()(session); },
            [&](bool failed) -> awaitable<void> {
                if (wrong && failed)
                    ::close(::socket(AF_UNIX, SOCK_DGRAM, 0));
                co_await session.close();
            });
    }}};

const registration blocks_the_thread{{.invariant = "blocks_the_thread",
    .wrong = "sleeps_before_it_closes_after_a_failure",
    .twin = "waits_on_a_timer_before_it_closes_after_a_failure",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        co_await hold(
            env, session, [&] { return env.body()(session); },
            [&](bool failed) -> awaitable<void> {
                if (failed && wrong)
                    std::this_thread::sleep_for(10ms);
                else if (failed)
                    co_await pause(10ms);
                co_await session.close();
            });
    }}};

const registration nondeterministic{{.invariant = "nondeterministic",
    .wrong = "remembers_earlier_runs",
    .twin = "remembers_nothing",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        static int sessions = 0;
        if (!wrong)
            sessions = 0;
        mock_resource session("session");
        const bool warms_up = ++sessions % 2 == 1;
        const auto work = env.body([&](mock_resource& lent) -> awaitable<void> {
            if (warms_up)
                co_await lent.use("warm_up");
            co_await lent.use("query");
        });
        co_await hold(
            env, session, [&] { return work(session); }, [&](bool) { return session.close(); });
    }}};

awaitable<void> lends_and_closes(environment& env)
{
    mock_resource session("session");
    co_await hold(
        env, session, [&] { return env.body()(session); }, [&](bool) { return session.close(); });
}

const registration equivalent{{.invariant = "equivalent",
    .wrong = "dawdles_before_it_closes_after_a_failure",
    .twin = "closes_at_once_after_a_failure",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        co_await hold(
            env, session, [&] { return env.body()(session); },
            [&](bool failed) -> awaitable<void> {
                if (wrong && failed)
                    co_await pause(10ms);
                co_await session.close();
            });
    },
    .explore =
        [](const mishap::manager& under_test, const mishap::sweep_options& options) {
            return mishap::equivalent(under_test, {"lends_and_closes", &lends_and_closes, patient}, options);
        }}};

} // namespace

} // namespace pairs
