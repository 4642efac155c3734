// SPDX-License-Identifier: MIT
#include "expectations.hpp"

#include "vocabulary/expectations.hpp"

#include <mishap/invariant.hpp>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace mishap::detail {

namespace {

/// Takes the place of GoogleTest's own reporter on this thread while a run is under way.
class catcher final : public testing::ScopedFakeTestPartResultReporter
{
public:
    catcher() : ScopedFakeTestPartResultReporter(INTERCEPT_ONLY_CURRENT_THREAD, nullptr) {}

    // Called under GoogleTest's lock: nothing of GoogleTest's may be called from here.
    void ReportTestPartResult(const testing::TestPartResult& part) override
    {
        if (part.passed())
            return;
        expectation_record failed{.line = part.line_number(), .message = part.summary()};
        if (part.file_name())
            failed.file = part.file_name();
        if (part.skipped())
            failed.message = "a test cannot be skipped from inside a run: skip it before. " + failed.message;
        expectation_failed(std::move(failed));
    }
};

thread_local std::optional<catcher> catching;

class googletest_watch final : public expectation_watch, public testing::EmptyTestEventListener
{
public:
    void begin() override { catching.emplace(); }
    void end() noexcept override { catching.reset(); }

    void broke(const violation& v) override
    {
        const std::scoped_lock lock(mutex_);
        unseen_.push_back(v.sentence);
    }

    void seen(const violation& v) noexcept override
    {
        const std::scoped_lock lock(mutex_);
        const auto found = std::find(unseen_.begin(), unseen_.end(), v.sentence);
        if (found != unseen_.end())
            unseen_.erase(found);
    }

    void OnTestEnd(const testing::TestInfo&) override { tell(); }

    void tell()
    {
        std::vector<std::string> unseen;
        {
            const std::scoped_lock lock(mutex_);
            unseen.swap(unseen_);
        }
        if (unseen.empty())
            return;
        testing::Message more;
        if (unseen.size() > 1)
            more << "\n  and in " << unseen.size() - 1 << " more";
        ADD_FAILURE()
            << "an expectation failed inside a run, and nobody looked at the run's verdict for it:\n  "
            << unseen.front() << more;
    }

private:
    std::mutex mutex_;
    std::vector<std::string> unseen_;
};

googletest_watch* installed = nullptr; // GoogleTest owns it

} // namespace

void tell_unseen_expectations() { installed->tell(); }

void watch_expectations()
{
    installed = new googletest_watch;
    watch = installed;
    testing::UnitTest::GetInstance()->listeners().Append(installed);
}

} // namespace mishap::detail
