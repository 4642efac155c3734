// SPDX-License-Identifier: MIT
// Adapters and managers that test nothing, misuse mishap or end the program: none of them may pass.

#include <mishap/environment.hpp>
#include <mishap/manager.hpp>
#include <mishap/resource.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstdlib>
#include <exception>
#include <functional>
#include <stdexcept>

#include <unistd.h>

namespace asio = boost::asio;

namespace {

using mishap::awaitable;
using mishap::client;
using mishap::environment;

/// A right manager of one client; `more` is done after the body.
awaitable<void> with_session(mishap::scripted_body work, std::function<void()> more = {})
{
    mishap::mock_resource session;
    co_await session.create();
    std::exception_ptr error;
    try {
        co_await work(session);
    } catch (...) {
        error = std::current_exception();
    }
    if (more)
        more();
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await session.close();
    } catch (...) {
        if (!error)
            throw;
    }
    if (error)
        std::rethrow_exception(error);
}

awaitable<void> serve(client& one) { co_await with_session(one.body()); }

const mishap::contract of_two{
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::acquire}},
    .capacity = {.resources = 2, .clients = 2}};
const mishap::contract of_one{.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

const bool registered = [] {
    const auto add = [](std::string name, const mishap::contract& promises, mishap::adapter run) {
        mishap::register_manager({std::move(name), std::move(run), promises});
    };
    add("right", of_two, [](environment& env) -> awaitable<void> { co_await env.clients(serve); });
    add("throws_first", of_two, [](environment&) -> awaitable<void> {
        throw std::runtime_error("cannot set the pool up");
        co_return;
    });
    add("throws_an_int", of_two, [](environment&) -> awaitable<void> {
        throw 42;
        co_return;
    });
    add("warms_up", of_two, [](environment& env) -> awaitable<void> {
        // Gives up where it cannot, which is no fault of its own.
        mishap::mock_resource warm("warm");
        co_await warm.create();
        co_await warm.close();
        co_await env.clients(serve);
    });
    add("throws_after", of_two, [](environment& env) -> awaitable<void> {
        co_await env.clients(serve);
        throw std::runtime_error("cannot shut the pool down");
    });
    add("throws_for_others", of_two, [](environment& env) -> awaitable<void> {
        // Gives up for what its client was told already.
        bool any_failed = false;
        co_await env.clients([&](client& one) -> awaitable<void> {
            try {
                co_await serve(one);
            } catch (...) {
                any_failed = true;
                throw;
            }
        });
        if (any_failed)
            throw std::runtime_error("cannot shut the pool down");
    });
    add("throws_for_an_order", of_two, [](environment& env) -> awaitable<void> {
        // Cannot stand that a later client is done first.
        int last = -1;
        bool any_overtook = false;
        co_await env.clients([&](client& one) -> awaitable<void> {
            co_await serve(one);
            any_overtook = any_overtook || one.index() < last;
            last = one.index();
        });
        if (any_overtook)
            throw std::runtime_error("cannot shut the pool down");
    });
    add("throws_what_nobody_was_told", of_two, [](environment& env) -> awaitable<void> {
        // The one that cannot be closed is told of at the end.
        std::exception_ptr kept;
        co_await env.clients([&](client& one) -> awaitable<void> {
            mishap::mock_resource session;
            co_await session.create();
            std::exception_ptr error;
            try {
                co_await one.body()(session);
            } catch (...) {
                error = std::current_exception();
            }
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
            try {
                co_await session.close();
            } catch (...) {
                kept = std::current_exception();
            }
            if (error)
                std::rethrow_exception(error);
        });
        if (kept)
            throw std::runtime_error("could not close everything");
    });
    add("serves_nobody", of_two, [](environment&) -> awaitable<void> { co_return; });
    add("works_for_nobody", of_two,
        [](environment& env) -> awaitable<void> { co_await with_session(env.body()); });
    add("serves_twice", of_two, [](environment& env) -> awaitable<void> {
        co_await env.clients(serve);
        co_await env.clients(serve);
    });
    add("serves_twice_unheard", of_two, [](environment& env) -> awaitable<void> {
        co_await env.clients(serve);
        try {
            co_await env.clients(serve);
        } catch (const std::exception&) {
        }
    });
    add("enters_no_body", of_two, [](environment& env) -> awaitable<void> {
        co_await env.clients([](client&) -> awaitable<void> {
            mishap::mock_resource session;
            co_await session.create();
            co_await session.close();
        });
    });
    add("forgets_its_body", of_one, [](environment& env) -> awaitable<void> {
        [[maybe_unused]] const auto work = env.body();
        mishap::mock_resource session;
        co_await session.create();
        co_await session.close();
    });
    add("forgets_own_work", of_one, [](environment& env) -> awaitable<void> {
        [[maybe_unused]] const auto work =
            env.body([](mishap::mock_resource& lent) { return lent.use("use"); });
        mishap::mock_resource session;
        co_await session.create();
        co_await session.close();
    });
    add("has_no_body", of_one, [](environment&) -> awaitable<void> {
        mishap::mock_resource session;
        co_await session.create();
        co_await session.close();
    });
    add("reads_size_unheard", of_one, [](environment& env) -> awaitable<void> {
        try {
            (void)env.setting("size", 3);
        } catch (const std::exception&) {
        }
        co_await with_session(env.body());
    });
    add("counts_what_is_unknown", of_one, [](environment& env) -> awaitable<void> {
        try {
            const auto counter = env.statistics("opne", [] { return 0l; });
        } catch (const std::exception&) {
        }
        co_await with_session(env.body());
    });
    add("fails_with_size", of_one, [](environment& env) -> awaitable<void> {
        // Asks for its setting late, and only where all went well before.
        mishap::mock_resource session;
        co_await session.create();
        (void)env.setting("size", 3);
        co_await env.body()(session);
        co_await session.close();
    });
    for (const auto& [name, end] : std::initializer_list<std::pair<const char*, void (*)()>>{
             {"exits", [] { std::exit(0); }},
             {"exits_quickly", [] { std::quick_exit(0); }},
             {"exits_at_once", [] { std::_Exit(0); }},
             {"exits_with_seven", [] { ::_exit(7); }},
         })
        add(name, of_one,
            [end](environment& env) -> awaitable<void> { co_await with_session(env.body(), end); });
    return true;
}();

} // namespace
