// SPDX-License-Identifier: MIT
// Pairs about transactions, counters, settings, reports and the order of closing.

#include "pair.hpp"

#include <mishap/run.hpp>

#include <stdexcept>

namespace {

using namespace pairs;

const registration commits_or_rolls_back{{.invariant = "commits_or_rolls_back",
    .wrong = "commits_whatever_the_body_did",
    .twin = "rolls_back_when_the_body_fails",
    .promises = {.time = {.unbounded = {phase::create, phase::close, phase::other}}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        bool begun = false;
        const auto acquire = [&]() -> awaitable<void> { co_await session.create(); };
        const auto work = [&]() -> awaitable<void> {
            co_await session.begin();
            begun = true;
            co_await env.body()(session);
        };
        const auto end = [&](bool failed) -> awaitable<void> {
            std::exception_ptr error;
            try {
                if (begun && (wrong || !failed))
                    co_await session.commit();
                else if (begun)
                    co_await session.rollback();
            } catch (...) {
                error = std::current_exception();
            }
            try {
                co_await session.close();
            } catch (...) {
                if (error)
                    env.report(std::current_exception());
                error = error ? error : std::current_exception();
            }
            if (error)
                std::rethrow_exception(error);
        };
        co_await hold(env, acquire, work, end);
    }}};

const registration releases_what_it_acquires{{.invariant = "releases_what_it_acquires",
    .wrong = "keeps_the_lock_when_the_body_fails",
    .twin = "releases_the_lock_whatever_the_body_did",
    .promises = {.time = {.unbounded = {phase::create, phase::close, phase::other}}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        const auto locked = [&]() -> awaitable<void> {
            co_await hold(
                env, [&] { return session.acquire(); }, [&] { return env.body()(session); },
                [&](bool failed) -> awaitable<void> {
                    if (!failed || !wrong)
                        co_await session.release();
                });
        };
        co_await hold(env, session, locked, [&](bool) { return session.close(); });
    }}};

const registration closes_in_reverse{{.invariant = "closes_in_reverse",
    .wrong = "closes_the_session_before_its_cursor",
    .twin = "closes_the_cursor_before_its_session",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        mock_resource cursor("cursor");
        const auto work = [&]() -> awaitable<void> {
            co_await cursor.create();
            co_await env.body()(cursor);
        };
        const auto close_both = [&](bool) -> awaitable<void> {
            std::exception_ptr error;
            for (mock_resource* one : {wrong ? &session : &cursor, wrong ? &cursor : &session}) {
                try {
                    if (one->usable() || one == &session)
                        co_await one->close();
                } catch (...) {
                    if (error)
                        env.report(std::current_exception());
                    error = error ? error : std::current_exception();
                }
            }
            if (error)
                std::rethrow_exception(error);
        };
        co_await hold(env, session, work, close_both);
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::cancel()}}};

const registration balanced_statistics{{.invariant = "balanced_statistics",
    .wrong = "counts_a_session_out_before_its_close_has_ended",
    .twin = "counts_a_session_out_when_its_close_has_ended",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        long active = 0;
        const auto counter = env.statistics("session.open", [&active] { return active; });
        mock_resource session("session");
        const auto acquire = [&]() -> awaitable<void> {
            co_await session.create();
            ++active;
        };
        const auto work = [&] { return env.body()(session); };
        const auto close = [&](bool) -> awaitable<void> {
            if (wrong)
                --active;
            std::exception_ptr error;
            try {
                co_await session.close();
            } catch (...) {
                error = std::current_exception();
            }
            if (!wrong)
                --active;
            if (error)
                std::rethrow_exception(error);
        };
        co_await hold(env, acquire, work, close);
    }}};

const registration reports_cleanup_errors{{.invariant = "reports_cleanup_errors",
    .wrong = "drops_a_close_error_beside_the_bodys",
    .twin = "reports_a_close_error_beside_the_bodys",
    .promises = {.time = {.unbounded = {phase::create, phase::close}}, .errors = {.reports_cleanup = true}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        const auto work = [&] { return env.body()(session); };
        const auto close = [&](bool failed) -> awaitable<void> {
            try {
                co_await session.close();
            } catch (...) {
                if (!failed)
                    throw;
                if (!wrong)
                    env.report(std::current_exception());
            }
        };
        co_await hold(env, session, work, close);
    }}};

/// One run with a setting that must be refused: there is nothing to hurt in what refuses it.
mishap::campaign_result run_with_invalid_setting(
    const mishap::manager& under_test, const mishap::sweep_options&)
{
    mishap::campaign_result result;
    result.manager = under_test.name;
    result.runs = 1;
    result.complete = true;
    mishap::run_result once =
        mishap::run(under_test, mishap::parse_plan("with(fetch_size=-1) invalid(fetch_size)"));
    for (const mishap::violation& v : once.verdict.violations) {
        mishap::counterexample c;
        c.invariant = std::string(v.invariant);
        c.minimal = once;
        result.counterexamples.push_back(c);
    }
    return result;
}

const registration validates_first{{.invariant = "validates_first",
    .wrong = "creates_a_session_before_it_looks_at_its_settings",
    .twin = "looks_at_its_settings_first",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        const bool valid = env.setting("fetch_size", 1000) > 0;
        if (!wrong && !valid)
            throw std::invalid_argument("fetch_size must be positive");
        mock_resource session("session");
        const auto work = [&]() -> awaitable<void> {
            if (!valid)
                throw std::invalid_argument("fetch_size must be positive");
            co_await env.body()(session);
        };
        const auto close = [&](bool) { return session.close(); };
        co_await hold(env, session, work, close);
    },
    .explore = run_with_invalid_setting}};

} // namespace
