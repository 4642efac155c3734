// SPDX-License-Identifier: MIT
// A manager that is declared as an awaitable instead of as a context: the catalogue's wrong_type.

#include "context_type/managers.hpp"

#include <mishap/mishap.hpp>

mishap::awaitable<void> adapter(mishap::environment& env)
{
    co_await mishap::with(catalogue::wrong_type(mishap::mock_resource()), env.body());
}
