// SPDX-License-Identifier: MIT
// Pairs of pools that close what lies idle: on a tick, while clients come and go, and when they shut down.

#include "pair.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <boost/asio/detached.hpp>

#include <list>
#include <memory>

namespace pairs {

namespace {

using clock = asio::steady_timer::clock_type;

/// Lends what lies idle, and opens one more where nothing does; a client that fails drops what it had.
class lending_pool : public std::enable_shared_from_this<lending_pool>
{
public:
    explicit lending_pool(environment& env) : env_(env), tick_(env.executor()) {}

    awaitable<void> serve(client& one)
    {
        auto session = take();
        if (!session) {
            session = std::make_shared<mock_resource>("session");
            co_await session->create();
        }
        std::exception_ptr error;
        try {
            co_await one.body()(*session);
        } catch (...) {
            error = std::current_exception();
        }
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        if (!error) {
            idle_.push_back({std::move(session), clock::now()});
            co_return;
        }
        co_await close(*session);
        std::rethrow_exception(error);
    }

    /// Every ten seconds, closes what nobody has used for a minute.
    void close_the_idle(bool in_its_place)
    {
        asio::co_spawn(
            env_.executor(),
            [self = shared_from_this(), in_its_place]() -> awaitable<void> {
                boost::system::error_code stopped;
                while (!self->stops_) {
                    self->tick_.expires_after(10s);
                    co_await self->tick_.async_wait(asio::redirect_error(asio::use_awaitable, stopped));
                    if (!self->idle_.empty() && clock::now() - self->idle_.front().since >= 1min)
                        co_await self->close_first(in_its_place);
                }
            },
            asio::detached);
    }

    awaitable<void> shut_down(bool forgets_one)
    {
        stops_ = true;
        tick_.cancel();
        if (forgets_one && idle_.size() > 1)
            idle_.pop_back();
        while (!idle_.empty())
            co_await close(*take());
    }

private:
    struct entry
    {
        std::shared_ptr<mock_resource> session;
        clock::time_point since;
    };

    std::shared_ptr<mock_resource> take()
    {
        if (idle_.empty())
            return nullptr;
        auto session = std::move(idle_.back().session);
        idle_.pop_back();
        return session;
    }

    /// In its place, somebody may still take it while it is being closed.
    awaitable<void> close_first(bool in_its_place)
    {
        const auto session = idle_.front().session;
        if (!in_its_place)
            idle_.pop_front();
        co_await close(*session);
        if (in_its_place)
            idle_.remove_if([&](const entry& one) { return one.session == session; });
    }

    awaitable<void> close(mock_resource& session)
    {
        try {
            co_await session.close();
        } catch (...) {
            env_.report(std::current_exception());
        }
    }

    environment& env_;
    std::list<entry> idle_;
    asio::steady_timer tick_;
    bool stops_ = false;
};

awaitable<void> closes_on_a_tick(environment& env, bool wrong)
{
    const auto pool = std::make_shared<lending_pool>(env);
    pool->close_the_idle(wrong);
    co_await env.clients([&](client& one) -> awaitable<void> { co_await pool->serve(one); });
    co_await pool->shut_down(false);
}

awaitable<void> closes_one_after_the_other(environment& env, bool wrong)
{
    const auto pool = std::make_shared<lending_pool>(env);
    co_await env.clients([&](client& one) -> awaitable<void> { co_await pool->serve(one); });
    co_await pool->shut_down(wrong);
}

const contract several{
    .time = {.unbounded = {phase::create, phase::close, phase::other}}, .capacity = {.clients = 2}};

const registration on_a_tick({"no_use_after_close", "closes_the_idle_where_clients_still_find_it",
    "takes_the_idle_out_and_closes_it", several, closes_on_a_tick});
const registration one_by_one({"closes_everything", "forgets_one_when_it_shuts_down",
    "closes_behind_one_that_may_hang_for_ever", several, closes_one_after_the_other});

} // namespace

} // namespace pairs
