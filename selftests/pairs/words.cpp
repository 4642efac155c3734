// SPDX-License-Identifier: MIT
// Pairs of managers that a contract describes with words of its own: deadlines of single operations and of a
// whole clean-up, holders that go together, weights, rates of creates, ends for good.

#include "pair.hpp"

#include "shared/with_deadline.hpp"

#include <mishap/error.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <list>
#include <memory>
#include <stdexcept>
#include <vector>

namespace pairs {

namespace {

using catalogue::deadline_error;
using catalogue::with_deadline;
using clock = asio::steady_timer::clock_type;

/// A secured connection in two layers, the inner of which has less time.
const registration secures{{.invariant = "honours_timeout",
    .wrong = "gives_its_handshake_as_long_as_its_connect",
    .twin = "gives_its_handshake_less_than_its_connect",
    .promises = {.time = {.create = 10s,
                     .operations = {{"tls.create", 5s}, {"tcp.resolve", 2s}},
                     .unbounded = {phase::close}}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource tcp("tcp"), tls("tls");
        const auto connect = [&] { return with_deadline([&] { return tcp.create(); }, 10s); };
        const auto secure = [&] { return with_deadline([&] { return tls.create(); }, wrong ? 10s : 5s); };
        co_await hold(
            env, connect,
            [&] {
                return hold(
                    env, secure, [&] { return env.body()(tls); }, [&](bool) { return tls.close(); });
            },
            [&](bool) { return tcp.close(); });
    }}};

/// Rolls back, logs out and closes; what one step takes, the others lack.
const registration cleans_up_in_time{{.invariant = "honours_timeout",
    .wrong = "gives_each_step_of_its_clean_up_the_whole_time",
    .twin = "shares_one_deadline_among_the_steps_of_its_clean_up",
    .promises = {.time = {.create = 5s, .other = 5s, .clean_up = 5s},
        .errors = {.close = mishap::close_error_policy::reported}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        co_await with_deadline([&] { return session.create(); }, 5s);
        std::exception_ptr error;
        try {
            co_await env.body()(session);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        const auto until = clock::now() + 5s;
        const auto left = [&] { return wrong ? clock::duration(5s) : until - clock::now(); };
        try {
            if (session.usable())
                co_await with_deadline([&] { return session.use("logout"); }, left());
        } catch (...) {
            env.report(std::current_exception());
        }
        if (left() > clock::duration(0)) {
            try {
                co_await with_deadline([&] { return session.close(); }, left());
            } catch (...) {
                env.report(std::current_exception());
            }
        } else {
            session.force_close();
        }
        if (error)
            std::rethrow_exception(error);
    }}};

const registration says_farewell{{.invariant = "swallows_no_error",
    .wrong = "says_nothing_of_a_farewell_that_failed",
    .twin = "reports_a_farewell_that_failed",
    .promises = {.time = {.create = 5s, .close = 2s, .other = 3s},
        .errors = {.close = mishap::close_error_policy::reported}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        co_await with_deadline([&] { return session.create(); }, 5s);
        std::exception_ptr error;
        try {
            co_await env.body()(session);
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield();
        std::exception_ptr impolite, late;
        try {
            if (session.usable())
                co_await with_deadline([&] { return session.use("quit"); }, 3s);
        } catch (...) {
            impolite = std::current_exception();
        }
        if (impolite && !wrong)
            env.report(impolite);
        try {
            co_await with_deadline([&] { return session.close(); }, 2s);
        } catch (...) {
            env.report(std::current_exception());
        }
        if (error)
            std::rethrow_exception(error);
    }}};

/// Those who wait until what they want can be had; whoever is first in line goes first.
class line
{
public:
    explicit line(asio::any_io_executor executor) : executor_(std::move(executor)) {}

    template <class Can>
    awaitable<void> wait(Can can)
    {
        if (waiting_.empty() && can())
            co_return;
        asio::steady_timer mine(executor_, clock::time_point::max());
        struct place
        {
            line& in;
            std::list<asio::steady_timer*>::iterator at;
            ~place()
            {
                in.waiting_.erase(at);
                in.wake();
            }
        };
        {
            const place here{*this, waiting_.insert(waiting_.end(), &mine)};
            while (waiting_.front() != &mine || !can()) {
                boost::system::error_code ignored;
                mine.expires_at(clock::time_point::max());
                co_await mine.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
                const auto state = co_await asio::this_coro::cancellation_state;
                if (state.cancelled() != asio::cancellation_type::none)
                    throw boost::system::system_error(
                        asio::error::make_error_code(asio::error::operation_aborted));
            }
        }
    }

    void wake()
    {
        if (!waiting_.empty())
            waiting_.front()->cancel();
    }

private:
    asio::any_io_executor executor_;
    std::list<asio::steady_timer*> waiting_ = {};
};

/// Readers at once, writers alone.
const registration readers_and_writers{{.invariant = "exclusive",
    .wrong = "lets_a_writer_in_among_readers",
    .twin = "lets_a_writer_in_when_the_readers_are_gone",
    .promises = {.time = {.unbounded = {phase::create, phase::close, phase::acquire}},
        .capacity = {.clients = 4, .together = {{"read", "read"}}},
        .work = {.pipelined = true, .keeps_broken = true}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource table("table");
        co_await table.create();
        line waiting(env.executor());
        int readers = 0;
        bool writing = false;
        co_await env.clients([&](client& one) -> awaitable<void> {
            const bool reads = one.index() % 2 == 0;
            one.mode(reads ? "read" : "write");
            co_await waiting.wait([&] { return !writing && (reads || wrong || readers == 0); });
            readers += reads;
            writing = writing || !reads;
            std::exception_ptr error;
            try {
                co_await one.body(table);
            } catch (...) {
                error = std::current_exception();
            }
            readers -= reads;
            writing = writing && reads;
            waiting.wake();
            if (error)
                std::rethrow_exception(error);
        });
        co_await table.close();
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::hang()}}};

/// A semaphore of which some take more than others.
const registration takes_weights{{.invariant = "within_capacity",
    .wrong = "counts_a_heavy_client_as_one",
    .twin = "counts_what_each_client_takes",
    .promises = {.time = {.unbounded = {phase::acquire}}, .capacity = {.resources = 3, .clients = 3}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        line waiting(env.executor());
        std::uint32_t left = 3;
        co_await env.clients([&](client& one) -> awaitable<void> {
            const std::uint32_t weight = one.weight(2);
            const std::uint32_t units = wrong ? 1 : weight;
            co_await waiting.wait([&] { return left >= units; });
            left -= units;
            std::exception_ptr error;
            try {
                co_await one.body()();
            } catch (...) {
                error = std::current_exception();
            }
            left += units;
            waiting.wake();
            if (error)
                std::rethrow_exception(error);
        });
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::hang()}}};

struct pipeline_gone : std::runtime_error
{
    pipeline_gone() : std::runtime_error("the connection of this pipeline is gone") {}
};

MISHAP_ERROR(pipeline_gone, pipeline_gone());

/// Requests of all clients go over one connection in turn; when it breaks, that is the end.
const registration ends_for_good{{.invariant = "recovers",
    .wrong = "serves_nobody_any_more_and_does_not_say_so",
    .twin = "says_that_it_has_ended_for_good",
    .promises = {.time = {.unbounded = {phase::create, phase::close, phase::acquire, phase::other}},
        .capacity = {.clients = 3},
        .errors = {.refuses = {"pipeline_gone"}, .ended = {"pipeline_gone"}},
        .work = {.pipelined = true, .keeps_broken = true}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource connection("connection");
        co_await connection.create();
        line turns(env.executor());
        bool busy = false, gone = false;
        co_await env.clients([&](client& one) -> awaitable<void> {
            co_await turns.wait([&] { return !busy; });
            if (gone && wrong)
                throw std::runtime_error("no");
            if (gone)
                throw pipeline_gone();
            busy = true;
            std::exception_ptr error;
            try {
                co_await connection.use("request");
                co_await one.body(connection);
            } catch (...) {
                error = std::current_exception();
            }
            gone = gone || error;
            busy = false;
            turns.wake();
            if (error)
                std::rethrow_exception(error);
        });
        co_await connection.close();
    },
    .kinds = {mishap::fault::fail("io_error")}}};

/// Tries again, but not more often than the server bears.
const registration keeps_to_a_rate{{.invariant = "within_capacity",
    .wrong = "tries_again_at_once",
    .twin = "tries_again_after_a_second",
    .promises = {.time = {.unbounded = {phase::create, phase::close}},
        .capacity = {.creates = 1, .creates_within = 1s},
        .attempts = {.create = 3}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        mock_resource session("session");
        const auto create = [&]() -> awaitable<void> {
            for (int left = 2;; --left) {
                std::exception_ptr error;
                try {
                    co_await session.create();
                } catch (...) {
                    error = std::current_exception();
                }
                if (!error)
                    co_return;
                if (left == 0)
                    std::rethrow_exception(error);
                asio::steady_timer pause(env.executor(), wrong ? 10ms : 1s);
                co_await pause.async_wait(asio::use_awaitable);
            }
        };
        co_await hold(
            env, create, [&] { return env.body()(session); }, [&](bool) { return session.close(); });
    }}};

/// Opens a connection, and then looks whether one is idle.
const registration wastes_nothing{{.invariant = "within_capacity",
    .wrong = "closes_what_it_opened_when_another_one_has_become_idle",
    .twin = "keeps_what_it_opened_when_another_one_has_become_idle",
    .promises = {.time = {.unbounded = {phase::create, phase::close}},
        .capacity = {.resources = 2, .clients = 2, .wastes_nothing = true}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        std::vector<std::unique_ptr<mock_resource>> idle;
        co_await env.clients([&](client& one) -> awaitable<void> {
            std::unique_ptr<mock_resource> mine;
            if (!idle.empty()) {
                mine = std::move(idle.back());
                idle.pop_back();
            } else {
                auto made = std::make_unique<mock_resource>("session");
                co_await made->create();
                if (wrong && !idle.empty()) {
                    mine = std::move(idle.back());
                    idle.pop_back();
                    co_await shield();
                    co_await made->close();
                } else {
                    mine = std::move(made);
                }
            }
            std::exception_ptr error;
            try {
                co_await one.body(*mine);
            } catch (...) {
                error = std::current_exception();
            }
            co_await shield();
            if (mine->usable())
                idle.push_back(std::move(mine));
            else
                mine->force_close();
            if (error)
                std::rethrow_exception(error);
        });
        for (const auto& one : idle)
            one->force_close();
    },
    .kinds = {mishap::fault::fail("io_error"), mishap::fault::delay(1s)}}};

/// Writes what clients hand in, together, at each tick; each is told how that went.
const registration tells_everybody{{.invariant = "swallows_no_error",
    .wrong = "tells_one_client_of_a_write_that_failed_for_all",
    .twin = "tells_all_clients_of_a_write_that_failed",
    .promises = {.time = {.unbounded = {phase::create, phase::close, phase::other}},
        .capacity = {.clients = 3, .shared = true},
        .work = {.keeps_broken = true}},
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        struct entry
        {
            asio::steady_timer written;
            bool done = false;
            std::exception_ptr error = {};
        };
        struct writer
        {
            mock_resource file{"file"};
            asio::steady_timer tick, ended;
            std::vector<std::shared_ptr<entry>> batch = {};
            bool stops = false, runs = true;
        };
        const auto mine =
            std::make_shared<writer>(writer{mock_resource("file"), asio::steady_timer(env.executor()),
                asio::steady_timer(env.executor(), clock::time_point::max())});
        co_await mine->file.create();
        const auto loop = [](std::shared_ptr<writer> all, bool first_only) -> awaitable<void> {
            while (!all->stops) {
                boost::system::error_code ignored;
                all->tick.expires_after(1s);
                co_await all->tick.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
                const auto now = std::exchange(all->batch, {});
                if (now.empty())
                    continue;
                std::exception_ptr error;
                try {
                    co_await all->file.use("write");
                } catch (...) {
                    error = std::current_exception();
                }
                for (const auto& one : now) {
                    one->error = first_only && one != now.front() ? nullptr : error;
                    one->done = true;
                    one->written.cancel();
                }
            }
        };
        asio::co_spawn(env.executor(), loop(mine, wrong), [mine](std::exception_ptr) {
            mine->runs = false;
            mine->ended.cancel();
        });
        co_await env.clients([&](client& one) -> awaitable<void> {
            const auto line =
                std::make_shared<entry>(entry{asio::steady_timer(env.executor(), clock::time_point::max())});
            mine->batch.push_back(line);
            boost::system::error_code ignored;
            co_await line->written.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            if (!line->done)
                std::erase(mine->batch, line);
            if (line->error)
                std::rethrow_exception(line->error);
            co_await one.body()();
        });
        mine->stops = true;
        mine->tick.cancel();
        boost::system::error_code ignored;
        if (mine->runs)
            co_await mine->ended.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        co_await mine->file.close();
    },
    .kinds = {mishap::fault::fail("io_error")}}};

/// What is lent is no fake, but a facade over one.
const registration lends_a_facade{{.invariant = "no_use_after_close",
    .wrong = "lends_a_facade_over_a_session_that_is_closed",
    .twin = "lends_a_facade_over_a_session_that_is_open",
    .promises = patient,
    .run = [](environment& env, bool wrong) -> awaitable<void> {
        struct facade
        {
            mock_resource* under;
        };
        mock_resource session("session");
        const auto body = env.body().on([](facade& lent) -> mishap::resource& { return *lent.under; });
        facade lent{&session};
        co_await session.create();
        if (wrong)
            session.force_close();
        std::exception_ptr error;
        try {
            co_await body(lent);
        } catch (...) {
            error = std::current_exception();
        }
        if (!wrong)
            session.force_close();
        if (error)
            std::rethrow_exception(error);
    }}};

} // namespace

} // namespace pairs
