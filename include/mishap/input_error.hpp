// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mishap {

/// What a person wrote (a scenario, a token, an option) cannot be used. The message echoes the offending text
/// and says what was allowed; `offset` is where in the parsed text the trouble starts.
class input_error : public std::runtime_error
{
public:
    explicit input_error(const std::string& message, std::size_t offset = 0)
        : std::runtime_error(message), offset_(offset)
    {}

    std::size_t offset() const noexcept { return offset_; }

private:
    std::size_t offset_;
};

/// The candidate nearest to `word` by edit distance. Empty when `word` is a candidate itself, or when none
/// differs in at most a third of its letters (at least one), as a slip of the pen does.
///
/// Source: R. A. Wagner, M. J. Fischer, "The String-to-String Correction Problem", JACM 21 (1974).
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// "unknown `what` `word`; did you mean `x`? Known: a, b, c."
std::string unknown_word(std::string_view what, std::string_view word, std::span<const std::string> known);

} // namespace mishap
