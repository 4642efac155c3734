// SPDX-License-Identifier: MIT
#pragma once
/// Where the GoogleTest part hooks in, so that checks of the test itself that fail inside a run become part
/// of the run.

#include <mishap/trace.hpp>

#include <string_view>

namespace mishap {
struct violation;
}

namespace mishap::detail {

/// The name of the invariant under which failed expectations are reported.
inline constexpr std::string_view expectation_name = "expectation";

/// Somebody who catches failed expectations while a run is under way, and hands them to `expectation_failed`.
class expectation_watch
{
public:
    /// A run begins, or has ended, on this thread.
    virtual void begin() = 0;
    virtual void end() noexcept = 0;
    /// A single run broke `expectation`: its user may never look, and the failure must not get lost.
    virtual void broke(const violation&) = 0;
    /// Somebody asked for the violation.
    virtual void seen(const violation&) noexcept = 0;

protected:
    ~expectation_watch() = default;
};

/// Set by the GoogleTest part; null in programs without it.
inline expectation_watch* watch = nullptr;

/// Puts a failed expectation into the trace of the run under way on this thread. Returns false when there is
/// none.
bool expectation_failed(expectation_record failed);

} // namespace mishap::detail
