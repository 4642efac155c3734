// SPDX-License-Identifier: MIT
// Pairs of managers in which clients wait for their turn: who wakes them, who counts them, and what an
// abandoned client leaves to them.

#include "queue.hpp"

#include <mishap/account.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <list>
#include <memory>

namespace pairs {

namespace {

/// One session for all, one at a time.
struct one_for_all
{
    explicit one_for_all(environment& env, bool closes = true) : waiting(env.executor()), has_a_close(closes)
    {}

    awaitable<void> prepare()
    {
        if (session)
            co_return;
        auto made = std::make_unique<mock_resource>("session");
        co_await made->create();
        session = std::move(made);
    }
    void drop_if_broken()
    {
        if (session && !session->usable())
            drop();
    }
    void drop()
    {
        if (has_a_close)
            session->force_close();
        session = nullptr;
    }
    awaitable<void> shut_down()
    {
        if (session)
            co_await std::exchange(session, nullptr)->close();
    }

    queue waiting;
    bool has_a_close; ///< or else the session's destructor closes it
    bool is_taken = false;
    std::unique_ptr<mock_resource> session = nullptr;
};

/// Takes a turn, runs the work in it, gives it back, and wakes whoever is next, if it is told so.
template <class Work>
awaitable<void> in_turn(one_for_all& all, bool hears, bool wakes, Work work)
{
    while (all.is_taken)
        co_await all.waiting.wait(for_ever, hears);
    all.is_taken = true;
    std::exception_ptr error;
    try {
        co_await work();
    } catch (...) {
        error = std::current_exception();
    }
    all.drop_if_broken();
    all.is_taken = false;
    if (wakes)
        all.waiting.wake_one();
    if (error)
        std::rethrow_exception(error);
}

awaitable<void> lend(one_for_all& all, client& one)
{
    co_await all.prepare();
    co_await one.body(*all.session);
}

const contract one_session{.time = {.unbounded = {phase::acquire, phase::create, phase::close, phase::other}},
    .capacity = {.resources = 1, .clients = 2}};

/// Checks an idle session every ten seconds, and wakes one client then.
awaitable<void> keep_alive(one_for_all& all, asio::steady_timer& tick, const bool& stops)
{
    while (!stops) {
        tick.expires_after(10s);
        boost::system::error_code ignored;
        co_await tick.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        if (stops)
            co_return;
        if (!all.is_taken && all.session) {
            all.is_taken = true;
            try {
                co_await all.session->maintain("ping");
            } catch (...) {
            }
            all.drop_if_broken();
            all.is_taken = false;
        }
        if (!all.is_taken)
            all.waiting.wake_one();
    }
}

const registration repaired_by_a_ping{{.invariant = "completes",
    .wrong = "leaves_it_to_its_ping_to_wake_the_next_client",
    .twin = "wakes_the_next_client_when_it_gives_back",
    .promises = one_session,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        one_for_all all(env);
        asio::steady_timer tick(env.executor()), ended(env.executor(), for_ever);
        bool stops = false, runs = true;
        asio::co_spawn(env.executor(), keep_alive(all, tick, stops), [&](std::exception_ptr) {
            runs = false;
            ended.cancel();
        });
        co_await env.clients([&](client& one) -> awaitable<void> {
            co_await in_turn(all, true, !wrong, [&] { return lend(all, one); });
        });
        stops = true;
        tick.cancel();
        boost::system::error_code ignored;
        if (runs)
            co_await ended.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        co_await all.shut_down();
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::delay(1min)}}};

const registration served_at_the_deadline{{.invariant = "completes",
    .wrong = "waits_out_its_deadline_before_it_creates",
    .twin = "creates_when_there_is_nothing_idle",
    .promises = {.time = {.acquire = 30s, .unbounded = {phase::create, phase::close}},
        .capacity = {.resources = 1, .clients = 1}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        co_await env.clients([&](client& one) -> awaitable<void> {
            if (wrong)
                co_await asio::steady_timer(env.executor(), 30s).async_wait(asio::use_awaitable);
            mock_resource session("session");
            co_await hold(
                env, session, [&] { return one.body(session); }, [&](bool) { return session.close(); });
        });
    },
    .kinds = {mishap::fault::fail("io_error")}}};

const registration hears_of_its_cancellation{{.invariant = "completes",
    .wrong = "waits_for_its_turn_although_it_was_cancelled",
    .twin = "leaves_the_line_when_it_is_cancelled",
    .promises = one_session,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        one_for_all all(env);
        co_await env.clients([&](client& one) -> awaitable<void> {
            co_await in_turn(all, !wrong, true, [&] { return lend(all, one); });
        });
        co_await all.shut_down();
    },
    .kinds = {mishap::fault::delay(1min), mishap::fault::cancel()}}};

const registration counts_who_waits{{.invariant = "balanced_statistics",
    .wrong = "counts_those_who_wait_out_only_when_they_are_served",
    .twin = "counts_those_who_wait_out_when_they_give_up",
    .promises = one_session,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        one_for_all all(env);
        long waiting = 0;
        const auto gauge = env.statistics("session.waiting", [&] { return waiting; });
        co_await env.clients([&](client& one) -> awaitable<void> {
            ++waiting;
            bool counted = true;
            std::exception_ptr error;
            try {
                co_await in_turn(all, true, true, [&]() -> awaitable<void> {
                    co_await all.prepare();
                    --waiting;
                    counted = false;
                    co_await one.body(*all.session);
                });
            } catch (...) {
                error = std::current_exception();
            }
            if (counted && !wrong)
                --waiting;
            if (error)
                std::rethrow_exception(error);
        });
        co_await all.shut_down();
    }}};

const registration counts_what_is_idle{{.invariant = "balanced_statistics",
    .wrong = "counts_a_session_in_use_as_idle",
    .twin = "counts_a_session_as_idle_when_nobody_has_it",
    .promises = one_session,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        one_for_all all(env);
        const auto idle = env.statistics(
            "session.idle", [&] { return static_cast<long>(all.session && (wrong || !all.is_taken)); });
        co_await env.clients([&](client& one) -> awaitable<void> {
            co_await in_turn(all, true, true, [&] { return lend(all, one); });
        });
        co_await all.shut_down();
    }}};

const registration counts_its_own_way{{.invariant = "balanced_statistics",
    .wrong = "forgets_in_its_total_what_is_lent",
    .twin = "counts_in_its_total_what_is_lent_and_what_is_idle",
    .promises = one_session,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        one_for_all all(env);
        const auto total = env.statistics(
            "total", [&] { return static_cast<long>(all.session && !(wrong && all.is_taken)); },
            [](const mishap::supply& now) { return now.open; });
        co_await env.clients([&](client& one) -> awaitable<void> {
            co_await in_turn(all, true, true, [&] { return lend(all, one); });
        });
        co_await all.shut_down();
    },
    .kinds = {mishap::fault::delay(1min)}}};

/// A turn that is given back when it goes, also with its client. Unless what was begun was ended, the session
/// goes, too.
struct turn
{
    turn(one_for_all& in, bool forgets) : all(in), keeps(forgets) { all.is_taken = true; }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    ~turn()
    {
        if (all.session && !is_ended && !(keeps && all.session->usable()))
            all.drop();
        all.is_taken = false;
        all.waiting.wake_one();
    }

    one_for_all& all;
    bool keeps;
    bool is_ended = false;
};

/// What is begun for a client, and ended after it; one that is abandoned leaves that to the destructor.
template <class Begin, class End>
awaitable<void> begin_and_end(environment& env, bool forgets, bool closes, Begin begin, End end)
{
    one_for_all all(env, closes);
    co_await env.clients([&](client& one) -> awaitable<void> {
        while (all.is_taken)
            co_await all.waiting.wait();
        turn mine(all, forgets);
        std::exception_ptr error;
        bool begun = false;
        try {
            co_await all.prepare();
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none)
                throw_aborted();
            begun = true;
            co_await begin(*all.session);
            co_await one.body(*all.session);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        try {
            if (begun)
                co_await end(*all.session, error != nullptr);
            mine.is_ended = all.session && all.session->usable();
        } catch (...) {
            if (error)
                env.report(std::current_exception());
            else
                error = std::current_exception();
        }
        if (error)
            std::rethrow_exception(error);
    });
    if (closes)
        co_await all.shut_down();
}

contract of_abandoned(mishap::closing by)
{
    contract promises = one_session;
    promises.closing.by = by;
    promises.work.abandonable = true;
    return promises;
}

template <bool Closes>
awaitable<void> transact(environment& env, bool wrong)
{
    return begin_and_end(
        env, wrong, Closes, [](mock_resource& session) { return session.begin(); },
        [](mock_resource& session, bool failed) { return failed ? session.rollback() : session.commit(); });
}

template <bool Closes>
awaitable<void> lock(environment& env, bool wrong)
{
    return begin_and_end(
        env, wrong, Closes, [](mock_resource& session) { return session.acquire(); },
        [](mock_resource& session, bool) { return session.release(); });
}

const registration rolls_back_what_was_abandoned{{.invariant = "commits_or_rolls_back",
    .wrong = "lends_a_session_with_the_transaction_of_an_abandoned_client",
    .twin = "drops_a_session_with_the_transaction_of_an_abandoned_client",
    .promises = of_abandoned(mishap::closing::operation),
    .run = transact<true>}};

const registration rolls_back_what_was_abandoned_and_destroys{{.invariant = "commits_or_rolls_back",
    .wrong = "lends_a_session_to_be_destroyed_with_the_transaction_of_an_abandoned_client",
    .twin = "drops_a_session_to_be_destroyed_with_the_transaction_of_an_abandoned_client",
    .promises = of_abandoned(mishap::closing::destruction),
    .run = transact<false>}};

const registration releases_what_was_abandoned{{.invariant = "releases_what_it_acquires",
    .wrong = "lends_a_session_with_the_lock_of_an_abandoned_client",
    .twin = "drops_a_session_with_the_lock_of_an_abandoned_client",
    .promises = of_abandoned(mishap::closing::either),
    .run = lock<true>}};

const registration calls_back_once{{.invariant = "expectation",
    .wrong = "calls_its_handler_back_twice",
    .twin = "calls_its_handler_back_once",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        const auto work = [&]() -> awaitable<void> {
            co_await mishap::from_callback<>([&](auto handler) {
                handler();
                if (wrong)
                    handler();
            });
            co_await env.body()(session);
        };
        co_await hold(env, session, work, [&](bool) { return session.close(); });
    }}};

} // namespace

} // namespace pairs
