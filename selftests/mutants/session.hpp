// SPDX-License-Identifier: MIT
#pragma once
// A session that is opened, lent and closed within deadlines, on plain Asio, right (in two ways) and with one
// thing wrong at a time. Nothing here knows of mishap.

#include "shared/with_deadline.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <utility>

namespace mutants {

namespace asio = boost::asio;

enum class session_flaw
{
    none,
    /// None either: the close may be cancelled, and the session is dropped by force then.
    none_but_unshielded,
    closes_unshielded,
    unshields_once_cancelled,
    closes_without_deadline,
    closes_under_or_operator,
    close_error_replaces_body_error,
    closes_what_was_never_opened,
    skips_close_when_cancelled,
    skips_close_on_foreign_errors,
    swallows_cancellation,
    loses_late_session,
    leaves_timer_running,
};

template <session_flaw Flaw = session_flaw::none>
class session_manager
{
public:
    using duration = asio::steady_timer::duration;

    struct options
    {
        duration open_timeout;
        duration close_timeout;
        std::function<void(std::exception_ptr)> log;
    };

    explicit session_manager(options chosen) : options_(std::move(chosen)) {}

    /// Opens the session, lends it to the body and closes it. The first error is the caller's, a close error
    /// that comes after another goes to the log.
    template <class Session, class Body>
    asio::awaitable<void> with_session(Session& session, Body body)
    {
        std::exception_ptr error;
        try {
            co_await open(session);
        } catch (...) {
            if constexpr (Flaw != session_flaw::closes_what_was_never_opened)
                throw;
            error = std::current_exception();
        }
        try {
            if (!error)
                co_await body(session);
        } catch (const std::exception&) {
            error = std::current_exception();
        } catch (...) {
            if constexpr (Flaw == session_flaw::skips_close_on_foreign_errors)
                throw;
            error = std::current_exception();
        }
        if (Flaw == session_flaw::skips_close_when_cancelled && is_abort(error))
            std::rethrow_exception(error);
        if constexpr (Flaw == session_flaw::unshields_once_cancelled) {
            if (is_abort(error))
                co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
            else
                co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        } else if constexpr (Flaw != session_flaw::closes_unshielded &&
                             Flaw != session_flaw::none_but_unshielded) {
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        }
        std::exception_ptr close_error;
        try {
            co_await close(session);
        } catch (...) {
            close_error = std::current_exception();
            if constexpr (Flaw != session_flaw::closes_unshielded &&
                          Flaw != session_flaw::unshields_once_cancelled)
                session.force_close();
        }
        if (Flaw == session_flaw::swallows_cancellation && is_abort(error))
            error = nullptr;
        if (close_error && (!error || Flaw == session_flaw::close_error_replaces_body_error))
            std::rethrow_exception(close_error);
        if (close_error)
            options_.log(close_error);
        if (error)
            std::rethrow_exception(error);
    }

private:
    template <class Session>
    asio::awaitable<void> open(Session& session)
    {
        using namespace asio::experimental::awaitable_operators;
        if constexpr (Flaw == session_flaw::loses_late_session) {
            asio::steady_timer timer(co_await asio::this_coro::executor, options_.open_timeout);
            const auto first = co_await (session.open() || timer.async_wait(asio::use_awaitable));
            if (first.index() == 1)
                throw catalogue::deadline_error();
        } else if constexpr (Flaw == session_flaw::leaves_timer_running) {
            const auto timer = std::make_shared<asio::steady_timer>(
                co_await asio::this_coro::executor, options_.open_timeout);
            timer->async_wait([timer](boost::system::error_code) {});
            co_await catalogue::with_deadline([&] { return session.open(); }, options_.open_timeout);
        } else {
            co_await catalogue::with_deadline([&] { return session.open(); }, options_.open_timeout);
        }
    }

    template <class Session>
    asio::awaitable<void> close(Session& session)
    {
        using namespace asio::experimental::awaitable_operators;
        if constexpr (Flaw == session_flaw::closes_without_deadline)
            co_await session.close();
        else if constexpr (Flaw == session_flaw::closes_under_or_operator)
            co_await (session.close() || throw_after(options_.close_timeout));
        else
            co_await catalogue::with_deadline([&] { return session.close(); }, options_.close_timeout);
    }

    static asio::awaitable<void> throw_after(duration timeout)
    {
        asio::steady_timer timer(co_await asio::this_coro::executor, timeout);
        co_await timer.async_wait(asio::use_awaitable);
        throw catalogue::deadline_error();
    }

    static bool is_abort(const std::exception_ptr& error)
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

    options options_;
};

} // namespace mutants
