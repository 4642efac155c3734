// SPDX-License-Identifier: MIT
#pragma once
// A right manager and a wrong one.

#include <mishap/mishap.hpp>

struct fake_session : mishap::resource
{
    fake_session() : resource("session") {}
};

inline mishap::awaitable<void> with_session(fake_session& session, mishap::scripted_body work)
{
    co_await session.create();
    std::exception_ptr error;
    try {
        co_await work(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    try {
        co_await session.close();
    } catch (...) {
        if (!error)
            throw;
    }
    if (error)
        std::rethrow_exception(error);
}

inline mishap::awaitable<void> right(mishap::environment& env)
{
    fake_session session;
    co_await with_session(session, env.body());
}

inline mishap::awaitable<void> leaks(mishap::environment& env)
{
    fake_session session;
    co_await session.create();
    auto work = env.body();
    co_await work(session);
    co_await session.close();
}

inline mishap::sweep_options options(std::string name)
{
    mishap::sweep_options wanted;
    wanted.name = std::move(name);
    wanted.contract = mishap::contract{.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};
    return wanted;
}
