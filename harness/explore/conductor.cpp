// SPDX-License-Identifier: MIT
#include "conductor.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>

namespace mishap::detail {

namespace {

constexpr std::array stopping{SIGINT, SIGTERM, SIGHUP};
std::array<struct sigaction, stopping.size()> before;
std::atomic<int> stopped = 0;

void on_stop(int number)
{
    if (stopped.exchange(number) == 0)
        return;
    // Whoever asks twice does not want to wait.
    ::signal(number, SIG_DFL);
    ::raise(number);
}

} // namespace

conductor*& conducted() noexcept
{
    static conductor* current = nullptr;
    return current;
}

int stopped_by() noexcept { return stopped; }

stopping_signals::stopping_signals()
{
    struct sigaction ours = {};
    ours.sa_handler = &on_stop;
    for (std::size_t i = 0; i < stopping.size(); ++i) {
        sigaction(stopping[i], nullptr, &before[i]);
        if (before[i].sa_handler == SIG_DFL)
            sigaction(stopping[i], &ours, nullptr);
    }
}

stopping_signals::~stopping_signals()
{
    for (std::size_t i = 0; i < stopping.size(); ++i)
        sigaction(stopping[i], &before[i], nullptr);
}

duration real_now() noexcept { return std::chrono::steady_clock::now().time_since_epoch(); }

} // namespace mishap::detail
