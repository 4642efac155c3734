// SPDX-License-Identifier: MIT
// Goal: a pool that takes callbacks and makes its own connections is run, faulted and judged as any other.
// Method: such a pool, right and with one bug; the connection is the template argument, and finds the run by
// `environment::current()`.

#include "callback_pool.hpp"
#include "simulate.hpp"

#include <mishap/explore.hpp>

#include <tuple>

namespace {

using boost::system::error_code;

/// The pool makes these from an executor; the ledger entry finds the run by itself.
class fake_connection
{
    mishap::resource resource_{"connection"};

public:
    explicit fake_connection(const asio::any_io_executor& executor)
    {
        // Code that makes its own connections may ask for the run, too.
        EXPECT_EQ(executor, mishap::environment::current().executor());
    }
    template <class Handler>
    void async_open(Handler handler)
    {
        resource_.async<void(error_code)>(mishap::role::create, "create", std::move(handler));
    }
    template <class Handler>
    void async_close(Handler handler)
    {
        resource_.async<void(error_code)>(mishap::role::close, "close", std::move(handler));
    }
    operator mishap::resource&() { return resource_; }
};

template <bool ForgetsSlot>
mishap::manager pool_under_test()
{
    return {"callback_pool",
        [](mishap::environment& env) -> mishap::awaitable<void> {
            using pool = selftest::callback_pool<fake_connection, ForgetsSlot>;
            const auto under_test = std::make_shared<pool>(env.executor(), 1);
            co_await env.clients([&](mishap::client& client) -> mishap::awaitable<void> {
                const auto start = [&](auto handler) { under_test->get(30s, std::move(handler)); };
                const auto [error, lent] =
                    co_await mishap::from_callback<error_code, std::shared_ptr<fake_connection>>(start);
                if (error)
                    throw boost::system::system_error(error);
                bool broken = true;
                std::exception_ptr thrown;
                try {
                    co_await client.body(*lent);
                    broken = false;
                } catch (...) {
                    thrown = std::current_exception();
                }
                under_test->give_back(lent, broken);
                if (thrown)
                    std::rethrow_exception(thrown);
            });
            const auto stop = [&](auto handler) { under_test->shut_down(std::move(handler)); };
            co_await mishap::from_callback<>(stop);
        },
        {.time = {.acquire = 30s, .unbounded = {mishap::phase::create, mishap::phase::close}},
            .capacity = {.resources = 1}}};
}

mishap::sweep_options two_faults() { return {.perturbations = 2}; }

TEST(callback_pool, holds_when_it_is_right)
{
    const auto result = mishap::sweep(pool_under_test<false>(), two_faults());
    EXPECT_TRUE(result.holds()) << (result.counterexamples.empty()
                                        ? result.invalid
                                        : mishap::report(result.counterexamples[0]));
    EXPECT_TRUE(result.complete) << result.covered;
    EXPECT_GT(result.runs, 100u);
}

TEST(callback_pool, that_forgets_a_slot_is_blamed)
{
    const auto result = mishap::sweep(pool_under_test<true>(), two_faults());
    EXPECT_TRUE(result.violates("recovers") || result.violates("completes")) << mishap::summary(result);
}

} // namespace
