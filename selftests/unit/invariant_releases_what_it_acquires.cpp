// SPDX-License-Identifier: MIT
// Goal: releases_what_it_acquires blames whoever keeps what it acquired on a session, gives it back twice or
// gives back what it never had, and nobody else. Method: a right manager, and others that differ from it in
// one point; both under sweeps and single plans.

#include "support/under_test.hpp"

#include "shared/with_deadline.hpp"

namespace {

using namespace selftest;

const contract locking{.time = {.unbounded = {phase::create, phase::close, phase::other}}};

/// In what a manager differs from the right one.
struct lock_habits
{
    bool forgets_when_body_fails = false;
    bool releases_always = false; ///< also what could not be acquired
    bool releases_twice = false;
    bool tries_again = false;     ///< a release that failed
    bool unshielded = false;      ///< the release is struck by the client's own cancellation
    bool closes_by_force = false; ///< instead of releasing
    bool bounded = false;         ///< gives a release up after 3 s
};

/// Takes an advisory lock on an open session while the body runs.
awaitable<void> while_locked(environment& env, mock_resource& session, lock_habits h)
{
    bool held = false;
    const auto work = [&]() -> awaitable<void> {
        co_await session.acquire();
        held = true;
        co_await env.body()(session);
        if (h.forgets_when_body_fails) {
            held = false;
            co_await session.release();
        }
    };
    const auto release = [&]() -> awaitable<void> {
        if (h.unshielded)
            co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
        if ((!held && !h.releases_always) || h.forgets_when_body_fails || h.closes_by_force)
            co_return;
        std::exception_ptr error;
        try {
            if (h.bounded)
                co_await catalogue::with_deadline([&] { return session.release(); }, 3s);
            else
                co_await session.release();
        } catch (...) {
            error = std::current_exception();
        }
        if (h.releases_twice || (h.tries_again && error))
            co_await session.release();
        else if (error)
            std::rethrow_exception(error);
    };
    co_await with_cleanup(work, release);
}

mishap::adapter locking_with(lock_habits h)
{
    return [h](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        const auto close = [&]() -> awaitable<void> {
            if (h.closes_by_force)
                session.force_close();
            else
                co_await session.close();
        };
        co_await with_cleanup([&] { return while_locked(env, session, h); }, close);
    };
}

run_result run_locking(std::string_view plan, lock_habits h, const contract& promises = locking)
{
    return run_under(plan, locking_with(h), promises);
}

constexpr std::string_view rule = "releases_what_it_acquires";

TEST(releases_what_it_acquires, holds_for_who_gives_back_what_it_has)
{
    EXPECT_TRUE(holds_under_any_two_faults(locking_with({}), locking));
    EXPECT_TRUE(holds_under_any_two_faults(locking_with({.tries_again = true}), locking));
    EXPECT_TRUE(holds_under_any_two_faults(locking_with({.closes_by_force = true}), locking));
}

TEST(releases_what_it_acquires, blames_who_keeps_it_when_the_body_fails)
{
    const lock_habits forgets{.forgets_when_body_fails = true};
    EXPECT_TRUE(holds(run_locking("", forgets)));
    for (const char* plan : {"session.use=fail(io_error)", "session.use=cancel", "body=fail(foreign)"}) {
        const run_result done = run_locking(plan, forgets);
        EXPECT_TRUE(breaks_only(done, rule)) << plan;
        EXPECT_EQ(sentence_of(done),
            "session.close#1 was started before what session.acquire#1 acquired was released");
    }
    contract lenient = locking;
    lenient.closing.rolls_back = true;
    EXPECT_TRUE(holds(run_locking("session.use=fail(io_error)", forgets, lenient)));
    EXPECT_TRUE(
        holds(run_locking("session.use=fail(connection_reset)", forgets))); // nobody hears it any more
}

// Whoever sees a failure cannot tell whether it had taken effect.
TEST(releases_what_it_acquires, lets_what_failed_be_released_or_not)
{
    for (const char* plan : {"session.acquire=fail(io_error)", "session.acquire=cancel",
             "session.acquire=fail_after_effect(io_error)"}) {
        EXPECT_TRUE(holds(run_locking(plan, {.releases_always = true}))) << plan;
        EXPECT_TRUE(holds(run_locking(plan, {}))) << plan;
    }
}

TEST(releases_what_it_acquires, blames_a_release_of_what_was_not_acquired)
{
    const auto releases = [](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        const auto clean_up = [&]() -> awaitable<void> {
            co_await session.release();
            co_await session.close();
        };
        co_await with_cleanup([&] { return env.body()(session); }, clean_up);
    };
    EXPECT_TRUE(breaks_only(run_under("", releases, locking), rule));
}

TEST(body_runs_once, blames_a_body_that_runs_without_its_lock)
{
    const auto regardless = [](environment& env) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        std::exception_ptr not_locked;
        try {
            co_await session.acquire();
        } catch (...) {
            not_locked = std::current_exception();
        }
        const auto work = [&]() -> awaitable<void> {
            co_await env.body()(session);
            if (not_locked)
                std::rethrow_exception(not_locked);
        };
        const auto clean_up = [&]() -> awaitable<void> {
            if (!not_locked)
                co_await session.release();
            co_await session.close();
        };
        co_await with_cleanup(work, clean_up);
    };
    EXPECT_TRUE(holds(run_under("", regardless, locking)));
    EXPECT_TRUE(
        breaks_only(run_under("session.acquire=fail(io_error)", regardless, locking), "body_runs_once"));
}

TEST(releases_what_it_acquires, blames_a_second_release_but_not_a_second_attempt)
{
    EXPECT_TRUE(breaks_only(run_locking("", {.releases_twice = true}), rule));
    EXPECT_TRUE(holds(run_locking("session.release=fail(io_error)", {.tries_again = true})));
    EXPECT_TRUE(holds(run_locking("session.release=fail(io_error)", {.releases_twice = true})));
}

TEST(releases_what_it_acquires, does_not_count_a_release_that_the_client_s_cancellation_struck)
{
    const char* plan = "session.use=fail(io_error) session.release=cancel";
    EXPECT_TRUE(run_locking(plan, {.unshielded = true}).violates(rule));
    EXPECT_TRUE(holds(run_locking(plan, {})));
    // Given up at a deadline of its own, it counts, whatever had been cancelled before.
    const char* slow = "session.use=cancel session.release=hang";
    EXPECT_TRUE(holds(run_locking(slow, {.bounded = true})));
}

/// Lends one session to each of two clients in turn.
mishap::adapter lending_in_turn(bool releases)
{
    return [releases](environment& env) -> awaitable<void> {
        mock_resource session("session");
        bool open = false;
        co_await env.clients([&](mishap::client& client) -> awaitable<void> {
            if (!open)
                co_await session.create();
            open = true;
            co_await session.acquire();
            const auto release = [&]() -> awaitable<void> {
                if (releases)
                    co_await session.release();
            };
            co_await with_cleanup([&] { return client.body(session); }, release);
        });
        if (open)
            session.force_close();
    };
}

TEST(releases_what_it_acquires, blames_who_lends_on_what_is_still_held)
{
    const contract promises{
        .time = {.unbounded = {phase::acquire, phase::create, phase::close, phase::other}},
        .capacity = {.resources = 1, .clients = 2}};
    EXPECT_TRUE(holds(run_under("sequential", lending_in_turn(true), promises)));
    const run_result done = run_under("sequential", lending_in_turn(false), promises);
    EXPECT_TRUE(breaks_only(done, rule));
    EXPECT_NE(sentence_of(done).find("was lent to client 1 before"), std::string::npos) << sentence_of(done);
}

} // namespace
