// SPDX-License-Identifier: MIT
// Pairs of managers as strangers write them: a cache that evicts, a link that reconnects with back-off,
// transactions that a destructor ends, clean-up that waits for an event.

#include "queue.hpp"

#include "shared/with_deadline.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <list>
#include <memory>
#include <string>

namespace pairs {

namespace {

using catalogue::deadline_error;
using catalogue::with_deadline;
using clock = asio::steady_timer::clock_type;

/// Connections by host, with a maximum number in all; an idle one of another host makes room.
class cache
{
public:
    cache(environment& env, bool wakes_its_own_host_only)
        : env_(env), line_(env.executor()), its_own_only_(wakes_its_own_host_only)
    {}

    awaitable<void> with(const std::string& host, client& one)
    {
        const auto mine = co_await get(host);
        std::exception_ptr error;
        try {
            co_await one.body(mine->session);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        if (!error) {
            idle_.push_back(mine);
            line_.wake_one();
            co_return;
        }
        co_await close(*mine);
        free_slot();
        std::rethrow_exception(error);
    }

    awaitable<void> clear()
    {
        for (const auto& one : std::exchange(idle_, {}))
            co_await close(*one);
    }

private:
    struct connection
    {
        mock_resource session{"session"};
        std::string host = {};
    };

    awaitable<std::shared_ptr<connection>> get(const std::string& host)
    {
        const auto until = clock::now() + 10s;
        for (;;) {
            const auto mine =
                std::find_if(idle_.begin(), idle_.end(), [&](const auto& one) { return one->host == host; });
            if (mine != idle_.end()) {
                const auto taken = *mine;
                idle_.erase(mine);
                co_return taken;
            }
            if (size_ < 2) {
                ++size_;
                co_return co_await make(host);
            }
            if (!idle_.empty()) {
                const auto oldest = idle_.front();
                idle_.pop_front();
                // A coroutine of its own, with no slot, is not struck by the client's cancellation.
                co_await asio::co_spawn(env_.executor(), close(*oldest),
                    asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
                const auto state = co_await asio::this_coro::cancellation_state;
                if (state.cancelled() != asio::cancellation_type::none) {
                    its_own_only_ ? static_cast<void>(--size_) : free_slot();
                    throw_aborted();
                }
                co_return co_await make(host);
            }
            if (!co_await line_.wait(until))
                throw deadline_error();
        }
    }

    awaitable<std::shared_ptr<connection>> make(const std::string& host)
    {
        const auto made = std::make_shared<connection>();
        made->host = host;
        std::exception_ptr error;
        try {
            co_await with_deadline([&] { return made->session.create(); }, 5s);
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            free_slot();
            std::rethrow_exception(error);
        }
        co_return made;
    }

    awaitable<void> close(connection& one)
    {
        try {
            co_await with_deadline([&] { return one.session.close(); }, 2s);
        } catch (...) {
            env_.report(std::current_exception());
        }
    }

    void free_slot()
    {
        --size_;
        line_.wake_one();
    }

    environment& env_;
    queue line_;
    const bool its_own_only_;
    int size_ = 0;
    std::list<std::shared_ptr<connection>> idle_ = {};
};

const registration evicts{{.invariant = "completes",
    .wrong = "wakes_nobody_when_it_was_cancelled_while_it_evicted",
    .twin = "wakes_the_next_when_it_was_cancelled_while_it_evicted",
    .promises = {.time = {.create = 5s, .close = 2s, .acquire = 10s},
        .capacity = {.resources = 2, .clients = 4, .keyed = true}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        cache connections(env, wrong);
        co_await env.clients([&](client& one) -> awaitable<void> {
            const std::string host = std::to_string(one.index() % 3);
            one.key(host);
            co_await connections.with(host, one);
        });
        co_await connections.clear();
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::hang(), mishap::fault::cancel()}}};

/// Tries three times, and sleeps in between.
const registration is_cancelled_between_attempts{{.invariant = "completes",
    .wrong = "sleeps_through_its_cancellation_between_two_attempts",
    .twin = "wakes_up_when_it_is_cancelled_between_two_attempts",
    .promises = {.time = {.create = 5s, .per_attempt = true, .unbounded = {phase::close}},
        .attempts = {.create = 3}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        const auto create = [&]() -> awaitable<void> {
            for (int left = 2;; --left) {
                std::exception_ptr error;
                try {
                    co_await with_deadline([&] { return session.create(); }, 5s);
                } catch (...) {
                    error = std::current_exception();
                }
                if (!error)
                    co_return;
                if (left == 0)
                    std::rethrow_exception(error);
                asio::steady_timer pause(env.executor(), 1s);
                if (wrong)
                    co_await pause.async_wait(
                        asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
                else
                    co_await pause.async_wait(asio::use_awaitable);
            }
        };
        co_await hold(
            env, create, [&] { return env.body()(session); }, [&](bool) { return session.close(); });
    }}};

/// Keeps a link up in the background: where it could not be made, it is tried again after a pause that grows.
class link
{
public:
    link(environment& env, bool gives_up)
        : env_(env), line_(env.executor()), pause_(env.executor()), ended_(env.executor(), for_ever),
          gives_up_(gives_up)
    {
        asio::co_spawn(env.executor(), keep_up(), [this](std::exception_ptr) {
            runs_ = false;
            ended_.cancel();
        });
    }

    awaitable<void> with(client& one)
    {
        const auto until = clock::now() + 20s;
        while (!session_ || is_taken_)
            if (!co_await line_.wait(until))
                throw deadline_error();
        is_taken_ = true;
        std::exception_ptr error;
        try {
            co_await one.body(*session_);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        if (error) {
            co_await close(*session_);
            session_ = nullptr;
            pause_.cancel();
        }
        is_taken_ = false;
        line_.wake_one();
        if (error)
            std::rethrow_exception(error);
    }

    awaitable<void> shut_down()
    {
        stops_ = true;
        pause_.cancel();
        boost::system::error_code ignored;
        if (runs_)
            co_await ended_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        if (session_)
            co_await close(*session_);
    }

private:
    awaitable<void> keep_up()
    {
        auto next = 100ms;
        while (!stops_) {
            bool failed = false;
            if (!session_)
                failed = !co_await make();
            if (stops_ || (failed && gives_up_))
                co_return;
            next = failed ? std::min<std::chrono::milliseconds>(2 * next, 16s) : 100ms;
            if (failed)
                pause_.expires_after(next);
            else if (session_)
                pause_.expires_at(for_ever);
            else
                continue;
            boost::system::error_code ignored;
            co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
    }

    awaitable<bool> make()
    {
        auto made = std::make_unique<mock_resource>("link");
        bool is_open = false;
        try {
            co_await with_deadline([&] { return made->create(); }, 5s);
            is_open = true;
            co_await with_deadline([&] { return made->use("hello"); }, 3s);
        } catch (...) {
            env_.report(std::current_exception());
            if (!is_open)
                co_return false;
            is_open = false;
        }
        if (!is_open) {
            co_await close(*made);
            co_return false;
        }
        session_ = std::move(made);
        line_.wake_one();
        co_return true;
    }

    awaitable<void> close(mock_resource& one)
    {
        try {
            co_await with_deadline([&] { return one.close(); }, 2s);
        } catch (...) {
            env_.report(std::current_exception());
        }
    }

    environment& env_;
    queue line_;
    asio::steady_timer pause_, ended_;
    const bool gives_up_;
    std::unique_ptr<mock_resource> session_ = nullptr;
    bool is_taken_ = false, stops_ = false, runs_ = true;
};

const registration reconnects{{.invariant = "completes",
    .wrong = "gives_up_after_a_handshake_that_failed",
    .twin = "reconnects_after_pauses_that_grow",
    .promises = {.time = {.create = 5s, .close = 2s, .acquire = 20s, .other = 3s, .per_attempt = true},
        .capacity = {.resources = 1, .clients = 2},
        .attempts = {.create = mishap::attempt_terms::unlimited}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        link up(env, wrong);
        co_await env.clients([&](client& one) { return up.with(one); });
        co_await up.shut_down();
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::hang()}}};

/// Its lock is given back in a destructor, and its session closed in its own.
struct lock_held
{
    lock_held(bool& taken, queue& next, bool forgets) : is_taken(taken), line(next), keeps(forgets)
    {
        is_taken = true;
    }
    lock_held(const lock_held&) = delete;
    lock_held& operator=(const lock_held&) = delete;
    ~lock_held()
    {
        is_taken = keeps && std::uncaught_exceptions() != 0;
        line.wake_one();
    }

    bool& is_taken;
    queue& line;
    bool keeps;
};

const contract behind_what_hangs{.time = {.unbounded = {phase::create}},
    .capacity = {.resources = 1, .clients = 2},
    .closing = {.by = mishap::closing::destruction}};

const registration waits_behind_what_hangs{{.invariant = "completes",
    .wrong = "keeps_its_turn_when_an_exception_leaves_it",
    .twin = "gives_its_turn_back_and_waits_behind_a_create_that_hangs",
    .promises = behind_what_hangs,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        bool is_taken = false;
        queue line(env.executor());
        co_await env.clients([&](client& one) -> awaitable<void> {
            while (is_taken)
                co_await line.wait();
            lock_held mine(is_taken, line, wrong);
            mock_resource session("session");
            co_await session.create();
            co_await one.body(session);
        });
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::hang()}}};

/// The create's deadline comes before the client's own.
const registration tells_of_the_inner_deadline{{.invariant = "honours_timeout",
    .wrong = "gives_up_its_create_before_the_deadline",
    .twin = "tells_of_the_timeout_of_its_create",
    .promises = {.time = {.create = 5s, .acquire = 10s, .unbounded = {phase::close}},
        .capacity = {.resources = 1, .clients = 1}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        co_await env.clients([&](client& one) -> awaitable<void> {
            mock_resource session("session");
            const auto create = [&] {
                return with_deadline([&] { return session.create(); }, wrong ? 3s : 5s);
            };
            co_await hold(
                env, create, [&] { return one.body(session); }, [&](bool) { return session.close(); });
        });
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::hang()}}};

/// Ends in its destructor what was begun. Where its client goes on the way from a commit, it cannot know.
struct transaction
{
    explicit transaction(mock_resource& on, bool forgets) : session(on), keeps(forgets) {}
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;
    ~transaction()
    {
        boost::system::error_code failed;
        if (!is_open || !session.is_open())
            return;
        if (!keeps && session.usable())
            session.now(mishap::role::rollback, "rollback", failed);
        if (failed || !session.usable())
            session.force_close();
    }

    mock_resource& session;
    bool keeps;
    bool is_open = false;
};

const registration ends_transactions_in_a_destructor{{.invariant = "commits_or_rolls_back",
    .wrong = "leaves_a_transaction_that_did_not_commit",
    .twin = "rolls_back_in_a_destructor_what_did_not_commit",
    .promises = {.time = {.create = 5s, .other = 3s, .unbounded = {phase::acquire}},
        .capacity = {.resources = 1, .clients = 2},
        .closing = {.by = mishap::closing::either},
        .work = {.abandonable = true}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        bool is_taken = false;
        queue line(env.executor());
        mock_resource session("session");
        co_await env.clients([&](client& one) -> awaitable<void> {
            while (is_taken)
                co_await line.wait();
            lock_held mine(is_taken, line, false);
            if (!session.is_open())
                co_await with_deadline([&] { return session.create(); }, 5s);
            transaction begun(session, wrong);
            begun.is_open = true;
            bool began = false;
            const auto drop_unless_begun = std::shared_ptr<void>(nullptr, [&](void*) {
                if (began || !session.is_open())
                    return;
                session.force_close();
                begun.is_open = false;
            });
            co_await with_deadline([&] { return session.begin(); }, 3s);
            began = true;
            co_await one.body(session);
            co_await with_deadline([&] { return session.commit(); }, 3s);
            begun.is_open = false;
        });
    }}};

/// Closed by its destructor, when an event has come for which it waits shielded.
const registration waits_for_an_event_while_it_cleans_up{{.invariant = "closes_everything",
    .wrong = "keeps_what_was_lent_to_an_abandoned_client",
    .twin = "waits_shielded_for_an_event_before_it_goes",
    .promises = {.time = {.create = 5s},
        .capacity = {.resources = 1, .clients = 2},
        .closing = {.by = mishap::closing::destruction},
        .work = {.abandonable = true}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        struct state
        {
            queue line;
            bool is_taken = false;
            std::list<std::unique_ptr<mock_resource>> kept = {};
        };
        const auto all = std::make_shared<state>(state{queue(env.executor())});
        co_await env.clients([all, wrong, &env](client& one) -> awaitable<void> {
            const auto mine = all;
            while (mine->is_taken)
                co_await mine->line.wait();
            lock_held held(mine->is_taken, mine->line, false);
            auto session = std::make_unique<mock_resource>("session");
            auto& lent = *session;
            if (wrong)
                mine->kept.push_back(std::move(session));
            co_await with_deadline([&] { return lent.create(); }, 5s);
            std::exception_ptr error;
            try {
                co_await one.body(lent);
            } catch (...) {
                error = std::current_exception();
            }
            co_await shield();
            const auto event = std::make_shared<asio::steady_timer>(env.executor(), for_ever);
            asio::post(env.executor(), [event] { event->cancel(); });
            boost::system::error_code ignored;
            co_await event->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            mine->kept.clear();
            if (error)
                std::rethrow_exception(error);
        });
    }}};

} // namespace

} // namespace pairs
