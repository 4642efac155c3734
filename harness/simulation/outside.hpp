// SPDX-License-Identifier: MIT
#pragma once

#include "handlers.hpp"
#include "recorder.hpp"
#include "seam.hpp"

#include <cstdint>
#include <limits>

namespace mishap::detail {

class world;

/// What leaves the simulation: threads, real descriptors, calls that block.
class outside final : public seam_observer
{
public:
    outside(world& where, recorder& record, handlers& executors) noexcept
        : world_(where), record_(record), handlers_(executors)
    {}

    /// A run begins.
    void begin() noexcept
    {
        frozen_ = allowed_ = 0;
        last_awaited_ = std::numeric_limits<std::uint64_t>::max();
    }

    void freeze_time(bool frozen) noexcept { frozen_ += frozen ? 1 : -1; }
    bool time_is_frozen() const noexcept { return frozen_ != 0; }
    void allow(bool allowed) noexcept { allowed_ += allowed ? 1 : -1; }
    /// Something lives outside that the test allows.
    bool may_be_awaited() const noexcept { return handlers_.is_shared() && allowed_ > 0; }
    /// Whether it was not yet awaited in this step; from now on it was.
    bool await_once() noexcept
    {
        if (last_awaited_ == record_->steps)
            return false;
        last_awaited_ = record_->steps;
        return true;
    }

    // seam_observer
    void leaves(const char* call) noexcept override;
    void blocks(const char* call) noexcept override;
    void waits(const char* call, pthread_mutex_t* leaves) noexcept override;
    bool may_be_answered() const noexcept override { return allowed_ > 0 || handlers_.is_shared(); }
    void runs_own_context() noexcept override;
    network::kernel* opens_socket() noexcept override;
    helper_threads* starts_thread() noexcept override;
    void breaks_pipe() noexcept override;
    void reaches(const char* what) noexcept override { record_.add_reached(what); }
    void polls(bool timers_are_due) noexcept override { record_.causes.begin_round(timers_are_due); }

private:
    void add(event_kind kind, const char* call) noexcept;

    world& world_;
    recorder& record_;
    handlers& handlers_;
    int frozen_ = 0;
    int allowed_ = 0;
    std::uint64_t last_awaited_ = 0; ///< the step
};

} // namespace mishap::detail
