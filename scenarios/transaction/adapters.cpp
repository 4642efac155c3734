// SPDX-License-Identifier: MIT
#include "as_written.hpp"
#include "transaction.hpp"

#include "shared/database.hpp"

#include <mishap/mishap.hpp>

using namespace std::chrono_literals;

namespace {

using catalogue::database;

mishap::awaitable<void> insert(database::session& session)
{
    co_await session.query("INSERT INTO work VALUES ('done')");
}

/// Hands a session that is not open yet to what manages it. It is gone when the database is looked at.
template <class Manage>
mishap::awaitable<void> with_new_session(database& on, Manage manage)
{
    database::session session(on);
    co_await manage(session);
}

} // namespace

// The document gives nothing a timeout, so none is promised here.

MISHAP_CONTRACT(transaction_as_written){
    .time = {.unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::other}}};

MISHAP_MANAGER(transaction_as_written, mishap::environment& env)
{
    database on(env);
    const auto manage = [&](database::session& session) {
        return catalogue::transaction_as_written(session, env.body(&insert));
    };
    co_await on.examined(with_new_session(on, manage));
}

MISHAP_CONTRACT(transaction){
    .time = {.create = 30s, .close = 30s, .other = 30s},
    .errors = {.reports_cleanup = true},
};

MISHAP_MANAGER(transaction, mishap::environment& env)
{
    database on(env);
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    const auto manage = [&](database::session& session) {
        return catalogue::transaction(session, env.body(&insert), 30s, log);
    };
    co_await on.examined(with_new_session(on, manage));
}
