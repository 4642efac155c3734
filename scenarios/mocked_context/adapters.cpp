// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include <mishap/gmock.hpp>
#include <mishap/mishap.hpp>

#include <gmock/gmock.h>

#include <functional>
#include <string>

namespace {

struct mock_session : mishap::mock_resource
{
    mock_session() : mock_resource("session") {}
    MOCK_METHOD(mishap::awaitable<std::string>, run, (std::string));
};

struct mock_manager
{
    MOCK_METHOD(mishap::awaitable<std::reference_wrapper<mock_session>>, enter, ());
    MOCK_METHOD(mishap::awaitable<bool>, exit, (std::exception_ptr));
};

/// A context must be movable, which mocks are not.
struct entered_by_mock
{
    mock_manager* mock;

    auto enter() { return mock->enter(); }
    auto exit(std::exception_ptr error) { return mock->exit(error); }
};

/// Lets `use` run with a mocked manager, whose exit is expected once if it was entered.
template <class Use>
mishap::awaitable<void> with_mocked_manager(Use use)
{
    testing::NiceMock<mock_session> session;
    testing::NiceMock<mock_manager> manager;
    int entered = 0;
    int left = 0;
    EXPECT_CALL(session, run("query"))
        .Times(testing::AtMost(1))
        .WillOnce(mishap::Scripted(session, "run", std::string("data")));
    ON_CALL(manager, enter).WillByDefault([&]() -> mishap::awaitable<std::reference_wrapper<mock_session>> {
        co_await session.create();
        ++entered;
        co_return std::ref(session);
    });
    ON_CALL(manager, exit).WillByDefault([&](std::exception_ptr) -> mishap::awaitable<bool> {
        ++left;
        co_await session.close();
        co_return false;
    });
    std::exception_ptr error;
    try {
        EXPECT_EQ(co_await use(entered_by_mock{&manager}), "data");
    } catch (...) {
        error = std::current_exception();
    }
    EXPECT_EQ(left, entered) << "what was entered must be left";
    if (error)
        std::rethrow_exception(error);
}

} // namespace

MISHAP_CONTRACT(mocked_context){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::other}}};

MISHAP_MANAGER(mocked_context, mishap::environment& env)
{
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    const auto use = [&](entered_by_mock sessions) { return catalogue::run_query(sessions, log); };
    co_await with_mocked_manager(use);
}

MISHAP_CONTRACT(mocked_context_by_hand){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::other}}};

MISHAP_MANAGER(mocked_context_by_hand, mishap::environment&)
{
    const auto use = [](entered_by_mock sessions) { return catalogue::run_query_by_hand(sessions); };
    co_await with_mocked_manager(use);
}
