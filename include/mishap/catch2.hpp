// SPDX-License-Identifier: MIT
#pragma once
/// mishap's matchers for Catch2, version 2 or 3. Link `mishap::mishap` and Catch2.
///
/// ```
/// using mishap::catch2::Holds;
/// TEST_CASE("a session is closed whatever happens") { CHECK_THAT(mishap::sweep(adapter), Holds()); }
/// ```

#include <mishap/report.hpp>

#if __has_include(<catch2/matchers/catch_matchers_templated.hpp>)
#include <catch2/matchers/catch_matchers_templated.hpp>
#elif __has_include(<catch2/catch.hpp>)
#include <catch2/catch.hpp>
#else
#error "mishap/catch2.hpp needs Catch2: install it, or compare results with mishap::holds"
#endif

#include <string>
#include <utility>

namespace mishap::catch2 {

#if __has_include(<catch2/matchers/catch_matchers_templated.hpp>)
using matcher_base = Catch::Matchers::MatcherGenericBase;
#else
/// Version 2 asks a matcher for `match` and `toString` only.
struct matcher_base
{
    virtual ~matcher_base() = default;
    virtual std::string describe() const = 0;
    std::string toString() const { return describe(); }
};
#endif

/// Matches a `run_result` or `campaign_result` in which no invariant broke. Catch2 prints the report beside
/// it.
struct holds_matcher final : matcher_base
{
    template <class Result>
    bool match(const Result& result) const
    {
        return result.holds();
    }
    std::string describe() const override { return "holds every invariant"; }
};

/// Matches a result in which that invariant broke.
class violates_matcher final : public matcher_base
{
public:
    explicit violates_matcher(std::string invariant) : invariant_(std::move(invariant)) {}

    template <class Result>
    bool match(const Result& result) const
    {
        return result.violates(invariant_);
    }
    std::string describe() const override { return "breaks " + invariant_; }

private:
    std::string invariant_;
};

inline holds_matcher Holds() { return {}; }
inline violates_matcher Violates(std::string invariant) { return violates_matcher(std::move(invariant)); }

} // namespace mishap::catch2
