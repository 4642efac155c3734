// SPDX-License-Identifier: MIT
#pragma once
/// How a run's adapter and manager use mishap itself. What is wrong there says nothing about the manager, so
/// it is no verdict but bad input, whoever swallows the exception that tells of it.

#include <mishap/input_error.hpp>

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mishap::detail {

/// What a run showed, on this thread.
struct usage
{
    struct mistake
    {
        std::string why;
        std::string setting; ///< whose value it is about; empty for anything else
    };
    std::vector<mistake> mistakes;
    bool gives_settings = false; ///< the plan does; else it is nobody's business which are asked for
    std::set<std::string, std::less<>> settings_read;
};

usage& usage_of_run() noexcept;

/// Throws an error, and notes it for the run's end.
template <class Error = input_error>
[[noreturn]] void misused(const std::string& why, std::string_view setting = {})
{
    usage_of_run().mistakes.push_back({why, std::string(setting)});
    throw Error(why);
}

/// Mishap was misused in a run. The message says where the manager is registered.
class misuse_error : public input_error
{
public:
    misuse_error(const std::string& message, std::string setting)
        : input_error(message), setting_(std::move(setting))
    {}

    /// The setting that it is about; empty for anything else.
    const std::string& setting() const noexcept { return setting_; }

private:
    std::string setting_;
};

} // namespace mishap::detail
