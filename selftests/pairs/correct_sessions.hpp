// SPDX-License-Identifier: MIT
#pragma once
/// Correct managers of one session, as production code would write them. Plain Asio; nothing here knows of
/// mishap. The letters are those of the list of managers that must not be blamed.

#include "shared/with_deadline.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>

namespace correct {

namespace asio = boost::asio;
using namespace std::chrono_literals;

using catalogue::deadline_error;
using catalogue::with_deadline;
using log = std::function<void(std::exception_ptr)>;

inline constexpr auto open_timeout = 30s;
inline constexpr auto close_timeout = 10s;

inline bool is_abort(const std::exception_ptr& error)
{
    try {
        if (error)
            std::rethrow_exception(error);
    } catch (const boost::system::system_error& e) {
        return e.code() == asio::error::operation_aborted;
    } catch (...) {
    }
    return false;
}

/// Throws the first error; one of the clean-up that comes after it goes to the log.
inline void raise(
    const std::exception_ptr& error, const std::exception_ptr& close_error, const log& log_error)
{
    if (error && close_error)
        log_error(close_error);
    if (error || close_error)
        std::rethrow_exception(error ? error : close_error);
}

/// Closes within its timeout; gives the error.
template <class Session>
asio::awaitable<std::exception_ptr> close(Session& session)
{
    std::exception_ptr error;
    try {
        co_await with_deadline([&] { return session.close(); }, close_timeout);
    } catch (...) {
        error = std::current_exception();
    }
    co_return error;
}

/// (B) (J) (N) (O): opens, lends, closes; what the body does, and for how long, is its own affair.
template <class Session, class Body>
asio::awaitable<void> with_session(Session& session, Body body, log log_error)
{
    co_await with_deadline([&] { return session.open(); }, open_timeout);
    std::exception_ptr error;
    try {
        co_await body(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const std::exception_ptr close_error = co_await close(session);
    raise(error, close_error, log_error);
}

/// (A) A lease on a session: whoever drops it has it closed, in a coroutine of its own, since a destructor
/// cannot wait.
template <class Session>
class lease
{
public:
    lease(asio::any_io_executor executor, std::shared_ptr<Session> session, log log_error)
        : executor_(std::move(executor)), session_(std::move(session)), log_(std::move(log_error))
    {}
    lease(const lease&) = delete;
    lease& operator=(const lease&) = delete;
    ~lease() { asio::co_spawn(executor_, close_it(std::move(session_), std::move(log_)), asio::detached); }

    Session& operator*() const { return *session_; }

private:
    static asio::awaitable<void> close_it(std::shared_ptr<Session> session, log log_error)
    {
        if (const std::exception_ptr error = co_await close(*session))
            log_error(error);
    }

    asio::any_io_executor executor_;
    std::shared_ptr<Session> session_;
    log log_;
};

template <class Session, class Body>
asio::awaitable<void> with_lease(std::shared_ptr<Session> session, Body body, log log_error)
{
    const auto executor = co_await asio::this_coro::executor;
    co_await with_deadline([&] { return session->open(); }, open_timeout);
    const lease<Session> mine(executor, std::move(session), std::move(log_error));
    co_await body(*mine);
}

/// (E) What the body throws arrives wrapped, with its cause nested. A cancellation stays what it is, so that
/// callers know it.
template <class Session, class Body>
asio::awaitable<void> with_wrapped_errors(Session& session, Body body, log log_error)
{
    const auto wrapping = [body](Session& lent) -> asio::awaitable<void> {
        std::exception_ptr wrapped;
        try {
            co_await body(lent);
        } catch (...) {
            const std::exception_ptr cause = std::current_exception();
            if (is_abort(cause))
                throw;
            std::throw_with_nested(std::runtime_error("the session's work failed"));
        }
    };
    co_await with_session(session, wrapping, log_error);
}

/// (F) Shuts down gracefully until a timer ends, then drops the session by force.
template <class Session, class Body>
asio::awaitable<void> with_graceful_shutdown(Session& session, Body body, log log_error)
{
    co_await with_deadline([&] { return session.open(); }, open_timeout);
    std::exception_ptr error;
    try {
        co_await body(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const std::exception_ptr close_error = co_await close(session);
    if (close_error)
        session.force_close();
    raise(error, close_error, log_error);
}

/// (I) A timeout by hand: cancels the operation when the timer ends, and throws `timed_out` then.
template <class Operation>
asio::awaitable<void> or_cancelled_after(Operation operation, asio::steady_timer::duration timeout)
{
    struct watch
    {
        explicit watch(const asio::any_io_executor& executor) : timer(executor) {}
        asio::steady_timer timer;
        asio::cancellation_signal stop;
        bool passed = false;
    };
    const auto executor = co_await asio::this_coro::executor;
    const auto watching = std::make_shared<watch>(executor);
    const auto state = co_await asio::this_coro::cancellation_state;
    asio::cancellation_slot mine = state.slot();
    mine.assign([watching](asio::cancellation_type type) { watching->stop.emit(type); });
    watching->timer.expires_after(timeout);
    watching->timer.async_wait([watching](boost::system::error_code error) {
        if (error)
            return;
        watching->passed = true;
        watching->stop.emit(asio::cancellation_type::terminal);
    });
    std::exception_ptr error;
    try {
        co_await asio::co_spawn(
            executor, operation(), asio::bind_cancellation_slot(watching->stop.slot(), asio::use_awaitable));
    } catch (...) {
        error = std::current_exception();
    }
    mine.clear();
    watching->timer.cancel();
    if (watching->passed && is_abort(error))
        throw boost::system::system_error(asio::error::make_error_code(asio::error::timed_out));
    if (error)
        std::rethrow_exception(error);
}

template <class Session, class Body>
asio::awaitable<void> with_deadlines_by_hand(Session& session, Body body, log log_error)
{
    co_await or_cancelled_after([&] { return session.open(); }, open_timeout);
    std::exception_ptr error;
    try {
        co_await body(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    std::exception_ptr close_error;
    try {
        co_await or_cancelled_after([&] { return session.close(); }, close_timeout);
    } catch (...) {
        close_error = std::current_exception();
    }
    raise(error, close_error, log_error);
}

/// Runs an operation apart, and waits for it so long and no longer: then it is asked to stop and left alone.
/// `arrived_late` is called if it succeeds all the same.
template <class Operation, class Late>
asio::awaitable<void> or_left_after(
    Operation operation, asio::steady_timer::duration timeout, Late arrived_late)
{
    struct attempt
    {
        explicit attempt(const asio::any_io_executor& executor) : timer(executor) {}
        asio::steady_timer timer;
        asio::cancellation_signal stop;
        std::exception_ptr error;
        bool ended = false;
        bool left = false;
    };
    const auto executor = co_await asio::this_coro::executor;
    const auto trying = std::make_shared<attempt>(executor);
    trying->timer.expires_after(timeout);
    asio::co_spawn(executor, operation(),
        asio::bind_cancellation_slot(
            trying->stop.slot(), [trying, operation, arrived_late](std::exception_ptr error) {
                trying->ended = true;
                trying->error = error;
                trying->timer.cancel();
                if (trying->left && !error)
                    arrived_late();
            }));
    boost::system::error_code stopped;
    co_await trying->timer.async_wait(asio::redirect_error(asio::use_awaitable, stopped));
    if (!trying->ended) {
        trying->left = true;
        trying->stop.emit(asio::cancellation_type::terminal);
        if (stopped)
            throw boost::system::system_error(stopped);
        throw deadline_error();
    }
    if (trying->error)
        std::rethrow_exception(trying->error);
}

inline constexpr auto attempt_timeout = 5s;
inline constexpr auto attempts_timeout = 10s;

/// Closes within its timeout, and waits no longer for it; gives the error.
template <class Session>
asio::awaitable<std::exception_ptr> close_or_leave(std::shared_ptr<Session> session)
{
    const auto close = [session] { return session->close(); };
    std::exception_ptr error;
    try {
        co_await or_left_after(close, close_timeout, [] {});
    } catch (...) {
        error = std::current_exception();
    }
    co_return error;
}

template <class Session>
asio::awaitable<void> close_late(std::shared_ptr<Session> session, log log_error)
{
    if (const std::exception_ptr error = co_await close_or_leave(std::move(session)))
        log_error(error);
}

/// Opens within a timeout, and waits no longer for it: what then arrives is closed.
template <class Session>
asio::awaitable<void> open_or_leave(
    std::shared_ptr<Session> session, asio::steady_timer::duration timeout, log log_error)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto open = [session] { return session->open(); };
    const auto close_it = [executor, session, log_error] {
        asio::co_spawn(executor, close_late(session, log_error), asio::detached);
    };
    co_await or_left_after(open, timeout, close_it);
}

/// (G) Tries a second session when the first does not open in time, or fails.
template <class Session, class Body>
asio::awaitable<void> with_replacement(Body body, log log_error)
{
    const auto until = asio::steady_timer::clock_type::now() + attempts_timeout;
    auto session = std::make_shared<Session>();
    std::exception_ptr error;
    try {
        co_await open_or_leave(session, attempt_timeout, log_error);
    } catch (...) {
        error = std::current_exception();
    }
    if (is_abort(error))
        std::rethrow_exception(error);
    if (error) {
        log_error(std::exchange(error, nullptr));
        session = std::make_shared<Session>();
        co_await open_or_leave(session, until - asio::steady_timer::clock_type::now(), log_error);
    }
    try {
        co_await body(*session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const std::exception_ptr close_error = co_await close_or_leave(session);
    raise(error, close_error, log_error);
}

/// (M) Runs the body up to three times, as long as it fails with what the database says of a transaction
/// that lost against another one. `is_serialization_failure` tells.
template <class Session, class Body, class Tells>
asio::awaitable<void> with_retries(Session& session, Body body, Tells is_serialization_failure, log log_error)
{
    const auto attempts = [body, is_serialization_failure](Session& lent) -> asio::awaitable<void> {
        for (int left = 3;;) {
            std::exception_ptr error;
            try {
                co_await body(lent);
            } catch (...) {
                error = std::current_exception();
            }
            if (!error)
                co_return;
            if (--left == 0 || !is_serialization_failure(error))
                std::rethrow_exception(error);
        }
    };
    co_await with_session(session, attempts, log_error);
}

/// (H) A transaction: commits when the body returned, else rolls back. A session whose connection is broken
/// is dropped instead: nothing can be said on it any more, and the server rolls back by itself.
template <class Session, class Body>
asio::awaitable<void> with_transaction(Session& session, Body body, log log_error)
{
    co_await with_deadline([&] { return session.open(); }, open_timeout);
    std::exception_ptr error;
    bool begun = false;
    // Not before the commit itself: whoever is cancelled in between does not come to it.
    const auto commit = [&session, &begun]() -> asio::awaitable<void> {
        begun = false;
        co_await session.commit();
    };
    try {
        co_await session.begin();
        begun = true;
        co_await body(session);
        co_await commit();
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (!session.usable()) {
        session.force_close();
        raise(error, nullptr, log_error);
        co_return;
    }
    if (begun) {
        try {
            co_await with_deadline([&] { return session.rollback(); }, close_timeout);
        } catch (...) {
            log_error(std::current_exception());
        }
    }
    const std::exception_ptr close_error = co_await close(session);
    raise(error, close_error, log_error);
}

} // namespace correct
