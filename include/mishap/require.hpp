// SPDX-License-Identifier: MIT
#pragma once

namespace mishap {

/// What `MISHAP_REQUIRE` throws to leave a coroutine. Deliberately no `std::exception`, so that code under
/// test which handles errors does not handle this one.
struct requirement_failed
{};

namespace detail {

/// Records the failure in the run under way, then throws `requirement_failed`.
///
/// Errors: throws `std::logic_error` when no run is under way on this thread.
[[noreturn]] void fail_requirement(const char* condition, const char* file, int line);

} // namespace detail
} // namespace mishap

/// Checks a condition without which the rest of an adapter, body or mock makes no sense: an `ASSERT_TRUE` for
/// coroutines, where GoogleTest's own cannot stand.
///
/// ```
/// auto session = co_await driver.connect();
/// MISHAP_REQUIRE(session != nullptr);
/// ```
///
/// Where it does not hold, the run breaks `expectation`, and `mishap::requirement_failed` leaves the
/// coroutine. Of that client nothing else is reported: what it left undone is consequence. Restrictions: only
/// inside a run. It cannot stop what catches everything and goes on.
#define MISHAP_REQUIRE(...)                                                                                  \
    (static_cast<bool>(__VA_ARGS__) ? void()                                                                 \
                                    : ::mishap::detail::fail_requirement(#__VA_ARGS__, __FILE__, __LINE__))
