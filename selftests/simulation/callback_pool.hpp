// SPDX-License-Identifier: MIT
#pragma once
// A connection pool in the style of callbacks, which makes its connections itself. Plain Asio; nothing here
// knows of mishap. With `ForgetsSlot` it has a bug: a connection that does not open keeps its slot for ever.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace selftest {

namespace asio = boost::asio;

/// `Connection` is made from an executor, and has `async_open(handler)` and `async_close(handler)`, with
/// handlers of `void(error_code)`.
template <class Connection, bool ForgetsSlot = false>
class callback_pool : public std::enable_shared_from_this<callback_pool<Connection, ForgetsSlot>>
{
public:
    using handler = std::function<void(boost::system::error_code, std::shared_ptr<Connection>)>;

    callback_pool(asio::any_io_executor executor, std::size_t size_max)
        : executor_(std::move(executor)), size_max_(size_max)
    {}

    /// Calls the handler once, with a connection, or with `timed_out`, or with what opening one said.
    void get(asio::steady_timer::duration timeout, handler done)
    {
        auto waiting = std::make_shared<waiter>(executor_, std::move(done));
        waiting->timer.expires_after(timeout);
        waiting->timer.async_wait(
            [self = this->shared_from_this(), waiting](boost::system::error_code error) {
                if (!error)
                    self->finish(*waiting, asio::error::make_error_code(asio::error::timed_out), nullptr);
            });
        line_.push_back(waiting);
        serve();
    }

    /// Takes one back. A broken one is closed, and makes room for another.
    void give_back(std::shared_ptr<Connection> back, bool broken)
    {
        if (!broken) {
            idle_.push_back(std::move(back));
            serve();
            return;
        }
        close(std::move(back), [self = this->shared_from_this()] { self->serve(); });
    }

    /// Closes what is idle; calls the handler when that is done.
    void shut_down(std::function<void()> done)
    {
        if (idle_.empty())
            return asio::post(executor_, std::move(done));
        auto last = std::move(idle_.back());
        idle_.pop_back();
        close(std::move(last), [self = this->shared_from_this(), done] { self->shut_down(done); });
    }

private:
    struct waiter
    {
        waiter(const asio::any_io_executor& executor, handler h) : timer(executor), done(std::move(h)) {}
        asio::steady_timer timer;
        handler done;
    };

    void serve()
    {
        while (!line_.empty() && (!idle_.empty() || size_ < size_max_)) {
            auto next = line_.front();
            line_.pop_front();
            if (!next->done)
                continue;
            if (!idle_.empty()) {
                auto ready = std::move(idle_.front());
                idle_.pop_front();
                finish(*next, {}, std::move(ready));
            } else {
                open(next);
            }
        }
    }

    void open(std::shared_ptr<waiter> next)
    {
        ++size_;
        auto made = std::make_shared<Connection>(executor_);
        made->async_open([self = this->shared_from_this(), made, next](boost::system::error_code error) {
            if (error) {
                if constexpr (!ForgetsSlot)
                    --self->size_;
                self->finish(*next, error, nullptr);
            } else if (next->done) {
                return self->finish(*next, {}, made);
            } else {
                self->idle_.push_back(made); // whoever wanted it has gone
            }
            self->serve();
        });
    }

    void finish(waiter& one, boost::system::error_code error, std::shared_ptr<Connection> with)
    {
        if (!one.done)
            return;
        one.timer.cancel();
        asio::post(executor_, [done = std::exchange(one.done, nullptr), error, with] { done(error, with); });
    }

    void close(std::shared_ptr<Connection> last, std::function<void()> done)
    {
        last->async_close([self = this->shared_from_this(), last, done](boost::system::error_code) {
            --self->size_;
            done();
        });
    }

    const asio::any_io_executor executor_;
    const std::size_t size_max_;
    std::size_t size_ = 0;
    std::deque<std::shared_ptr<Connection>> idle_;
    std::deque<std::shared_ptr<waiter>> line_;
};

} // namespace selftest
