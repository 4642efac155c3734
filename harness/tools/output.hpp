// SPDX-License-Identifier: MIT
#pragma once
/// Findings as people, editors and services read them.

#include "checks.hpp"

#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::tools {

/// Something about the input that a person must mend: a file that cannot be read, a flag that means nothing.
struct complaint
{
    place where; ///< its file may be empty
    std::string text;
};

enum class standing
{
    fresh,   ///< counts
    allowed, ///< by a comment
    known,   ///< by the baseline
};

struct judged
{
    finding what;
    standing stands = standing::fresh;
    std::string reason; ///< of the comment that allows it
    std::string line;   ///< the source line, for the caret and the baseline
};

std::string json_string(std::string_view text);

/// file:line:column, the line with a caret, and a note for each step of the path.
std::string as_text(const judged& one);

/// A workflow command of GitHub Actions.
std::string as_annotation(const judged& one);

/// A SARIF 2.1.0 log. Source: OASIS Standard, "Static Analysis Results Interchange Format Version 2.1.0"
/// (2020).
std::string as_sarif(std::span<const judged> all, std::span<const complaint> complaints);

/// One object for each file, as the parameters of the Language Server Protocol's
/// textDocument/publishDiagnostics, each on its own line.
std::string as_lsp(std::span<const judged> all, std::span<const std::string> files);

/// The reference of all checks, in Markdown.
std::string reference();

} // namespace mishap::tools
