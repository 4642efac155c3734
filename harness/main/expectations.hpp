// SPDX-License-Identifier: MIT
#pragma once

namespace mishap::detail {

/// Catches GoogleTest's failures inside runs from now on.
void watch_expectations();

/// Fails the running test for each expectation that failed in a run of it whose verdict nobody asked for it.
/// Called at the end of each test.
void tell_unseen_expectations();

} // namespace mishap::detail
