// SPDX-License-Identifier: MIT
#pragma once
/// What the catalogue's adapters hand to managers that take a factory.

#include <mishap/environment.hpp>
#include <mishap/resource.hpp>

namespace catalogue {

/// Makes an open mock resource, as a production factory would connect a session.
inline mishap::awaitable<mishap::mock_resource> create_mock()
{
    mishap::mock_resource created;
    co_await created.create();
    co_return created;
}

} // namespace catalogue
