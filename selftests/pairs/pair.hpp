// SPDX-License-Identifier: MIT
#pragma once
/// The table of pairs: for each invariant a manager that it must blame, and a twin that it must not.
///
/// To add a row, write one `registration` in a file of this folder; nothing else needs to know of it.

#include <mishap/environment.hpp>
#include <mishap/explore.hpp>
#include <mishap/manager.hpp>
#include <mishap/resource.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pairs {

namespace asio = boost::asio;
using namespace std::chrono_literals;

using mishap::awaitable;
using mishap::client;
using mishap::contract;
using mishap::environment;
using mishap::mock_resource;
using mishap::phase;

/// One row: two managers that share their code but for a bool.
struct pair
{
    std::string_view invariant;
    /// What the wrong one does, as a name: `forgets_its_session_when_the_body_fails`.
    std::string_view wrong;
    /// What the twin does.
    std::string_view twin;
    contract promises;
    /// Runs the manager once; the last argument asks for the wrong one.
    awaitable<void> (*run)(environment&, bool wrong);
    /// What the sweep of both chooses from; empty means the default kinds.
    std::vector<mishap::fault> kinds = {};
    mishap::limits limits = {};
    /// Explores in place of a sweep, for rules about more than one run.
    mishap::campaign_result (*explore)(const mishap::manager&, const mishap::sweep_options&) = nullptr;
};

/// Adds a row, in a static initialiser.
struct registration
{
    explicit registration(pair row);
};

/// All rows, in no particular order.
const std::vector<pair>& registered();

/// Promises nothing about time, so that what hangs is nobody's fault.
inline const contract patient{.time = {.unbounded = {phase::create, phase::close}}};

/// Promises nothing about time, to so many clients.
inline contract patient_with(std::uint32_t clients)
{
    return {.time = {.unbounded = {phase::acquire, phase::create, phase::close}},
        .capacity = {.clients = clients}};
}

/// From here on the coroutine is not cancelled: `co_await shield();`
inline auto shield() { return asio::this_coro::reset_cancellation_state(asio::disable_cancellation()); }

/// Acquires, runs the work, then the clean-up, shielded; an error of the clean-up is thrown if it is the only
/// one, and reported otherwise. `clean_up(failed)` is told whether the work failed.
///
/// Nothing lies between the acquiring and the `try`: whoever is cancelled there throws at the next
/// `co_await`.
template <class Acquire, class Work, class CleanUp>
awaitable<void> hold(environment& env, Acquire acquire, Work work, CleanUp clean_up)
{
    co_await acquire();
    std::exception_ptr error;
    try {
        co_await work();
    } catch (...) {
        error = std::current_exception();
    }
    co_await shield();
    std::exception_ptr late;
    try {
        co_await clean_up(error != nullptr);
    } catch (...) {
        late = std::current_exception();
    }
    if (error && late)
        env.report(late);
    if (error || late)
        std::rethrow_exception(error ? error : late);
}

/// Likewise for a session that is created without a deadline.
template <class Work, class CleanUp>
awaitable<void> hold(environment& env, mock_resource& session, Work work, CleanUp clean_up)
{
    return hold(
        env, [&session] { return session.create(); }, std::move(work), std::move(clean_up));
}

} // namespace pairs
