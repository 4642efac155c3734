// SPDX-License-Identifier: MIT
// Pairs of managers whose mistake shows only some time after a fault, or at the instant of a timer of their
// own: breakers and cool-downs, retries, what is lent after an outage.

#include "pair.hpp"

#include "shared/async_lock.hpp"

#include <mishap/error.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

namespace pairs {

namespace {

struct breaker_open : std::runtime_error
{
    breaker_open() : std::runtime_error("the breaker is open") {}
};

MISHAP_ERROR(breaker_open, breaker_open());

/// Opens after a failure of the link, and lets one client try again 10 s later.
class breaker
{
public:
    explicit breaker(bool forgets_its_probe) : forgets_its_probe_(forgets_its_probe) {}

    void enter()
    {
        const bool cooled = clock::now() - opened_ >= 10s;
        if (state_ == state::open && cooled)
            state_ = state::half_open;
        if (state_ == state::open || (state_ == state::half_open && probing_))
            throw breaker_open();
        probing_ = state_ == state::half_open;
    }

    void leave(const std::exception_ptr& error)
    {
        if (state_ == state::open)
            return; // it was admitted before that
        if (!error) {
            state_ = state::closed;
            probing_ = false;
        } else if (is_failure_of_link(error)) {
            state_ = state::open;
            opened_ = clock::now();
            probing_ = false;
        } else if (!forgets_its_probe_) {
            probing_ = false; // the probe said nothing about the link: another one may try
        }
    }

private:
    using clock = asio::steady_timer::clock_type;
    enum class state
    {
        closed,
        open,
        half_open
    };

    static bool is_failure_of_link(const std::exception_ptr& error)
    {
        try {
            std::rethrow_exception(error);
        } catch (const boost::system::system_error& e) {
            return e.code() != asio::error::operation_aborted;
        } catch (...) {
            return false;
        }
    }

    const bool forgets_its_probe_;
    state state_ = state::closed;
    bool probing_ = false;
    clock::time_point opened_;
};

/// A failure opens the breaker; when it has cooled down, a second one of another sort takes its only probe.
const registration recovers_after_a_fault{{.invariant = "recovers",
    .wrong = "keeps_the_probe_of_its_half_open_breaker",
    .twin = "gives_back_the_probe_of_its_half_open_breaker",
    .promises = {.time = {.recovery = 30s, .unbounded = {phase::create, phase::close}},
        .capacity = {.resources = 2, .clients = 2},
        .errors = {.refuses = {"breaker_open"}}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        breaker link(wrong);
        co_await env.clients([&](client& one) -> awaitable<void> {
            link.enter();
            mock_resource session("session");
            std::exception_ptr error;
            try {
                co_await hold(
                    env, session, [&] { return one.body(session); }, [&](bool) { return session.close(); });
            } catch (...) {
                error = std::current_exception();
            }
            link.leave(error);
            if (error)
                std::rethrow_exception(error);
        });
    }}};

/// Asks again where no answer came within 3 s. No term of the contract says so: only the run shows the timer.
/// An answer of that very instant comes when the timer's handler is queued already, and cannot be cancelled.
const registration no_use_after_close_in_time{{.invariant = "no_use_after_close",
    .wrong = "asks_again_when_the_answer_came_with_the_timer",
    .twin = "looks_whether_the_answer_came_with_the_timer",
    .promises = {.time = {.unbounded = {phase::create, phase::close}}, .work = {.pipelined = true}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        // The timer's handler may outlive this frame.
        struct connection
        {
            mock_resource session{"session"};
            bool answered = false;
        };
        const auto mine = std::make_shared<connection>();
        asio::steady_timer no_answer(env.executor());
        const auto ask_again = [&env, wrong, mine](const boost::system::error_code& error) {
            if (error || (mine->answered && !wrong))
                return;
            try {
                mine->session.now(mishap::role::use, "ask_again");
            } catch (...) {
                env.report(std::current_exception());
            }
        };
        const auto work = [&]() -> awaitable<void> {
            no_answer.expires_after(3s);
            no_answer.async_wait(ask_again);
            co_await env.body()(mine->session);
        };
        co_await hold(env, mine->session, work, [&](bool) {
            mine->answered = true;
            no_answer.cancel();
            return mine->session.close();
        });
    }}};

/// Every create succeeds, and every ping of what was created fails.
const registration livelock_of_pings{{.invariant = "livelock",
    .wrong = "replaces_what_its_ping_finds_dead_at_once",
    .twin = "replaces_what_its_ping_finds_dead_after_a_pause",
    .promises = {.time = {.acquire = 10s, .unbounded = {phase::create, phase::close, phase::other}},
        .capacity = {.resources = 1, .clients = 1},
        .attempts = {.create = 1'000}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        co_await env.clients([&](client& one) -> awaitable<void> {
            asio::steady_timer deadline(env.executor(), 10s);
            // The handler may outlive this frame, if only to hear that the timer has gone.
            const auto late = std::make_shared<bool>(false);
            deadline.async_wait([late](const boost::system::error_code& error) { *late = !error; });
            mock_resource session("session");
            for (bool sound = false; !sound;) {
                if (*late)
                    throw boost::system::system_error(asio::error::make_error_code(asio::error::timed_out));
                co_await session.create();
                try {
                    session.now(mishap::role::maintenance, "ping");
                    sound = true;
                } catch (...) {
                    session.force_close();
                }
                if (!sound && !wrong) {
                    const auto next = std::min(asio::steady_timer::clock_type::now() + 1s, deadline.expiry());
                    co_await asio::steady_timer(env.executor(), next).async_wait(asio::use_awaitable);
                }
            }
            deadline.cancel();
            std::exception_ptr error;
            try {
                co_await one.body(session);
            } catch (...) {
                error = std::current_exception();
            }
            session.force_close();
            if (error)
                std::rethrow_exception(error);
        });
    },
    .kinds = {},
    .limits = {.steps_max = 5'000}}};

/// Lends one session to one client after the other. What is begun on it when a client comes is undone when
/// that client goes: where it was begun for certain, or, if it is told so before it asks, where it may have
/// been.
template <class Begin, class Undo>
awaitable<void> lend_in_turns(environment& env, bool asks_first, Begin begin, Undo undo)
{
    std::unique_ptr<mock_resource> session;
    catalogue::async_lock lock(env.executor());
    co_await env.clients([&](client& one) -> awaitable<void> {
        co_await lock.lock();
        std::exception_ptr error;
        bool begun = false;
        try {
            if (!session) {
                auto made = std::make_unique<mock_resource>("session");
                co_await made->create();
                session = std::move(made);
            }
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none)
                throw boost::system::system_error(
                    asio::error::make_error_code(asio::error::operation_aborted));
            begun = !asks_first;
            co_await begin(*session);
            begun = true;
            co_await one.body(*session);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        bool sound = session && session->usable();
        if (begun)
            try {
                co_await undo(*session, error != nullptr);
            } catch (...) {
                sound = false;
                if (error)
                    env.report(std::current_exception());
                else
                    error = std::current_exception();
            }
        if (session && !sound) {
            session->force_close();
            session = nullptr;
        }
        lock.unlock();
        if (error)
            std::rethrow_exception(error);
    });
    if (session)
        co_await session->close();
}

const contract in_turns{.time = {.unbounded = {phase::acquire, phase::create, phase::close, phase::other}},
    .capacity = {.resources = 1, .clients = 2}};

/// A begin that is cancelled on its way may have come about all the same.
const registration rolls_back_what_was_cancelled{{.invariant = "commits_or_rolls_back",
    .wrong = "knows_of_a_transaction_when_its_begin_has_answered",
    .twin = "knows_of_a_transaction_before_its_begin_is_sent",
    .promises = in_turns,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        const auto begin = [](mock_resource& session) { return session.begin(); };
        const auto undo = [](mock_resource& session, bool failed) {
            return failed ? session.rollback() : session.commit();
        };
        co_await lend_in_turns(env, wrong, begin, undo);
    }}};

const registration releases_what_was_cancelled{{.invariant = "releases_what_it_acquires",
    .wrong = "knows_of_a_lock_when_its_acquire_has_answered",
    .twin = "knows_of_a_lock_before_its_acquire_is_sent",
    .promises = in_turns,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        const auto begin = [](mock_resource& session) { return session.acquire(); };
        const auto undo = [](mock_resource& session, bool) { return session.release(); };
        co_await lend_in_turns(env, wrong, begin, undo);
    }}};

} // namespace

} // namespace pairs
