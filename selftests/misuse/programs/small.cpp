// SPDX-License-Identifier: MIT
// A user's own program, with the scenario files of the folder "scenarios" below wherever it is started.

#include <mishap/environment.hpp>
#include <mishap/manager.hpp>
#include <mishap/resource.hpp>
#include <mishap/scenario.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>

using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

const mishap::detail::scenario_folder folder("scenarios");

mishap::awaitable<void> with_session(mishap::environment& env)
{
    mishap::mock_resource session;
    co_await session.create();
    std::exception_ptr error;
    try {
        co_await env.body()(session);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
        co_await session.close();
    } catch (...) {
        if (!error)
            throw;
        env.report(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

} // namespace

MISHAP_CONTRACT(session){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(session, mishap::environment& env) { co_await with_session(env); }

MISHAP_CONTRACT(contradicting){.time = {.close = 5s, .unbounded = {mishap::phase::close}}};

MISHAP_MANAGER(contradicting, mishap::environment& env) { co_await with_session(env); }

MISHAP_CONTRACT(with_setting){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(with_setting, mishap::environment& env)
{
    [[maybe_unused]] const auto timeout = env.setting("timeout", std::chrono::nanoseconds(5s));
    co_await with_session(env);
}
