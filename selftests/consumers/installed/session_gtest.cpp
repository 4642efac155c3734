// SPDX-License-Identifier: MIT
// The same manager in a plain GoogleTest program, with work of the user's own instead of the scripted one.
#include "fake_session.hpp"
#include "with_session.hpp"

#include <mishap/environment.hpp>
#include <mishap/gtest.hpp>

#include <gtest/gtest.h>

namespace {

mishap::awaitable<void> work(fake_session& session)
{
    const int answer = co_await session.query();
    EXPECT_EQ(answer, 42);
}

mishap::awaitable<void> right(mishap::environment& env)
{
    fake_session session;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await app::with_session(session, env.body(&work), log);
}

mishap::awaitable<void> wrong(mishap::environment& env)
{
    fake_session session;
    co_await app::with_session_wrong(session, env.body(&work));
}

const mishap::contract promises{.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

} // namespace

TEST(session, holds)
{
    const mishap::manager adapter("session", &right, promises);
    EXPECT_THAT(mishap::sweep(adapter, {.perturbations = 2}), mishap::Holds());
}

TEST(session, wrong_one_does_not)
{
    const mishap::manager adapter("session_wrong", &wrong, promises);
    EXPECT_THAT(mishap::sweep(adapter, {.perturbations = 2}), mishap::Violates("preserves_error"));
}
