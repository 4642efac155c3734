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

} // namespace

// The document gives nothing a time-out, so none is promised here.

MISHAP_CONTRACT(transaction_as_written){
    .unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::other}};

MISHAP_MANAGER(transaction_as_written, mishap::environment& env)
{
    database on(env);
    database::session session(on);
    co_await on.examined(catalogue::transaction_as_written(session, env.body(&insert)));
}

MISHAP_CONTRACT(transaction){
    .create_timeout = 30s,
    .other_timeout = 30s,
    .close_timeout = 30s,
    .reports_cleanup_errors = true,
};

MISHAP_MANAGER(transaction, mishap::environment& env)
{
    database on(env);
    database::session session(on);
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await on.examined(catalogue::transaction(session, env.body(&insert), 30s, log));
}
