// SPDX-License-Identifier: MIT
// Pairs of managers that serve several clients.

#include "pair.hpp"

#include "shared/async_lock.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <deque>
#include <memory>

namespace pairs {

namespace {

using catalogue::async_lock;

const registration exclusive{{.invariant = "exclusive",
    .wrong = "lends_its_session_to_all_at_once",
    .twin = "lends_its_session_under_a_lock",
    .promises = patient_with(2),
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        async_lock lock(env.executor());
        co_await env.clients([&](client& one) -> awaitable<void> {
            const auto lock_it = [&]() -> awaitable<void> {
                if (!wrong)
                    co_await lock.lock();
            };
            co_await hold(
                env, lock_it, [&] { return one.body(session); },
                [&](bool) -> awaitable<void> {
                    if (!wrong)
                        lock.unlock();
                    co_return;
                });
        });
        co_await session.close();
    }}};

const registration discards_broken{{.invariant = "discards_broken",
    .wrong = "lends_a_broken_session_again",
    .twin = "replaces_a_broken_session",
    .promises = patient_with(2),
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        std::unique_ptr<mock_resource> session;
        async_lock lock(env.executor());
        const auto lend = [&](client& one) -> awaitable<void> {
            if (!session) {
                auto made = std::make_unique<mock_resource>("session");
                co_await made->create();
                session = std::move(made);
            }
            co_await one.body(*session);
        };
        const auto give_back = [&](bool) -> awaitable<void> {
            const auto unlock = std::shared_ptr<void>(nullptr, [&](void*) { lock.unlock(); });
            if (session && !session->usable() && !wrong)
                co_await std::exchange(session, nullptr)->close();
        };
        co_await env.clients([&](client& one) -> awaitable<void> {
            co_await hold(
                env, [&] { return lock.lock(); }, [&] { return lend(one); }, give_back);
        });
        if (session)
            co_await session->close();
    },
    .kinds = {mishap::fault::fail("connection_reset"), mishap::fault::hang(), mishap::fault::cancel()}}};

const registration within_capacity{{.invariant = "within_capacity",
    .wrong = "takes_its_slot_after_it_has_created",
    .twin = "takes_its_slot_before_it_creates",
    .promises = {.time = {.unbounded = {phase::acquire, phase::create, phase::close}},
        .capacity = {.resources = 1, .clients = 2}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        async_lock slot(env.executor());
        co_await env.clients([&](client& one) -> awaitable<void> {
            mock_resource session("session");
            const auto lock = [&] { return slot.lock(); };
            const auto create = [&] { return session.create(); };
            const auto unlock = [&](bool) -> awaitable<void> {
                slot.unlock();
                co_return;
            };
            const auto body = [&] { return one.body(session); };
            const auto close = [&](bool) { return session.close(); };
            if (wrong)
                co_await hold(
                    env, create, [&] { return hold(env, lock, body, unlock); }, close);
            else
                co_await hold(
                    env, lock, [&] { return hold(env, create, body, close); }, unlock);
        });
    }}};

const registration recovers{{.invariant = "recovers",
    .wrong = "keeps_its_slot_when_the_body_fails",
    .twin = "gives_its_slot_back_when_the_body_fails",
    .promises = {.time = {.unbounded = {phase::acquire, phase::create, phase::close}},
        .capacity = {.resources = 1, .clients = 1}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        async_lock slot(env.executor());
        co_await env.clients([&](client& one) -> awaitable<void> {
            mock_resource session("session");
            const auto body = [&] { return one.body(session); };
            const auto close = [&](bool) { return session.close(); };
            co_await hold(
                env, [&] { return slot.lock(); }, [&] { return hold(env, session, body, close); },
                [&](bool failed) -> awaitable<void> {
                    if (!wrong || !failed)
                        slot.unlock();
                    co_return;
                });
        });
    }}};

/// A lock that is handed to whoever came first, or else to whoever came last.
class handed_on
{
public:
    explicit handed_on(bool to_the_last) : to_the_last_(to_the_last) {}

    awaitable<void> lock()
    {
        if (!std::exchange(taken_, true))
            co_return;
        asio::steady_timer mine(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
        line_.push_back(&mine);
        boost::system::error_code ignored;
        co_await mine.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        const auto still_waits = std::find(line_.begin(), line_.end(), &mine);
        const bool granted = still_waits == line_.end();
        if (!granted)
            line_.erase(still_waits);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (granted && state.cancelled() != asio::cancellation_type::none)
            unlock();
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::make_error_code(asio::error::operation_aborted));
    }

    void unlock()
    {
        if (line_.empty()) {
            taken_ = false;
            return;
        }
        const auto next = to_the_last_ ? line_.end() - 1 : line_.begin();
        (*next)->cancel();
        line_.erase(next);
    }

private:
    const bool to_the_last_;
    bool taken_ = false;
    std::deque<asio::steady_timer*> line_;
};

contract fair_to(std::uint32_t clients)
{
    contract promises = patient_with(clients);
    promises.capacity.fair = true;
    return promises;
}

const registration fair{{.invariant = "fair",
    .wrong = "serves_the_last_comer_first",
    .twin = "serves_the_first_comer_first",
    .promises = fair_to(3),
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        co_await session.create();
        handed_on lock(wrong);
        co_await env.clients([&](client& one) -> awaitable<void> {
            co_await hold(
                env, [&] { return lock.lock(); }, [&] { return one.body(session); },
                [&](bool) -> awaitable<void> {
                    lock.unlock();
                    co_return;
                });
        });
        co_await session.close();
    }}};

} // namespace

} // namespace pairs
