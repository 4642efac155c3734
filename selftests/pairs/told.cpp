// SPDX-License-Identifier: MIT
// Pairs about what a client is told when it was cancelled, when clean-up failed, and how errors are known.

#include "pair.hpp"

#include "shared/with_deadline.hpp"

#include <mishap/error.hpp>
#include <mishap/network.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/errc.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

using namespace pairs;
using boost::system::error_code;
using boost::system::system_error;

struct shutting_down : std::runtime_error
{
    shutting_down() : std::runtime_error("the service is shutting down") {}
};

MISHAP_ERROR(service_stopped, shutting_down());
MISHAP_ERROR(stream_timeout, system_error(make_error_code(boost::system::errc::stream_timeout)));

awaitable<bool> is_cancelled()
{
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != asio::cancellation_type::none;
}

const registration closes_attempts_shielded{{.invariant = "swallows_no_error",
    .wrong = "takes_its_cancellation_for_a_failed_attempt",
    .twin = "closes_a_failed_attempt_shielded_and_goes_on",
    .promises = {.time = {.unbounded = {phase::create, phase::close, phase::other}},
        .attempts = {.create = 2}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        std::unique_ptr<mock_resource> session;
        const auto open = [&]() -> awaitable<void> {
            for (int attempt = 1;; ++attempt) {
                session = std::make_unique<mock_resource>("session");
                std::exception_ptr error;
                bool created = false;
                try {
                    co_await session->create();
                    created = true;
                    co_await session->use("handshake");
                } catch (...) {
                    error = std::current_exception();
                }
                if (!error)
                    break;
                const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
                const bool stopped = state.cancelled() != asio::cancellation_type::none;
                co_await shield();
                if (created) {
                    try {
                        // As with a helper that gives it a deadline, its end is told in more than one step.
                        co_await asio::co_spawn(env.executor(), session->close(), asio::use_awaitable);
                    } catch (...) {
                        env.report(std::current_exception());
                    }
                }
                if (attempt == 2 || (stopped && !wrong))
                    std::rethrow_exception(error);
                co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
            }
        };
        co_await hold(
            env, open, [&] { return env.body()(*session); }, [&](bool) { return session->close(); });
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::cancel()}}};

const registration says_that_it_stops{{.invariant = "preserves_error",
    .wrong = "turns_its_cancellation_into_a_logic_error",
    .twin = "tells_who_is_cancelled_that_it_stops",
    .promises = {.time = {.unbounded = {phase::create, phase::close}},
        .errors = {.cancelled = {"service_stopped"}}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        std::exception_ptr error;
        try {
            co_await hold(
                env, session, [&] { return env.body()(session); }, [&](bool) { return session.close(); });
        } catch (const system_error& e) {
            if (e.code() != asio::error::operation_aborted)
                throw;
            if (wrong)
                throw std::logic_error("unreachable");
            throw shutting_down();
        }
    },
    .kinds = {mishap::fault::cancel()}}};

const registration keeps_the_error_of_its_close{{.invariant = "preserves_error",
    .wrong = "forgets_why_its_body_failed_when_the_removal_fails",
    .twin = "keeps_the_error_of_its_close_when_the_removal_fails",
    .promises = {.time = {.unbounded = {phase::create, phase::close, phase::other}}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource file("file");
        mock_resource folder("folder");
        co_await folder.create();
        const auto work = [&]() -> awaitable<void> {
            co_await hold(
                env, file, [&] { return env.body()(file); }, [&](bool) { return file.close(); });
        };
        std::exception_ptr error;
        try {
            co_await work();
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        try {
            co_await folder.use("remove");
        } catch (...) {
            if (!error || wrong)
                error = std::current_exception();
            else
                env.report(std::current_exception());
        }
        try {
            co_await folder.close();
        } catch (...) {
            if (error)
                env.report(std::current_exception());
            else
                error = std::current_exception();
        }
        if (error)
            std::rethrow_exception(error);
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::fail("value_error")}}};

const registration names_its_timeout{{.invariant = "honours_timeout",
    .wrong = "reports_a_missing_file_when_its_create_times_out",
    .twin = "reports_the_code_of_its_timeout",
    .promises = {.time = {.create = 5s, .errors = {"stream_timeout"}, .unbounded = {phase::close}}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        using namespace boost::asio::experimental::awaitable_operators;
        mock_resource session("session");
        const auto open = [&]() -> awaitable<void> {
            asio::steady_timer deadline(env.executor(), 5s);
            const auto first = co_await (session.create() || deadline.async_wait(asio::use_awaitable));
            if (first.index() == 1)
                throw system_error(make_error_code(wrong ? boost::system::errc::no_such_file_or_directory
                                                         : boost::system::errc::stream_timeout));
        };
        co_await hold(
            env, open, [&] { return env.body()(session); }, [&](bool) { return session.close(); });
    },
    .kinds = {mishap::fault::hang()}}};

const registration pings_what_comes_back{{.invariant = "discards_broken",
    .wrong = "lends_again_without_a_ping",
    .twin = "lends_again_what_answers_a_ping",
    .promises = {.time = {.unbounded = {phase::acquire, phase::create, phase::close, phase::other}},
        .capacity = {.resources = 1, .clients = 2}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        std::unique_ptr<mock_resource> idle;
        const auto close = [&](std::unique_ptr<mock_resource> gone) -> awaitable<void> {
            try {
                co_await gone->close();
            } catch (...) {
                env.report(std::current_exception());
            }
        };
        // One at a time: the pool has one place, and whoever waits for it comes in turn.
        bool taken = false;
        asio::steady_timer freed(env.executor(), asio::steady_timer::time_point::max());
        co_await env.clients([&](client& one) -> awaitable<void> {
            while (taken) {
                error_code ignored;
                co_await freed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
                if (co_await is_cancelled())
                    throw system_error(asio::error::operation_aborted);
            }
            taken = true;
            std::unique_ptr<mock_resource> mine = std::move(idle);
            std::exception_ptr error;
            bool created = mine != nullptr;
            try {
                if (!mine) {
                    mine = std::make_unique<mock_resource>("session");
                    co_await mine->create();
                    created = true;
                }
                co_await one.body(*mine);
            } catch (...) {
                error = std::current_exception();
            }
            co_await shield();
            bool answers = created;
            if (created && !wrong) {
                try {
                    co_await mine->maintain("ping");
                } catch (...) {
                    answers = false;
                }
            }
            if (answers)
                idle = std::move(mine);
            else if (created)
                co_await close(std::move(mine));
            taken = false;
            freed.cancel();
            if (error)
                std::rethrow_exception(error);
        });
        if (idle)
            co_await close(std::move(idle));
    },
    .kinds = {mishap::fault::fail("connection_reset"), mishap::fault::cancel()}}};

const registration tries_for_ever{{.invariant = "swallows_no_error",
    .wrong = "gives_up_in_silence_after_two_attempts",
    .twin = "tries_until_it_succeeds",
    .promises = {.time = {.unbounded = {phase::create, phase::close}},
        .attempts = {.create = mishap::attempt_terms::unlimited}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        std::unique_ptr<mock_resource> session;
        const auto open = [&]() -> awaitable<void> {
            for (int attempt = 1; !session && !(wrong && attempt > 2); ++attempt) {
                auto fresh = std::make_unique<mock_resource>("session");
                std::exception_ptr failed;
                try {
                    co_await fresh->create();
                    session = std::move(fresh);
                } catch (const std::exception&) {
                    failed = std::current_exception();
                }
                const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
                if (failed && state.cancelled() != asio::cancellation_type::none)
                    std::rethrow_exception(failed);
            }
        };
        const auto work = [&]() -> awaitable<void> {
            if (session)
                co_await env.body()(*session);
        };
        const auto close = [&](bool) -> awaitable<void> {
            if (session)
                co_await session->close();
        };
        co_await hold(env, open, work, close);
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::cancel()}}};

const registration waits_for_a_callback{{.invariant = "swallows_no_error",
    .wrong = "forgets_what_the_callback_said",
    .twin = "hears_of_no_cancellation_during_a_callback",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        const auto work = env.body([&](mock_resource& lent) -> awaitable<void> {
            const auto [error] = co_await mishap::from_callback<error_code>([&](auto handler) {
                lent.async<void(error_code)>(mishap::role::use, "query", std::move(handler));
            });
            if (error && !wrong)
                throw system_error(error);
            if (error)
                co_await lent.use("query_again");
        });
        co_await hold(
            env, session,
            [&]() -> awaitable<void> {
                try {
                    co_await work(session);
                } catch (...) {
                    if (!wrong)
                        throw;
                }
            },
            [&](bool) { return session.close(); });
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::cancel()}}};

} // namespace

namespace {

const registration reads_until_aborted{{.invariant = "no_stray_work",
    .wrong = "leaves_its_reader_behind",
    .twin = "aborts_its_reader_before_the_close",
    .promises = {.time = {.unbounded = {phase::create, phase::close}}, .work = {.pipelined = true}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        // The reader may outlive this frame.
        struct connection
        {
            explicit connection(const asio::any_io_executor& executor)
                : over(executor, asio::steady_timer::time_point::max())
            {}
            mock_resource session{"session"};
            asio::steady_timer over;
            bool reads = false;
        };
        const auto mine = std::make_shared<connection>(env.executor());
        mine->session.waits_for_peer("read");
        const auto read = [](std::shared_ptr<connection> from) -> awaitable<void> {
            try {
                for (;;)
                    co_await from->session.use("read");
            } catch (...) {
                from->reads = false;
            }
            from->over.cancel();
        };
        co_await hold(
            env, mine->session,
            [&]() -> awaitable<void> {
                mine->reads = true;
                asio::co_spawn(env.executor(), read(mine), asio::detached);
                co_await env.body()(mine->session);
            },
            [&](bool) -> awaitable<void> {
                if (!wrong)
                    mine->session.abort();
                while (mine->reads && !wrong) {
                    error_code ignored;
                    co_await mine->over.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
                }
                co_await mine->session.close();
            });
    },
    .kinds = {mishap::fault::fail("io_error")}}};

const registration tells_of_what_failed_first{{.invariant = "preserves_error",
    .wrong = "tells_of_the_close_that_failed_last",
    .twin = "tells_of_the_close_that_failed_first",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        std::exception_ptr told;
        const auto note = [&](std::exception_ptr error) {
            if (!told) {
                told = std::move(error);
                return;
            }
            if (wrong)
                std::swap(told, error);
            env.report(error);
        };
        mock_resource lease("lease");
        co_await lease.create();
        try {
            co_await lease.close();
        } catch (...) {
            note(std::current_exception());
        }
        mock_resource session("session");
        bool created = false;
        try {
            co_await session.create();
            created = true;
            co_await env.body()(session);
        } catch (...) {
            note(std::current_exception());
        }
        try {
            if (created)
                co_await session.close();
        } catch (...) {
            note(std::current_exception());
        }
        if (told)
            std::rethrow_exception(told);
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::fail("value_error")}}};

const registration says_what_its_peer_said{{.invariant = "invents_no_error",
    .wrong = "is_refused_before_it_has_heard_from_its_peer",
    .twin = "passes_on_the_refusal_of_its_peer",
    .promises = {.time = {.unbounded = {phase::create, phase::close, phase::other}}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        env.network().play("10.9.0.1:80", "expect hello\\n\nreply no\\n\nclose\n");
        asio::ip::tcp::socket peer(env.executor());
        co_await peer.async_connect({asio::ip::make_address("10.9.0.1"), 80}, asio::use_awaitable);
        std::string reply = "hello\n";
        co_await asio::async_write(peer, asio::buffer(reply), asio::use_awaitable);
        reply.clear();
        if (!wrong)
            co_await asio::async_read_until(peer, asio::dynamic_buffer(reply), '\n', asio::use_awaitable);
        throw std::runtime_error("the peer refused");
    },
    .kinds = {mishap::fault::fail("connection_reset")}}};

} // namespace
