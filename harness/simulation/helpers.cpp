// SPDX-License-Identifier: MIT
#include "helpers.hpp"

#include "seam_real.hpp"

#include "network/kernel.hpp"

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include <algorithm>

namespace mishap::detail {

struct helper_threads::helper
{
    enum class state : std::uint8_t
    {
        ready,
        running,
        waiting,
        finished,
        lost, ///< it waits for something unknown to the simulation
    };

    helper_threads* owner = nullptr;
    pthread_t thread{};
    void* (*body)(void*) = nullptr;
    void* argument = nullptr;
    state now = state::ready;
    reason why = reason::nothing;
    const void* key = nullptr;
    duration until = duration::max();
    bool woken = false;
    std::uint64_t turn = 0; ///< since when it could run, so that they go in that order
    sem_t go{};
    sem_t back{};
};

namespace {

constinit thread_local void* self = nullptr;

/// Real time that a thread may take between two calls that the simulation knows of.
constexpr int patience_seconds = 10;

void wait_for(sem_t& semaphore) noexcept
{
    while (::sem_wait(&semaphore) != 0) {
    }
}

} // namespace

bool helper_threads::is_helper() noexcept { return self != nullptr; }

helper_threads::helper_threads(seam& where) noexcept : here_(&where) {}

helper_threads::~helper_threads()
{
    forget_ended();
    // Somebody may still run on what is left; what it uses stays.
    for (auto& one : all_)
        static_cast<void>(one.release());
}

void* helper_threads::main_of(void* started) noexcept
{
    auto& me = *static_cast<helper*>(started);
    self = started;
    wait_for(me.go);
    active_seam() = me.owner->here_;
    void* const result = me.body(me.argument);
    active_seam() = nullptr;
    self = nullptr;
    me.now = helper::state::finished;
    ::sem_post(&me.back);
    return result;
}

int helper_threads::start(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) noexcept
{
    static const auto next =
        real<int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) noexcept>("pthread_create");
    auto made = std::make_unique<helper>();
    made->owner = this;
    made->body = body;
    made->argument = argument;
    made->turn = next_turn_++;
    ::sem_init(&made->go, 0, 0);
    ::sem_init(&made->back, 0, 0);
    const int error = next(thread, attributes, &main_of, made.get());
    if (error != 0)
        return error;
    made->thread = *thread;
    all_.push_back(std::move(made));
    return 0;
}

bool helper_threads::can_run(const helper& one) const noexcept
{
    if (one.now == helper::state::ready)
        return true;
    if (one.now != helper::state::waiting)
        return false;
    if (one.woken || one.until <= here_->now)
        return true;
    switch (one.why) {
    case reason::reactor: {
        const int epoll = *static_cast<const int*>(one.key);
        const reactor* const known = here_->of_epoll(epoll);
        const bool due = known && (known->interrupted || known->due ||
                                      (known->expiry >= duration(0) && known->expiry <= here_->now));
        return due || (here_->network && here_->network->has_events(epoll));
    }
    case reason::thread:
        return has_ended(*static_cast<const pthread_t*>(one.key));
    default:
        return false;
    }
}

void helper_threads::grant(helper& one) noexcept
{
    one.now = helper::state::running;
    ::sem_post(&one.go);
    timespec limit{};
    // In real time, which is not asked for unless something is wrong: nobody waits that long.
    static const auto clock = real<int (*)(clockid_t, timespec*) noexcept>("clock_gettime");
    clock(CLOCK_REALTIME, &limit);
    limit.tv_sec += patience_seconds;
    int error = 0;
    while ((error = ::sem_timedwait(&one.back, &limit)) != 0 && errno == EINTR) {
    }
    if (error != 0) {
        one.now = helper::state::lost;
        if (here_->observer)
            here_->observer->leaves("a thread waits for something that the simulation does not know");
    }
}

bool helper_threads::run() noexcept
{
    if (all_.empty())
        return false;
    bool any = false;
    for (;;) {
        helper* next = nullptr;
        for (const auto& one : all_)
            if (can_run(*one) && (!next || one->turn < next->turn))
                next = one.get();
        if (!next)
            break;
        any = true;
        grant(*next);
        next->turn = next_turn_++;
        if (main_woken_)
            break;
    }
    return any;
}

duration helper_threads::next_deadline() const noexcept
{
    duration next = duration::max();
    for (const auto& one : all_) {
        if (one->now != helper::state::waiting)
            continue;
        next = std::min(next, one->until);
        if (one->why == reason::reactor)
            if (const reactor* known = here_->of_epoll(*static_cast<const int*>(one->key));
                known && known->expiry >= duration(0))
                next = std::min(next, known->expiry);
    }
    return next;
}

bool helper_threads::wait(reason why, const void* key, duration until) noexcept
{
    if (self) {
        auto& me = *static_cast<helper*>(self);
        me.why = why;
        me.key = key;
        me.until = until;
        me.woken = false;
        me.now = helper::state::waiting;
        ::sem_post(&me.back);
        wait_for(me.go);
        const bool woken = me.woken || me.until > here_->now;
        me.until = duration::max();
        me.why = reason::nothing;
        return woken;
    }
    main_waits_ = why;
    main_key_ = key;
    main_woken_ = false;
    const auto ended = [&] {
        return main_woken_ || (why == reason::thread && has_ended(*static_cast<const pthread_t*>(key)));
    };
    bool woken = ended();
    while (!woken && run())
        woken = ended();
    main_waits_ = reason::nothing;
    main_woken_ = false;
    return woken;
}

void helper_threads::signal(reason why, const void* key, bool all) noexcept
{
    if (main_waits_ == why && main_key_ == key) {
        main_woken_ = true;
        if (!all)
            return;
    }
    // Those who wait longest come first.
    helper* first = nullptr;
    for (const auto& one : all_) {
        if (one->now != helper::state::waiting || one->woken || one->why != why || one->key != key)
            continue;
        if (all) {
            one->woken = true;
            one->turn = next_turn_++;
        } else if (!first || one->turn < first->turn) {
            first = one.get();
        }
    }
    if (first) {
        first->woken = true;
        first->turn = next_turn_++;
    }
}

bool helper_threads::has_ended(pthread_t which) const noexcept
{
    for (auto one = all_.rbegin(); one != all_.rend(); ++one)
        if (::pthread_equal((*one)->thread, which))
            return (*one)->now == helper::state::finished;
    return false;
}

void helper_threads::forget_ended() noexcept
{
    std::erase_if(all_, [](const auto& one) {
        if (one->now != helper::state::finished)
            return false;
        ::sem_destroy(&one->go);
        ::sem_destroy(&one->back);
        return true;
    });
}

bool helper_threads::knows(pthread_t which) const noexcept
{
    return std::any_of(
        all_.begin(), all_.end(), [&](const auto& one) { return ::pthread_equal(one->thread, which) != 0; });
}

bool helper_threads::any_busy() const noexcept
{
    return std::any_of(all_.begin(), all_.end(), [](const auto& one) {
        return one->now == helper::state::ready || one->now == helper::state::lost ||
               (one->now == helper::state::waiting &&
                   (one->why == reason::nothing || one->why == reason::thread ||
                       one->why == reason::network || one->until != duration::max()));
    });
}

} // namespace mishap::detail
