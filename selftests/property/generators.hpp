// SPDX-License-Identifier: MIT
#pragma once
/// What properties are drawn from, beside the plans of random campaigns: plans with one of everything in any
/// combination, as a person could write them.

#include <mishap/plan.hpp>

#include <rapidcheck.h>

#include <string>

namespace selftest {

/// Letters, digits and _, at least one.
rc::Gen<std::string> words();

/// Any operation that has a name, with and without the body.
rc::Gen<mishap::operation_id> operations();

rc::Gen<mishap::fault> faults();

/// No operation twice.
rc::Gen<mishap::fault_plan> written_plans();

} // namespace selftest
