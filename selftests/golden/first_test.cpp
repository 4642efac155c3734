// SPDX-License-Identifier: MIT
#include <mishap/gtest.hpp>
#include <mishap/mishap.hpp>

// Production code. Nothing in it knows of mishap. Can you see the bug?
template <class Session, class Work>
boost::asio::awaitable<void> with_session(Session& session, Work work)
{
    co_await session.open();
    std::exception_ptr error;
    try {
        co_await work(session);
    } catch (...) {
        error = std::current_exception();
    }
    // A cancelled coroutine throws at every co_await: shield the clean-up.
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    co_await session.close();
    if (error)
        std::rethrow_exception(error);
}

// The test: a fake session, one line for each operation, and what to run.
struct fake_session : mishap::resource
{
    fake_session() : resource("session") {}
    mishap::awaitable<void> open() { return create(); }
    mishap::awaitable<int> query() { return use("query", 42); } // close() is inherited
};

TEST(session, survives_any_two_mishaps)
{
    const mishap::contract promises{.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};
    auto run_once = [](mishap::environment& env) -> mishap::awaitable<void> {
        fake_session session;
        auto work = env.body([](fake_session& s) -> mishap::awaitable<void> { co_await s.query(); });
        co_await with_session(session, work);
    };
    EXPECT_THAT(mishap::sweep(run_once, {.contract = promises}), mishap::Holds());
}
