// SPDX-License-Identifier: MIT
#include "outside.hpp"

#include "connections.hpp"
#include "helpers.hpp"
#include "world.hpp"

#include "refuge.hpp"
#include "running.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace mishap::detail {

void outside::add(event_kind kind, const char* call) noexcept
{
    if (record_.is_on() && !handlers_.is_tearing_down())
        record_.add_outside(kind, call);
}

void outside::leaves(const char* call) noexcept
{
    handlers_.share_with_threads();
    if (allowed_ == 0)
        add(event_kind::left, call);
}

void outside::blocks(const char* call) noexcept { add(event_kind::blocked, call); }

void outside::waits(const char* call, pthread_mutex_t* leaves) noexcept
{
    if (handlers_.is_shared() || handlers_.is_tearing_down())
        return; // what was started outside can wake this thread
    if (record_.is_on()) {
        blocks(call);
        if (leaves)
            pthread_mutex_unlock(leaves); // as the wait would
        leave_run();
    }
    std::fprintf(stderr,
        "mishap: the code under test blocks the thread in %s, and in a simulation nobody else could wake it. "
        "Wait with co_await instead, or keep this part out of the adapter. This repeats the run:\n  %s\n",
        call, describe_running().c_str());
    std::fflush(stderr);
    std::abort();
}

void outside::runs_own_context() noexcept
{
    add(event_kind::blocked, "run() on the io_context of the simulation itself");
    handlers_.context().stop();
}

network::kernel* outside::opens_socket() noexcept
{
    if (allowed_ > 0 || !record_.is_on())
        return nullptr;
    connections& all = world_.connected();
    all.use();
    all.kernel().serve_peer(record_.running == peer_lane);
    return &all.kernel();
}

helper_threads* outside::starts_thread() noexcept { return allowed_ > 0 ? nullptr : &world_.helpers(); }

void outside::breaks_pipe() noexcept
{
    add(event_kind::left, "SIGPIPE would end the program: ignore it, or send with MSG_NOSIGNAL");
}

bool virtual_time_is_linked()
{
    static const bool linked = [] {
        seam trial;
        const simulating now_virtual(trial);
        trial.now = std::chrono::hours(1);
        using std::chrono::duration_cast;
        const auto steady = std::chrono::steady_clock::now().time_since_epoch();
        const auto system = std::chrono::system_clock::now().time_since_epoch();
        if (duration_cast<duration>(steady) != steady_epoch + trial.now ||
            duration_cast<duration>(system) != system_epoch + trial.now)
            return false;
        // One stock timer must be armed in memory and fire there.
        boost::asio::io_context io(1);
        boost::asio::steady_timer timer(io, std::chrono::minutes(1));
        bool fired = false;
        timer.async_wait([&](boost::system::error_code error) { fired = !error; });
        io.poll();
        if (fired || trial.reactors.empty())
            return false;
        reactor& armed = trial.reactors.front();
        if (armed.expiry != trial.now + std::chrono::minutes(1))
            return false;
        trial.now = armed.expiry;
        armed.due = true;
        io.poll();
        return fired;
    }();
    return linked;
}

} // namespace mishap::detail
