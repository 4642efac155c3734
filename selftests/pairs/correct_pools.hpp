// SPDX-License-Identifier: MIT
#pragma once
/// Correct managers of connections that several clients use, as production code would write them. Plain Asio;
/// nothing here knows of mishap. The letters are those of the list of managers that must not be blamed.

#include "correct_sessions.hpp"

#include "shared/async_lock.hpp"

#include <deque>
#include <list>

namespace correct {

using catalogue::async_lock;

/// (D) One connection for all, one at a time; before it is lent it must answer a ping, else another one takes
/// its place.
template <class Connection>
class checked_connection
{
public:
    checked_connection(asio::any_io_executor executor, log log_error)
        : lock_(std::move(executor)), log_(std::move(log_error))
    {}

    template <class Body>
    asio::awaitable<void> with_connection(Body body)
    {
        co_await lock_.lock();
        std::exception_ptr error;
        try {
            co_await prepare();
            co_await body(*connection_);
        } catch (...) {
            error = std::current_exception();
        }
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        if (error)
            co_await shut_down();
        lock_.unlock();
        if (error)
            std::rethrow_exception(error);
    }

    asio::awaitable<void> shut_down()
    {
        if (!connection_)
            co_return;
        const auto last = std::exchange(connection_, nullptr);
        if (const std::exception_ptr error = co_await close(*last))
            log_(error);
    }

private:
    asio::awaitable<void> prepare()
    {
        std::exception_ptr dead;
        try {
            if (connection_)
                co_await with_deadline([&] { return connection_->ping(); }, 5s);
        } catch (...) {
            dead = std::current_exception();
        }
        if (is_abort(dead))
            std::rethrow_exception(dead);
        if (dead) {
            log_(dead);
            // A coroutine of its own, with no slot, is not struck by the client's cancellation.
            co_await asio::co_spawn(co_await asio::this_coro::executor, shut_down(),
                asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
        }
        if (connection_)
            co_return;
        auto made = std::make_unique<Connection>();
        co_await with_deadline([&] { return made->open(); }, open_timeout);
        connection_ = std::move(made);
    }

    async_lock lock_;
    log log_;
    std::unique_ptr<Connection> connection_;
};

/// (C) (G) One connection that a background task keeps up. It reconnects when a client found it broken, gives
/// up an attempt after five seconds without waiting for it to end, and closes what arrives after that.
template <class Connection>
class kept_connection
{
public:
    kept_connection(asio::any_io_executor executor, log log_error)
        : executor_(std::move(executor)), log_(std::move(log_error)), wake_(executor_), ended_(executor_)
    {}

    void start()
    {
        ended_.expires_at(asio::steady_timer::time_point::max());
        asio::co_spawn(executor_, keep_up(), [this](std::exception_ptr error) {
            if (error)
                log_(error);
            ended_.cancel();
            running_ = false;
        });
        running_ = true;
    }

    template <class Body>
    asio::awaitable<void> with_connection(Body body)
    {
        auto mine = co_await acquire();
        std::exception_ptr error;
        try {
            co_await body(*mine);
        } catch (...) {
            error = std::current_exception();
        }
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        if (!error) {
            hand_on(std::move(mine));
            co_return;
        }
        if (const std::exception_ptr close_error = co_await close_or_leave(std::move(mine)))
            log_(close_error);
        wanted_ = true;
        wake_.cancel();
        std::rethrow_exception(error);
    }

    asio::awaitable<void> shut_down()
    {
        stopping_ = true;
        wake_.cancel();
        boost::system::error_code ignored;
        if (running_)
            co_await ended_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        if (!idle_)
            co_return;
        if (const std::exception_ptr error = co_await close_or_leave(std::exchange(idle_, nullptr)))
            log_(error);
    }

private:
    using connection = std::shared_ptr<Connection>;

    struct waiter
    {
        explicit waiter(const asio::any_io_executor& executor) : timer(executor, open_timeout) {}
        asio::steady_timer timer;
        connection handed = nullptr;
    };

    asio::awaitable<connection> acquire()
    {
        if (idle_)
            co_return std::exchange(idle_, nullptr);
        waiter mine(executor_);
        const auto place = waiters_.insert(waiters_.end(), &mine);
        boost::system::error_code error;
        co_await mine.timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (!mine.handed)
            waiters_.erase(place);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) {
            if (mine.handed)
                hand_on(std::move(mine.handed));
            throw boost::system::system_error(asio::error::make_error_code(asio::error::operation_aborted));
        }
        if (!mine.handed)
            throw deadline_error();
        co_return std::move(mine.handed);
    }

    void hand_on(connection free)
    {
        if (waiters_.empty()) {
            idle_ = std::move(free);
            return;
        }
        waiter& next = *waiters_.front();
        waiters_.pop_front();
        next.handed = std::move(free);
        next.timer.cancel();
    }

    asio::awaitable<void> keep_up()
    {
        while (!stopping_) {
            auto pause = asio::steady_timer::time_point::max();
            if (wanted_) {
                if (connection made = co_await connect()) {
                    wanted_ = false;
                    hand_on(std::move(made));
                } else {
                    pause = asio::steady_timer::clock_type::now() + 1s;
                }
            }
            if (stopping_)
                co_return;
            if (wanted_ && pause == asio::steady_timer::time_point::max())
                continue; // found broken again meanwhile
            wake_.expires_at(pause);
            boost::system::error_code ignored;
            co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
    }

    /// Null if it failed, which is logged.
    asio::awaitable<connection> connect()
    {
        auto made = std::make_shared<Connection>();
        std::exception_ptr error;
        try {
            co_await open_or_leave(made, attempt_timeout, log_);
        } catch (...) {
            error = std::current_exception();
        }
        if (!error)
            co_return made;
        log_(error);
        co_return nullptr;
    }

    asio::any_io_executor executor_;
    log log_;
    asio::steady_timer wake_;
    asio::steady_timer ended_;
    bool running_ = false;
    bool stopping_ = false;
    bool wanted_ = true;
    connection idle_;
    std::list<waiter*> waiters_;
};

/// (L) Counts its sessions where its own code goes on, which is a little later than they open and close.
template <class Session>
class counted_sessions
{
public:
    explicit counted_sessions(log log_error) : log_(std::move(log_error)) {}

    int open() const noexcept { return open_; }

    template <class Body>
    asio::awaitable<void> with_session(Body body)
    {
        Session session;
        co_await with_deadline([&] { return session.open(); }, open_timeout);
        ++open_;
        std::exception_ptr error;
        try {
            co_await body(session);
        } catch (...) {
            error = std::current_exception();
        }
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        const std::exception_ptr close_error = co_await close(session);
        --open_;
        raise(error, close_error, log_);
    }

private:
    log log_;
    int open_ = 0;
};

/// (P) One connection that carries the requests of all at once. One that somebody had an error on is not lent
/// to newcomers, and is closed by the last who leaves it.
template <class Connection>
class multiplexed
{
public:
    multiplexed(asio::any_io_executor executor, log log_error)
        : lock_(std::move(executor)), log_(std::move(log_error))
    {}

    template <class Body>
    asio::awaitable<void> with_channel(Body body)
    {
        const auto line = co_await join();
        std::exception_ptr error;
        try {
            co_await body(line->connection);
        } catch (...) {
            error = std::current_exception();
        }
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        if (error && current_ == line)
            current_ = nullptr;
        if (--line->users == 0 && current_ != line)
            if (const std::exception_ptr close_error = co_await close(line->connection))
                log_(close_error);
        if (error)
            std::rethrow_exception(error);
    }

    asio::awaitable<void> shut_down()
    {
        if (const auto last = std::exchange(current_, nullptr))
            if (const std::exception_ptr error = co_await close(last->connection))
                log_(error);
    }

private:
    struct line
    {
        Connection connection;
        int users = 0;
    };

    asio::awaitable<std::shared_ptr<line>> join()
    {
        co_await lock_.lock();
        std::exception_ptr error;
        try {
            if (!current_) {
                const auto made = std::make_shared<line>();
                co_await with_deadline([&] { return made->connection.open(); }, open_timeout);
                current_ = made;
            }
        } catch (...) {
            error = std::current_exception();
        }
        const auto joined = current_;
        if (!error)
            ++joined->users;
        lock_.unlock();
        if (error)
            std::rethrow_exception(error);
        co_return joined;
    }

    async_lock lock_;
    log log_;
    std::shared_ptr<line> current_;
};

} // namespace correct
