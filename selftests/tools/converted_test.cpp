// SPDX-License-Identifier: MIT
// Goal: what `mishap-tools convert` writes does what the synchronous class did under every plan that a
// synchronous call can meet, and holds under a sweep with cancellations besides. Method: ten shapes,
// converted when this program is built, three of them from headers of Debian's packages. Below each is a fake
// that blocks, and below its asynchronous form one that waits.

#include "inputs/guards.hpp"

#include "converted/asio_scoped_lock.hpp"
#include "converted/async_both.hpp"
#include "converted/async_derived.hpp"
#include "converted/async_early.hpp"
#include "converted/async_opened.hpp"
#include "converted/async_outside.hpp"
#include "converted/async_owner.hpp"
#include "converted/async_transaction.hpp"
#include "converted/async_with_transaction.hpp"
#include "converted/boost_lock_guard.hpp"
#include "converted/std_lock_guard.hpp"

#include <mishap/equivalent.hpp>
#include <mishap/gtest.hpp>
#include <mishap/mishap.hpp>
#include <mishap/report.hpp>

#include <gtest/gtest.h>

#include <boost/asio/detail/scoped_lock.hpp>
#include <boost/thread/lock_guard.hpp>

#include <functional>
#include <mutex>

namespace {

using mishap::awaitable;
using mishap::environment;
using mishap::role;

/// A destructor's errors reach nobody, so what it calls does not throw.
class blocking_session
{
    mishap::resource resource_{"session"};

    void quietly(role what, mishap::symbol name) noexcept
    {
        boost::system::error_code ignored;
        resource_.now(what, name, ignored);
    }

public:
    void open() { resource_.now(role::create, "create"); }
    int query()
    {
        resource_.now(role::use, "query");
        return 1;
    }
    void begin() { resource_.now(role::begin, "begin"); }
    void commit() { resource_.now(role::commit, "commit"); }
    void rollback() noexcept { quietly(role::rollback, "rollback"); }
    void close() noexcept { quietly(role::close, "close"); }
    void lock() { open(); }
    void unlock() noexcept { close(); }
};

class waiting_session
{
    mishap::resource resource_{"session"};

public:
    awaitable<void> open() { return resource_.create(); }
    awaitable<int> query() { return resource_.use("query", 1); }
    awaitable<void> begin() { return resource_.begin(); }
    awaitable<void> commit() { return resource_.commit(); }
    awaitable<void> rollback() { return resource_.rollback(); }
    awaitable<void> close() { return resource_.close(); }
    awaitable<void> lock() { return open(); }
    awaitable<void> unlock() { return close(); }
};

/// Neither form promises deadlines: what blocks cannot be given up, and what is made of it adds none.
const mishap::contract patient{.time = {.unbounded = {mishap::phase::create, mishap::phase::close,
                                            mishap::phase::body, mishap::phase::other}}};

std::string reports(const mishap::campaign_result& result)
{
    std::string text = mishap::summary(result);
    for (const mishap::counterexample& one : result.counterexamples)
        text += mishap::report(one);
    return text;
}

using log = std::function<void(std::exception_ptr)>;
using waiting_adapter = std::function<awaitable<void>(environment&, log)>;

/// `blocking` and `waiting` do the same; `waiting` is asked to hold with cancellations, too. A destructor's
/// errors reach nobody, so in the comparison those of the asynchronous form go nowhere, either.
void expect_same(const mishap::adapter& blocking, const waiting_adapter& waiting)
{
    mishap::sweep_options synchronous;
    synchronous.kinds = {mishap::fault::fail("io_error"), mishap::fault::delay(std::chrono::seconds(1))};
    const auto silent = [waiting](environment& env) { return waiting(env, [](std::exception_ptr) {}); };
    const auto telling = [waiting](environment& env) {
        return waiting(env, [&env](std::exception_ptr error) { env.report(error); });
    };
    const auto same =
        mishap::equivalent({"blocking", blocking, patient}, {"waiting", silent, patient}, synchronous);
    EXPECT_TRUE(same.holds()) << reports(same);
    EXPECT_GT(same.runs, 3u);
    const auto held = mishap::sweep({"waiting", telling, patient});
    EXPECT_TRUE(held.holds()) << reports(held);
}

TEST(converted, opened)
{
    expect_same(
        [](environment&) -> awaitable<void> {
            blocking_session session;
            guards::opened<blocking_session> guard(session);
            guard.query(2);
            co_return;
        },
        [](environment&, log tell) -> awaitable<void> {
            waiting_session session;
            guards::async_opened<waiting_session> guard(session);
            const auto work = [](auto& lent) -> awaitable<void> { co_await lent.query(2); };
            co_await guards::with_async_opened(guard, work, tell);
        });
}

TEST(converted, transaction)
{
    expect_same(
        [](environment&) -> awaitable<void> {
            blocking_session session;
            guards::opened<blocking_session> outer(session);
            guards::transaction<blocking_session> guard(session);
            guard.query(1);
            guard.commit();
            co_return;
        },
        [](environment&, log tell) -> awaitable<void> {
            waiting_session session;
            guards::async_opened<waiting_session> outer(session);
            guards::async_transaction<waiting_session> guard(session);
            const auto work = [](auto& lent) -> awaitable<void> {
                co_await lent.query(1);
                co_await lent.commit();
            };
            const auto inside = [&](auto&) { return guards::with_async_transaction(guard, work, tell); };
            co_await guards::with_async_opened(outer, inside, tell);
        });
}

TEST(converted, early)
{
    expect_same(
        [](environment&) -> awaitable<void> {
            blocking_session session;
            guards::early<blocking_session> guard(&session);
            guard.query(2);
            co_return;
        },
        [](environment&, log tell) -> awaitable<void> {
            waiting_session session;
            guards::async_early<waiting_session> guard(&session);
            const auto work = [](auto& lent) -> awaitable<void> { co_await lent.query(2); };
            co_await guards::with_async_early(guard, work, tell);
        });
}

TEST(converted, both)
{
    expect_same(
        [](environment&) -> awaitable<void> {
            blocking_session first, second;
            guards::both<blocking_session> guard(first, second);
            guard.query(1);
            co_return;
        },
        [](environment&, log tell) -> awaitable<void> {
            waiting_session first, second;
            guards::async_both<waiting_session> guard(first, second);
            const auto work = [](auto& lent) -> awaitable<void> { co_await lent.query(1); };
            co_await guards::with_async_both(guard, work, tell);
        });
}

TEST(converted, outside)
{
    expect_same(
        [](environment&) -> awaitable<void> {
            blocking_session session;
            guards::outside<blocking_session> guard(session, 2);
            guard.query(2);
            co_return;
        },
        [](environment&, log tell) -> awaitable<void> {
            waiting_session session;
            guards::async_outside<waiting_session> guard(session, 2);
            const auto work = [](auto& lent) -> awaitable<void> { co_await lent.query(2); };
            co_await guards::with_async_outside(guard, work, tell, 2);
        });
}

TEST(converted, derived)
{
    expect_same(
        [](environment&) -> awaitable<void> {
            blocking_session session;
            guards::derived<blocking_session> guard(session, 2);
            (void)guard.query(1);
            co_return;
        },
        [](environment&, log tell) -> awaitable<void> {
            waiting_session session;
            guards::async_derived<waiting_session> guard(session, 2);
            const auto work = [](auto& lent) -> awaitable<void> { (void)co_await lent.query(1); };
            co_await guards::with_async_derived(guard, work, tell);
        });
}

TEST(converted, owner)
{
    expect_same(
        [](environment&) -> awaitable<void> {
            guards::owner<blocking_session> guard(std::make_unique<blocking_session>());
            guard.query(2);
            co_return;
        },
        [](environment&, log tell) -> awaitable<void> {
            guards::async_owner<waiting_session> guard(std::make_unique<waiting_session>());
            const auto work = [](auto& lent) -> awaitable<void> { co_await lent.query(2); };
            co_await guards::with_async_owner(guard, work, tell);
        });
}

/// Guards of the standard library and of Boost, over a session that is locked and unlocked.
template <class Guard, class AsyncGuard, class With>
void expect_same_lock(With with)
{
    expect_same(
        [](environment&) -> awaitable<void> {
            blocking_session session;
            Guard guard(session);
            session.query();
            co_return;
        },
        [with](environment&, log tell) -> awaitable<void> {
            waiting_session session;
            AsyncGuard guard(session);
            const auto work = [&session](auto&) -> awaitable<void> { co_await session.query(); };
            co_await with(guard, work, tell);
        });
}

TEST(converted, lock_guard_of_the_standard_library)
{
    using converted_guard = converted_std::async_lock_guard<waiting_session>;
    expect_same_lock<std::lock_guard<blocking_session>, converted_guard>(
        [](auto& guard, auto work, log tell) {
            return converted_std::with_async_lock_guard(guard, work, tell);
        });
}

TEST(converted, lock_guard_of_boost)
{
    using converted_guard = converted_boost::async_lock_guard<waiting_session>;
    expect_same_lock<boost::lock_guard<blocking_session>, converted_guard>(
        [](auto& guard, auto work, log tell) {
            return converted_boost::with_async_lock_guard(guard, work, tell);
        });
}

TEST(converted, scoped_lock_of_asio)
{
    using converted_guard = converted_asio::async_scoped_lock<waiting_session>;
    expect_same_lock<boost::asio::detail::scoped_lock<blocking_session>, converted_guard>(
        [](auto& guard, auto work, log tell) {
            return converted_asio::with_async_scoped_lock(guard, work, tell);
        });
}

TEST(converted, function_that_lends)
{
    expect_same(
        [](environment&) -> awaitable<void> {
            blocking_session session;
            guards::opened<blocking_session> outer(session);
            guards::with_transaction(session, [](blocking_session& lent) { lent.query(); });
            co_return;
        },
        [](environment&, log tell) -> awaitable<void> {
            waiting_session session;
            guards::async_opened<waiting_session> outer(session);
            const auto work = [](waiting_session& lent) -> awaitable<void> { co_await lent.query(); };
            const auto inside = [&](auto&) { return guards::async_with_transaction(session, work); };
            co_await guards::with_async_opened(outer, inside, tell);
        });
}

} // namespace
