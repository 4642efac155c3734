// SPDX-License-Identifier: MIT
#pragma once
/// `explain` of a run: a replay token, or a scenario file.

#include <string>

namespace mishap::detail {

/// Whether that is a replay token or a file, and no word.
bool names_a_run(const std::string&);

/// The run of a token or file in sentences, what it breaks, and what usually causes that.
///
/// Errors: throws `input_error` for a token or file that cannot be used, and for a token that is stale.
std::string explain_run(const std::string& token_or_file);

} // namespace mishap::detail
