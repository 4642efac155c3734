// SPDX-License-Identifier: MIT
#pragma once
// Stands in for a database session: one line for each operation, which does what the plan says.

#include <mishap/mishap.hpp>

class fake_session
{
    mishap::resource resource_{"session"};

public:
    mishap::awaitable<void> log_in() { return resource_.use("log_in"); }
    mishap::awaitable<void> open() { return resource_.create(); }
    mishap::awaitable<int> query() { return resource_.use("query", 42); }
    mishap::awaitable<void> close() { return resource_.close(); }
    operator mishap::resource&() { return resource_; } // so that mishap finds the resource in what is lent
};
