// SPDX-License-Identifier: MIT
#include "fake_session.hpp"
#include "with_session.hpp"

#include <mishap/environment.hpp>

MISHAP_CONTRACT(session){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(session, mishap::environment& env)
{
    fake_session session;
    const auto log = [&env](std::exception_ptr error) { env.report(error); };
    co_await app::with_session(session, env.body(), log);
}

MISHAP_CONTRACT(session_wrong){.time = {.unbounded = {mishap::phase::create, mishap::phase::close}}};

MISHAP_MANAGER(session_wrong, mishap::environment& env)
{
    fake_session session;
    co_await app::with_session_wrong(session, env.body());
}
