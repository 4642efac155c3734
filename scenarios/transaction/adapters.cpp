#include "managers.hpp"

#include <mishap/mishap.hpp>

// The document gives nothing a time-out, so none is promised here.

MISHAP_CONTRACT(transaction_as_written){
    .unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::other}};

MISHAP_MANAGER(transaction_as_written, mishap::environment& env)
{
    mishap::mock_resource session("session");
    co_await catalogue::transaction_as_written(session, env.body());
}

MISHAP_CONTRACT(transaction){
    .unbounded = {mishap::phase::create, mishap::phase::close, mishap::phase::other},
    .reports_cleanup_errors = true,
};

MISHAP_MANAGER(transaction, mishap::environment& env)
{
    mishap::mock_resource session("session");
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await catalogue::transaction(session, env.body(), log);
}
