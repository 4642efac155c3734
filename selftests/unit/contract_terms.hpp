// SPDX-License-Identifier: MIT
#pragma once
// What the tests of the contract's terms share.

#include "support/under_test.hpp"

namespace selftest {

inline contract with(const contract& base, auto change)
{
    contract changed = base;
    change(changed);
    return changed;
}

/// Lends and closes what is open; a failed close is told, unless something failed before.
inline awaitable<void> lend_and_close(environment& env, mock_resource& resource)
{
    co_await with_cleanup([&] { return env.body()(resource); }, [&] { return resource.close(); });
}

} // namespace selftest
