// SPDX-License-Identifier: MIT
#include "managers.hpp"

#include "shared/database.hpp"

#include <mishap/mishap.hpp>
#include <mishap/require.hpp>

#include <optional>
#include <string>

using namespace std::chrono_literals;

namespace {

using catalogue::database;

struct driver
{
    database& on;
    int fetch_size = 0;

    mishap::awaitable<catalogue::database::session> session(catalogue::session_options options)
    {
        fetch_size = options.fetch_size;
        return on.connect(options.database);
    }
};

/// The work: it finds the fetch size that its caller, or the default, asked for.
auto match_in(mishap::environment& env, const driver& under)
{
    return env.body([&env, &under](database::session& session) -> mishap::awaitable<void> {
        MISHAP_REQUIRE(under.fetch_size == env.setting("fetch_size", 1000));
        co_await session.query("SELECT name FROM sqlite_schema LIMIT 10");
    });
}

std::optional<int> fetch_size_in(mishap::environment& env)
{
    const int asked = env.setting("fetch_size", 0);
    return asked == 0 ? std::nullopt : std::optional(asked);
}

} // namespace

// The document bounds nothing.

MISHAP_CONTRACT(database_session_as_written){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(database_session_as_written, mishap::environment& env)
{
    database on(env);
    driver under{on};
    co_await on.examined(
        catalogue::database_session_as_written(under, "mydb", fetch_size_in(env), match_in(env, under)));
}

MISHAP_CONTRACT(database_session){.time = {.create = 30s, .close = 30s}, .errors = {.reports_cleanup = true}};

MISHAP_MANAGER(database_session, mishap::environment& env)
{
    database on(env);
    driver under{on};
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await on.examined(
        catalogue::database_session(under, "mydb", fetch_size_in(env), match_in(env, under), 30s, log));
}
