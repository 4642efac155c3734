// SPDX-License-Identifier: MIT
#pragma once
/// What was found in a file, kept until something that was read for it changes.

#include "output.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::tools {

/// What was found in one file, as it comes from the compiler or from the cache.
struct result
{
    std::vector<judged> findings;
    std::vector<complaint> complaints;
    std::vector<std::string> reads;
    unsigned lines = 0;
};

/// Text as one field of a line, with tabs between fields.
std::string escape(std::string_view text);
std::vector<std::string> fields_of(const std::string& line);

/// A number of at most nine digits.
std::optional<unsigned> number(const std::string& text);

class cache
{
public:
    /// An empty folder keeps nothing.
    explicit cache(std::string folder) : folder_(std::move(folder)) {}

    /// What is known of a file, unless it, a file that it includes, its flags or this program changed since.
    std::optional<result> find(const std::string& file, const std::vector<std::string>& flags) const;
    void keep(const std::string& file, const std::vector<std::string>& flags, const result& of) const;

private:
    std::string path(const std::string& file, const std::vector<std::string>& flags) const;

    std::string folder_;
};

} // namespace mishap::tools
