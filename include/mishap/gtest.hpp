#pragma once
/// mishap's GoogleMock matchers. Link `mishap::gtest`.

#include <mishap/explore.hpp>
#include <mishap/run.hpp>

#include <gmock/gmock.h>

#include <ostream>
#include <string>

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

} // namespace mishap
