// SPDX-License-Identifier: MIT
// Goal: the README's fake, with an operation in each style, works as shown there.

#include "styles.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <gtest/gtest.h>

TEST(styles, of_one_operation_obey_the_same_plan)
{
    const auto asks_in_each_style = [](mishap::environment&) -> mishap::awaitable<void> {
        fake_session session;
        EXPECT_EQ(co_await session.query(), 42);
        EXPECT_EQ(co_await session.async_query(boost::asio::use_awaitable), 42);
        EXPECT_EQ(session.query_now(), 42);
        const boost::system::result<int> refused = co_await session.try_query();
        EXPECT_TRUE(refused.has_error());
        mishap::throw_error_of(refused);
    };
    const mishap::run_result run =
        mishap::run(asks_in_each_style, mishap::parse_plan("session.query#4=fail(io_error)"));
    EXPECT_EQ(mishap::describe(run.trace.outcomes[0].error), "io_error");
}
