// SPDX-License-Identifier: MIT
#pragma once
/// Skill, "Pattern 2: Statistics Tracking": how many sessions are active. Plain Asio; nothing here knows of
/// mishap.
///
/// It promises that the counter shows, whenever anybody may look, how many sessions exist: from the end of
/// the creation to the end of the close.

#include "shared/lend.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace catalogue {

namespace asio = boost::asio;

struct query_stats
{
    long active_sessions = 0;
};

/// As written: a session that is still being created is counted, and one that is still being closed is not.
template <class Create, class Body>
asio::awaitable<void> session_with_stats_as_written(Create create, query_stats& stats, Body body)
{
    ++stats.active_sessions;
    std::optional<typename std::invoke_result_t<Create&>::value_type> session;
    std::exception_ptr error;
    try {
        session.emplace(co_await create());
        co_await body(*session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    --stats.active_sessions;
    if (session)
        co_await session->close();
    if (error)
        std::rethrow_exception(error);
}

/// A session that counts itself while it is open.
template <class Session>
class counted : public Session
{
public:
    counted(Session&& created, query_stats& stats) : Session(std::move(created)), stats_(&stats)
    {
        ++stats.active_sessions;
    }

    asio::awaitable<void> close()
    {
        std::exception_ptr error;
        try {
            co_await Session::close();
        } catch (...) {
            error = std::current_exception();
        }
        --stats_->active_sessions;
        if (error)
            std::rethrow_exception(error);
    }

private:
    query_stats* stats_;
};

/// Mended: what is counted is what exists.
template <class Create, class Body, class Log>
asio::awaitable<void> session_with_stats(
    Create create, query_stats& stats, Body body, asio::steady_timer::duration timeout, Log log)
{
    using session = typename std::invoke_result_t<Create&>::value_type;
    const auto create_counted = [create, &stats]() -> asio::awaitable<counted<session>> {
        co_return counted<session>(co_await create(), stats);
    };
    return lend(create_counted, body, timeout, log);
}

} // namespace catalogue
