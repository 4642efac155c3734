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

/// The candidate nearest to `word` by edit distance, or an empty string when none is near enough to be a
/// slip of the pen (a third of its letters, at least one), or when the word is a candidate itself.
///
/// Source: R. A. Wagner, M. J. Fischer, "The String-to-String Correction Problem", JACM 21 (1974).
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// "unknown `what` `word`; did you mean `x`? Known: a, b, c."
std::string unknown_word(std::string_view what, std::string_view word, std::span<const std::string> known);

} // namespace mishap
