// SPDX-License-Identifier: MIT
#pragma once
/// For properties of the user's own: `RC_GTEST_PROP(session, holds, (const mishap::fault_plan& plan))`. That
/// macro comes from `rapidcheck/gtest.h`, which needs `gtest/gtest.h` before it.

#include <mishap/plan.hpp>

#include <rapidcheck/Gen.h>
#include <rapidcheck/Show.h>
#include <rapidcheck/gen/Arbitrary.h>

#include <ostream>
#include <vector>

namespace mishap {

/// Draws plans for random campaigns: which kinds of fault may fire and how likely each is (two-tier swarm),
/// how many at most, and the seed from which each operation's fate follows.
///
/// An empty list allows every kind. Shrinking lowers the number of faults.
rc::Gen<fault_plan> arbitrary_plan(std::vector<fault_kind> kinds = {});

/// For RapidCheck's report.
void showValue(const fault_plan& plan, std::ostream& out);

} // namespace mishap

template <>
struct rc::Arbitrary<mishap::fault_plan>
{
    static rc::Gen<mishap::fault_plan> arbitrary() { return mishap::arbitrary_plan(); }
};
