// SPDX-License-Identifier: MIT
#pragma once

#include "recorder.hpp"
#include "seam.hpp"
#include "task.hpp"

#include <mishap/trace.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace mishap::detail {

/// Handlers that are ready to run, and the work that keeps executors from running out of it: what an executor
/// speaks to.
class handlers
{
public:
    /// A handler that is ready.
    struct ready
    {
        task what;
        lane in;
        std::uint64_t queued; ///< the step
        root because;
    };

    handlers(seam& clock, recorder& record) noexcept : clock_(clock), record_(record) {}

    /// A run begins; makes the io_context, if there is none.
    void begin();

    // What Asio has in hand.
    /// Lets Asio run one handler that is ready in its queue; returns whether there was one.
    bool poll_asio();
    /// Whether a handler, timer, descriptor or work guard keeps the io_context from running out of work.
    bool asio_has_work();
    /// From here on in this run, whoever runs the io_context returns when it has nothing to do.
    void let_asio_stop() noexcept
    {
        may_stop_ = true;
        kept_going_.reset();
    }

    // For executors.
    boost::asio::io_context& context() noexcept { return *io_; }
    bool in_handler() const noexcept { return active_seam() == &clock_ && in_handler_; }
    void queue(lane in, task&& what);
    void escaped() noexcept { record_.add_escape(); }
    std::uint32_t begin_work(lane in) noexcept;
    void copy_work(std::uint32_t token) noexcept;
    void end_work(std::uint32_t token) noexcept;
    bool was_abandoned(std::uint32_t token) const noexcept;

    // For the loop.
    bool has_ready() const noexcept { return ready_head_ != ready_.size(); }
    /// How many handlers are ready, oldest first.
    std::size_t count() const noexcept { return ready_.size() - ready_head_; }
    const ready& at(std::size_t which) const noexcept { return ready_[ready_head_ + which]; }
    ready take(std::size_t which = 0);
    /// Takes what a lane has queued, in order.
    void take_all_of(lane in, std::vector<ready>& into);
    bool inbox_is_filled() const noexcept { return inbox_filled_.load(std::memory_order_acquire); }
    void take_inbox();
    /// Runs a handler.
    void run(ready& next);

    // Work.
    bool has_work() const noexcept { return work_count_ != 0; }
    void list_work(std::vector<work_record>& into) const;
    /// What a client has pending is dropped where it comes up; its outcome tells when the last of it is gone.
    void abandon_work_of(lane in);
    bool has_abandoned_work() const noexcept;

    /// Something that the code under test started lives outside the simulation, so other threads may hold
    /// executors.
    void share_with_threads() noexcept
    {
        if (shared_)
            return; // threads that were started before may be reading it
        shared_ = true;
        let_asio_stop();
    }
    bool is_shared() const noexcept { return shared_; }

    /// What is queued from here on is dropped at once.
    void begin_tear_down() noexcept { tearing_down_ = true; }
    bool is_tearing_down() const noexcept { return tearing_down_; }
    /// Destroys the handler that was queued first, unless there is none.
    bool drop_one();
    /// What Asio has pending goes; the io_context stays.
    void drop_pending()
    {
        if (io_)
            io_->drop_pending();
    }
    /// The io_context goes. Threads that the code under test left in its services are joined here.
    void drop_context() noexcept
    {
        kept_going_.reset();
        io_.reset();
    }
    bool has_context() const noexcept { return io_ != nullptr; }
    void end_tear_down() noexcept;

private:
    friend class speaking_as;

    /// Its end comes in two parts, since what it has pending must go before objects that outlive that.
    class two_step_context : public boost::asio::io_context
    {
    public:
        using io_context::io_context;
        void drop_pending() { shutdown(); }
    };

    struct work_token
    {
        std::uint32_t count = 0;
        std::uint32_t next_free = 0;
        std::uint64_t step = 0;
        duration since{0};
        lane in = 0;
        bool abandoned = false; ///< with its client: what it leads to is dropped
    };

    void restart();

    /// Locks only while other threads may be about, since the executor is copied many times in a run.
    std::unique_lock<std::mutex> lock_work() const
    {
        return shared_ ? std::unique_lock(work_mutex_) : std::unique_lock<std::mutex>();
    }

    seam& clock_;
    recorder& record_;
    std::unique_ptr<two_step_context> io_;
    /// An io_context without work stops, and has to be restarted before it runs again: not for each handler.
    std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> kept_going_;
    bool may_stop_ = false;

    // A ring would save nothing, since it empties every few steps.
    std::vector<ready> ready_;
    std::size_t ready_head_ = 0;
    bool in_handler_ = false;
    bool tearing_down_ = false;
    bool shared_ = false;

    // What other threads hand in, where they are allowed.
    std::mutex inbox_mutex_;
    std::vector<ready> inbox_;
    std::atomic<bool> inbox_filled_ = false;

    mutable std::mutex work_mutex_; ///< taken only while other threads may hold executors
    std::vector<work_token> work_;
    std::uint32_t free_work_ = none;
    std::uint32_t work_count_ = 0;
    std::vector<std::uint32_t> abandoned_; ///< by client: how many tokens of one that was abandoned are left
};

/// While it lives, what the simulation does counts as a handler's of that lane, with that root.
class speaking_as
{
public:
    speaking_as(handlers& whose, lane in, root because) noexcept
        : handlers_(whose), was_in_handler_(std::exchange(whose.in_handler_, true)),
          was_running_(std::exchange(whose.record_.running, in)), scope_(whose.record_.causes, because)
    {}
    ~speaking_as()
    {
        handlers_.record_.running = was_running_;
        handlers_.in_handler_ = was_in_handler_;
    }
    speaking_as(const speaking_as&) = delete;
    speaking_as& operator=(const speaking_as&) = delete;

private:
    handlers& handlers_;
    bool was_in_handler_;
    lane was_running_;
    acting_as scope_;
};

} // namespace mishap::detail
