// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/resource.hpp>

/// Stands for the driver's session.
class fake_session
{
public:
    mishap::awaitable<void> open() { return resource_.create(); }
    mishap::awaitable<int> query() { return resource_.use("query", 42); }
    mishap::awaitable<void> close() { return resource_.close(); }
    operator mishap::resource&() { return resource_; }

private:
    mishap::resource resource_{"session"};
};
