// SPDX-License-Identifier: MIT
#pragma once
/// What the catalogue's pools keep in the place of real connections.

#include <mishap/resource.hpp>

namespace catalogue {

class fake_connection
{
    mishap::resource resource_{"connection"};

public:
    mishap::awaitable<void> open() { return resource_.create(); }
    mishap::awaitable<void> reset() { return resource_.maintain("reset"); }
    mishap::awaitable<void> close() { return resource_.close(); }
    operator mishap::resource&() { return resource_; }
};

} // namespace catalogue
