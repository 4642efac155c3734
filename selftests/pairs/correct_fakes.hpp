// SPDX-License-Identifier: MIT
#pragma once
/// The mocks, and how the tests of correct managers judge.

#include "mutants/blame.hpp"

#include <mishap/environment.hpp>
#include <mishap/gtest.hpp>
#include <mishap/resource.hpp>
#include <mishap/run.hpp>

namespace correct {

class fake_session
{
    mishap::resource resource_{"session"};

public:
    mishap::awaitable<void> open() { return resource_.create(); }
    mishap::awaitable<void> ping() { return resource_.maintain("ping"); }
    mishap::awaitable<void> begin() { return resource_.begin(); }
    mishap::awaitable<void> commit() { return resource_.commit(); }
    mishap::awaitable<void> rollback() { return resource_.rollback(); }
    mishap::awaitable<void> close() { return resource_.close(); }
    void force_close() noexcept { resource_.force_close(); }
    bool usable() const noexcept { return resource_.usable(); }
    operator mishap::resource&() { return resource_; }
};

inline auto log_to(mishap::environment& env)
{
    return [&env](std::exception_ptr error) { env.report(error); };
}

/// Holds everything under every plan of two default perturbations and under some thousand drawn ones.
inline void expect_holds(const mishap::manager& under_test, std::uint64_t cases = 4000)
{
#ifdef __SANITIZE_ADDRESS__ // looks for errors that the smaller campaigns reach as well
    EXPECT_TRUE(mutants::holds(under_test, 1));
    EXPECT_TRUE(mutants::holds_at_random(under_test, cases / 20));
#else
    EXPECT_TRUE(mutants::holds(under_test, 2));
    EXPECT_TRUE(mutants::holds_at_random(under_test, cases));
#endif
}

inline mishap::run_result run(const mishap::manager& under_test, const char* plan)
{
    return mishap::run(under_test, mishap::parse_plan(plan));
}

} // namespace correct
