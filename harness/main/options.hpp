// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mishap::detail {

/// The words after a sub-command, told apart: `--name value` or `--name=value`, and the rest.
class arguments
{
public:
    /// Errors: throws `input_error` for an option that is not among `known`, one without its value, and one
    /// that is given twice (unless it is `with`).
    arguments(
        std::vector<std::string> words, std::vector<std::string> known, std::vector<std::string> flags = {});

    const std::vector<std::string>& rest() const noexcept { return rest_; }
    std::optional<std::string> option(std::string_view name) const;
    std::vector<std::string> options(std::string_view name) const;
    /// Whether a flag is there, which takes no value.
    bool has(std::string_view flag) const { return option(flag).has_value(); }
    const std::vector<std::pair<std::string, std::string>>& all_options() const noexcept { return options_; }

    /// Errors: throws `input_error` when it is no whole number within the bounds.
    std::optional<std::uint64_t> number(std::string_view name, std::uint64_t least, std::uint64_t most) const;

private:
    std::vector<std::string> rest_;
    std::vector<std::pair<std::string, std::string>> options_;
};

} // namespace mishap::detail
