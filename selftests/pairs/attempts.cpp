// SPDX-License-Identifier: MIT
// Pairs about attempts, about what arrives after it was given up, and about clients that wait for one create.

#include "pair.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

namespace {

using namespace pairs;
using namespace boost::asio::experimental::awaitable_operators;

const contract two_attempts{
    .time = {.create = 5s, .other = 5s, .unbounded = {phase::close}}, .attempts = {.create = 2}};

/// Creates and shakes hands; a failure of either is an attempt that failed.
awaitable<void> open(mock_resource& session, bool& created)
{
    co_await session.create();
    created = true;
    co_await session.use("handshake");
}

const registration retries_a_handshake{{.invariant = "swallows_no_error",
    .wrong = "forgets_why_its_last_handshake_failed",
    .twin = "tries_again_when_a_handshake_failed",
    .promises = two_attempts,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        std::exception_ptr error;
        for (int attempt = 0; attempt < 2; ++attempt) {
            mock_resource session("session");
            bool created = false;
            bool lent = false;
            error = nullptr;
            try {
                co_await open(session, created);
                lent = true;
                co_await env.body()(session);
            } catch (...) {
                error = std::current_exception();
            }
            if (created) {
                try {
                    co_await session.close();
                } catch (...) {
                    env.report(std::current_exception());
                }
            }
            if (lent || !error)
                break;
            if (wrong && created)
                error = nullptr;
        }
        if (error)
            std::rethrow_exception(error);
    },
    .kinds = {mishap::fault::fail("io_error")}}};

const registration uses_what_arrives_late{{.invariant = "swallows_no_error",
    .wrong = "returns_when_its_create_timed_out",
    .twin = "uses_what_arrived_after_it_was_given_up",
    .promises = {.time = {.create = 5s, .unbounded = {phase::close}}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        bool created = false;
        const auto create = [&]() -> awaitable<void> {
            co_await session.create();
            created = true;
        };
        asio::steady_timer deadline(env.executor(), 5s);
        co_await (create() || deadline.async_wait(asio::use_awaitable));
        if (!created && wrong)
            co_return;
        if (!created)
            throw boost::system::system_error(asio::error::timed_out);
        const auto is_open = []() -> awaitable<void> { co_return; };
        co_await hold(
            env, is_open, [&] { return env.body()(session); }, [&](bool) { return session.close(); });
    },
    .kinds = {mishap::fault::late(7s), mishap::fault::hang()}}};

/// A create that several clients wait for.
struct flight
{
    asio::steady_timer over;
    std::exception_ptr error = {};
};

const registration tells_who_waits_for_one_create{{.invariant = "invents_no_error",
    .wrong = "tells_who_waits_for_a_create_that_it_is_stale",
    .twin = "tells_who_waits_for_a_create_why_it_failed",
    .promises = {.time = {.unbounded = {phase::acquire, phase::create, phase::close}},
        .capacity = {.clients = 2, .shared = true},
        .work = {.pipelined = true}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        std::shared_ptr<flight> now;
        bool ready = false;
        const auto get_ready = [&]() -> awaitable<void> {
            const std::shared_ptr<flight> mine =
                now ? now
                    : std::make_shared<flight>(
                          asio::steady_timer(env.executor(), asio::steady_timer::time_point::max()));
            const bool follows = std::exchange(now, mine) != nullptr;
            if (follows) {
                boost::system::error_code ignored;
                co_await mine->over.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
                if (mine->error && wrong)
                    throw std::runtime_error("the session is stale");
            } else {
                try {
                    co_await session.create();
                    ready = true;
                } catch (...) {
                    mine->error = std::current_exception();
                }
                now = nullptr;
                mine->over.cancel();
            }
            if (mine->error)
                std::rethrow_exception(mine->error);
        };
        co_await env.clients([&](client& one) -> awaitable<void> {
            if (!ready)
                co_await get_ready();
            co_await one.body(session);
        });
        if (ready)
            co_await session.close();
    },
    .kinds = {mishap::fault::fail("io_error")}}};

} // namespace
