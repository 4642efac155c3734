// SPDX-License-Identifier: MIT
#pragma once
/// What doctest compares results with, since it has no matchers. Link `mishap::mishap` and doctest.
///
/// ```
/// using mishap::doctest::Holds;
/// TEST_CASE("a session is closed whatever happens") { CHECK(mishap::sweep(adapter) == Holds()); }
/// ```

#include <mishap/report.hpp>

#if __has_include(<doctest/doctest.h>)
#include <doctest/doctest.h>
#elif __has_include(<doctest.h>)
#include <doctest.h>
#else
#error "mishap/doctest.hpp needs doctest: install it, or compare results with mishap::holds"
#endif

#include <ostream>
#include <string>
#include <utility>

namespace mishap::doctest {

/// Equals a `run_result` or `campaign_result` in which no invariant broke. doctest prints the report beside
/// it.
inline holds_t Holds() { return holds; }

/// Equals a result in which that invariant broke.
class Violates
{
public:
    explicit Violates(std::string invariant) : invariant_(std::move(invariant)) {}

    friend bool operator==(const run_result& result, const Violates& wanted) noexcept
    {
        return result.violates(wanted.invariant_);
    }
    friend bool operator==(const campaign_result& result, const Violates& wanted) noexcept
    {
        return result.violates(wanted.invariant_);
    }
    friend std::ostream& operator<<(std::ostream& out, const Violates& wanted)
    {
        return out << "breaks " << wanted.invariant_;
    }

private:
    std::string invariant_;
};

} // namespace mishap::doctest
