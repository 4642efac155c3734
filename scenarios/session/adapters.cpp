// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include "shared/database.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

mishap::awaitable<void> select_one(catalogue::database::session& session)
{
    co_await session.query("SELECT 1");
}

} // namespace

// The document bounds nothing.

MISHAP_CONTRACT(session_as_written){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(session_as_written, mishap::environment& env)
{
    catalogue::database database(env);
    co_await database.examined(catalogue::session_as_written(database, "mydb", env.body(&select_one)));
}

MISHAP_CONTRACT(session){.time = {.create = 30s, .close = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(session, mishap::environment& env)
{
    catalogue::database database(env);
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await database.examined(catalogue::session(database, "mydb", env.body(&select_one), 30s, log));
}
