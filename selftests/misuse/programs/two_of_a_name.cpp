// A program that registers two managers under one name, and a contract for a manager that it does not have:
// it must refuse to run.

#include <mishap/environment.hpp>
#include <mishap/manager.hpp>

namespace first {
MISHAP_MANAGER(session, mishap::environment& env) { co_await env.body()(); }
} // namespace first

namespace second {
MISHAP_MANAGER(session, mishap::environment& env) { co_await env.body()(); }
} // namespace second

MISHAP_CONTRACT(sesion){.uses = {"query"}};
