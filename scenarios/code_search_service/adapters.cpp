// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include "shared/database.hpp"

#include <mishap/mishap.hpp>

#include <gtest/gtest.h>

#include <optional>

using namespace std::chrono_literals;

namespace {

using searched_session = catalogue::database::session;

/// Marks what is done in a session as the client's body.
class marked_sessions : public catalogue::session_manager_interface<searched_session>
{
public:
    marked_sessions(session_manager_interface& to, mishap::environment& env) : to_(to), env_(env) {}

    mishap::awaitable<void> with_session(work body) override
    {
        return to_.with_session(env_.body(std::move(body)));
    }

private:
    session_manager_interface& to_;
    mishap::environment& env_;
};

/// One search, whose result is the client's end.
template <class Service>
mishap::awaitable<void> search_once(
    catalogue::session_manager_interface<searched_session>& sessions, mishap::environment& env)
{
    marked_sessions marked(sessions, env);
    Service service(marked);
    std::optional<catalogue::service_result<catalogue::code_entities>> result;
    std::exception_ptr thrown;
    try {
        result = co_await service.search("SELECT 'main.cpp'");
    } catch (...) {
        thrown = std::current_exception();
    }
    EXPECT_FALSE(thrown) << "search() threw where it owes a result";
    if (thrown)
        std::rethrow_exception(thrown);
    mishap::throw_error_of(*result);
    EXPECT_EQ(result->data().size(), 1u);
}

} // namespace

// The document bounds nothing.

MISHAP_CONTRACT(code_search_service_as_written){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(code_search_service_as_written, mishap::environment& env)
{
    catalogue::database database(env);
    catalogue::session_manager_as_written sessions(&database, "mydb");
    co_await database.examined(
        search_once<catalogue::code_search_service_as_written<searched_session>>(sessions, env));
}

MISHAP_CONTRACT(code_search_service){
    .time = {.create = 30s, .close = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(code_search_service, mishap::environment& env)
{
    catalogue::database database(env);
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    catalogue::session_manager sessions(&database, "mydb", 30s, log);
    co_await database.examined(search_once<catalogue::code_search_service<searched_session>>(sessions, env));
}
