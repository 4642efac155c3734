// SPDX-License-Identifier: MIT
#include <mishap/mishap.hpp>

MISHAP_MANAGER(session, mishap::environment& env) { co_await env.body()(); }
