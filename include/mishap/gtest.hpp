// SPDX-License-Identifier: MIT
#pragma once
/// mishap's GoogleMock matchers. Link `mishap::gtest`.

#include <mishap/explore.hpp>
#include <mishap/run.hpp>

#include <gmock/gmock.h>

#include <functional>
#include <ostream>
#include <string>
#include <string_view>

namespace mishap {

/// For GoogleTest's messages: what was run, in a line.
void PrintTo(const run_result&, std::ostream*);
void PrintTo(const campaign_result&, std::ostream*);

namespace detail {

class holds_matcher
{
public:
    bool MatchAndExplain(const run_result&, testing::MatchResultListener*) const;
    bool MatchAndExplain(const campaign_result&, testing::MatchResultListener*) const;
    void DescribeTo(std::ostream* out) const { *out << "holds every invariant"; }
    void DescribeNegationTo(std::ostream* out) const { *out << "breaks an invariant"; }
};

class violates_matcher
{
public:
    explicit violates_matcher(std::string invariant) : invariant_(std::move(invariant)) {}
    bool MatchAndExplain(const run_result&, testing::MatchResultListener*) const;
    bool MatchAndExplain(const campaign_result&, testing::MatchResultListener*) const;
    void DescribeTo(std::ostream* out) const { *out << "breaks " << invariant_; }
    void DescribeNegationTo(std::ostream* out) const { *out << "does not break " << invariant_; }

private:
    std::string invariant_;
};

/// A matcher over what happened in one run: its explanation ends with the timeline.
class happened_matcher
{
public:
    /// `check` says what happened instead, or nothing where it matches.
    happened_matcher(
        std::string positive, std::string negative, std::function<std::string(const run_result&)> check)
        : positive_(std::move(positive)), negative_(std::move(negative)), check_(std::move(check))
    {}
    bool MatchAndExplain(const run_result&, testing::MatchResultListener*) const;
    void DescribeTo(std::ostream* out) const { *out << positive_; }
    void DescribeNegationTo(std::ostream* out) const { *out << negative_; }

private:
    std::string positive_;
    std::string negative_;
    std::function<std::string(const run_result&)> check_;
};

/// Gives campaigns without a name that of the running test, and fails a test program that was asked for a
/// replay which none of its campaigns took. Done once, by including this header.
bool join_googletest();
inline const bool joined_googletest = join_googletest();

} // namespace detail

/// Matches a `run_result` or `campaign_result` in which no invariant broke, and which tested something. Its
/// explanation is the report of each violation, with the line that replays it.
inline auto Holds() { return testing::MakePolymorphicMatcher(detail::holds_matcher()); }

/// Matches a result in which that invariant broke.
inline auto Violates(std::string invariant)
{
    return testing::MakePolymorphicMatcher(detail::violates_matcher(std::move(invariant)));
}

/// Matches a run in which resources of that kind were opened and each of them was closed exactly once, by a
/// close, a force_close, or, where the contract says so, by its destruction.
testing::PolymorphicMatcher<detail::happened_matcher> ClosedOnce(std::string kind);

/// Matches a run in which the first operation had ended before the second one started; both are written as in
/// scenario files: `Before("session.query#2", "session.close")`.
///
/// Errors: throws `input_error` for what is no operation.
testing::PolymorphicMatcher<detail::happened_matcher> Before(std::string_view first, std::string_view second);

/// Matches a run in which that client ended with that error: one that was injected, by identity, or one that
/// the manager made and that the registered error recognises.
///
/// Errors: throws `input_error` for an error that is not registered, naming the nearest match.
testing::PolymorphicMatcher<detail::happened_matcher> Throws(std::string_view error, int client = 0);

/// Matches a run in which that client ended without an error.
testing::PolymorphicMatcher<detail::happened_matcher> Returns(int client = 0);

} // namespace mishap
