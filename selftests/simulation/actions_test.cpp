// SPDX-License-Identifier: MIT
// Goal: each action puts a mocked method under the plan, whatever its style of delivery.
// Method: one mock with a method of each style, run once with and once without a fault.

#include "simulate.hpp"

#include <mishap/error.hpp>
#include <mishap/gmock.hpp>
#include <mishap/plan.hpp>

#include <boost/system/system_error.hpp>

#include <functional>
#include <memory>
#include <string>

namespace {

using boost::system::error_code;
using mishap::Closes;
using mishap::Creates;
using mishap::Scripted;
using testing::_;
using testing::NiceMock;

/// What a pool makes: a fake that holds its resource.
struct fake_connection
{
    mishap::resource entry{"connection"};
    operator mishap::resource&() { return entry; }
};

using connection = std::unique_ptr<fake_connection>;

struct mock_driver
{
    MOCK_METHOD(mishap::awaitable<int>, query, (std::string));
    MOCK_METHOD(mishap::awaitable<void>, open, ());
    MOCK_METHOD(mishap::awaitable<void>, close, ());
    MOCK_METHOD(mishap::awaitable<connection>, connect, ());

    MOCK_METHOD(void, async_query, (std::string, std::function<void(error_code, int)>));
    MOCK_METHOD(void, async_ping, (std::function<void(error_code)>));
    MOCK_METHOD(void, async_reset, (std::function<void(std::exception_ptr)>));
    MOCK_METHOD(void, async_connect, (std::function<void(error_code, connection)>));

    MOCK_METHOD(int, query_now, (std::string));
    MOCK_METHOD(void, close_now, ());
    MOCK_METHOD(connection, connect_now, ());
};

/// What came of one call: its value, or the name of the error that it threw.
template <class Call>
mishap::awaitable<std::string> result_of(Call call)
{
    try {
        co_return co_await call();
    } catch (...) {
        co_return mishap::describe(std::current_exception());
    }
}

using call = std::function<mishap::awaitable<std::string>(mock_driver&)>;

/// Makes the call inside a run and gives what came of it.
std::string call_under(
    std::string_view plan, std::function<void(mock_driver&, mishap::resource&)> expect, call make)
{
    std::string came;
    const auto run = simulate(
        [&](mishap::resource& session) -> asio::awaitable<void> {
            NiceMock<mock_driver> driver;
            expect(driver, session);
            came = co_await result_of([&] { return make(driver); });
        },
        mishap::parse_plan(plan));
    EXPECT_FALSE(run.violates("expectation")) << why(run);
    for (const auto& p : mishap::parse_plan(plan).perturbations)
        EXPECT_NE(run.fired.find(p.at), nullptr) << "the fault never fired: " << plan;
    return came;
}

/// The connection that a create may still owe a close is none of what these tests ask.
std::string give_up(connection made)
{
    if (!made)
        return "nothing";
    made->entry.force_close();
    return "a connection";
}

TEST(scripted, gives_its_value_through_an_awaitable)
{
    const auto expect = [](mock_driver& driver, mishap::resource& session) {
        EXPECT_CALL(driver, query("select")).WillOnce(Scripted(session, "query", 42));
    };
    const call make = [](mock_driver& driver) -> mishap::awaitable<std::string> {
        const int answer = co_await driver.query("select");
        co_return std::to_string(answer);
    };
    EXPECT_EQ(call_under("", expect, make), "42");
    EXPECT_EQ(call_under("session.query=delay(1s)", expect, make), "42");
    EXPECT_EQ(call_under("session.query=fail(io_error)", expect, make), "io_error");
    EXPECT_EQ(call_under("session.query=fail(foreign)", expect, make), "foreign");
}

TEST(scripted, gives_its_value_to_a_completion_handler)
{
    const auto expect = [](mock_driver& driver, mishap::resource& session) {
        EXPECT_CALL(driver, async_query(_, _)).WillRepeatedly(Scripted(session, "query", 42));
    };
    const call make = [](mock_driver& driver) -> mishap::awaitable<std::string> {
        const auto [error, answer] = co_await mishap::from_callback<error_code, int>(
            [&](auto handler) { driver.async_query("select", handler); });
        if (error)
            throw boost::system::system_error(error);
        co_return std::to_string(answer);
    };
    EXPECT_EQ(call_under("", expect, make), "42");
    EXPECT_EQ(call_under("session.query=fail(connection_reset)", expect, make), "connection_reset");
    EXPECT_EQ(call_under("session.query=fail(foreign)", expect, make), "foreign");
}

TEST(scripted, calls_handlers_of_either_kind_of_error)
{
    const auto expect = [](mock_driver& driver, mishap::resource& session) {
        EXPECT_CALL(driver, async_ping).WillOnce(Scripted(session, mishap::role::maintenance, "ping"));
        EXPECT_CALL(driver, async_reset).WillOnce(Scripted(session, "reset"));
    };
    const call make = [](mock_driver& driver) -> mishap::awaitable<std::string> {
        const auto [code] =
            co_await mishap::from_callback<error_code>([&](auto handler) { driver.async_ping(handler); });
        const auto [thrown] = co_await mishap::from_callback<std::exception_ptr>(
            [&](auto handler) { driver.async_reset(handler); });
        co_return code.message() + ", " + mishap::describe(thrown);
    };
    EXPECT_EQ(call_under("session.ping=fail(foreign) session.reset=fail(value_error)", expect, make),
        "foreign, value_error");
}

TEST(scripted, gives_its_value_at_once)
{
    const auto expect = [](mock_driver& driver, mishap::resource& session) {
        EXPECT_CALL(driver, query_now).WillRepeatedly(Scripted(session, "query", 42));
    };
    const call make = [](mock_driver& driver) -> mishap::awaitable<std::string> {
        co_return std::to_string(driver.query_now("select"));
    };
    EXPECT_EQ(call_under("", expect, make), "42");
    EXPECT_EQ(call_under("session.query=fail(timed_out)", expect, make), "timed_out");
}

TEST(creates, and_closes_a_resource_that_is_there)
{
    const auto run_with = [](std::string_view plan) {
        return mishap::run(mishap::manager([](mishap::environment&) -> mishap::awaitable<void> {
            mishap::resource session("session");
            NiceMock<mock_driver> driver;
            EXPECT_CALL(driver, open).WillOnce(Creates(session));
            EXPECT_CALL(driver, close).Times(testing::AtMost(1)).WillRepeatedly(Closes(session));
            co_await driver.open();
            co_await driver.close();
        }),
            mishap::parse_plan(plan));
    };
    EXPECT_THAT(run_with(""), testing::AllOf(mishap::Holds(), mishap::ClosedOnce("session")));
    EXPECT_THAT(run_with("session.create=fail(io_error)"),
        testing::AllOf(mishap::Holds(), mishap::Throws("io_error")));
    EXPECT_THAT(run_with("session.close=fail(io_error)"),
        testing::AllOf(mishap::Holds(), mishap::Throws("io_error")));
}

TEST(closes, at_once_too)
{
    EXPECT_HOLDS(mishap::run(mishap::manager([](mishap::environment&) -> mishap::awaitable<void> {
        mishap::resource session("session");
        NiceMock<mock_driver> driver;
        EXPECT_CALL(driver, close_now).WillOnce(Closes(session));
        co_await session.create();
        driver.close_now();
    }),
        {}));
}

TEST(creates, what_a_factory_makes)
{
    const auto expect = [](mock_driver& driver, mishap::resource&) {
        const auto make = [] { return std::make_unique<fake_connection>(); };
        ON_CALL(driver, connect).WillByDefault(Creates(make));
        ON_CALL(driver, async_connect).WillByDefault(Creates(make));
        ON_CALL(driver, connect_now).WillByDefault(Creates(make));
    };
    const call awaited = [](mock_driver& driver) -> mishap::awaitable<std::string> {
        auto first = co_await driver.connect();
        auto second = co_await driver.connect(); // anew for each call
        const bool same = first == second;
        co_return give_up(std::move(first)) + (same ? ", again" : ", another: ") + give_up(std::move(second));
    };
    const call handled = [](mock_driver& driver) -> mishap::awaitable<std::string> {
        auto [error, made] = co_await mishap::from_callback<error_code, connection>(
            [&](auto handler) { driver.async_connect(handler); });
        co_return error ? error.message() + ", " + give_up(std::move(made)) : give_up(std::move(made));
    };
    const call at_once = [](mock_driver& driver) -> mishap::awaitable<std::string> {
        co_return give_up(driver.connect_now());
    };
    EXPECT_EQ(call_under("", expect, awaited), "a connection, another: a connection");
    EXPECT_EQ(call_under("connection.create=fail(io_error)", expect, awaited), "io_error");
    EXPECT_EQ(call_under("", expect, handled), "a connection");
    EXPECT_EQ(call_under("connection.create=fail(foreign)", expect, handled), "foreign, nothing");
    EXPECT_EQ(call_under("", expect, at_once), "a connection");
    EXPECT_EQ(call_under("connection.create=fail(io_error)", expect, at_once), "io_error");
}

TEST(mocked_awaitables, without_an_action_are_complete_at_once)
{
    const auto expect = [](mock_driver&, mishap::resource&) {};
    EXPECT_EQ(call_under("", expect,
                  [](mock_driver& driver) -> mishap::awaitable<std::string> {
                      co_await driver.open();
                      co_return std::to_string(co_await driver.query("select"));
                  }),
        "0");
}

} // namespace
