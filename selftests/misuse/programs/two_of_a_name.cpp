// SPDX-License-Identifier: MIT
// A program that registers two managers under one name, a contract for a manager that it does not have, and
// an invariant under a name of mishap's own: it must refuse to run.

#include <mishap/environment.hpp>
#include <mishap/invariant.hpp>
#include <mishap/manager.hpp>

namespace first {
MISHAP_MANAGER(session, mishap::environment& env) { co_await env.body()(); }
} // namespace first

namespace second {
MISHAP_MANAGER(session, mishap::environment& env) { co_await env.body()(); }
} // namespace second

MISHAP_INVARIANT(
    closes_once, "what mishap itself says", const mishap::evidence&, std::vector<mishap::violation>&)
{}

MISHAP_CONTRACT(sesion){.work = {.uses = {"query"}}};
