// SPDX-License-Identifier: MIT
#pragma once
/// `explain`: what a word of a report, a contract or a scenario means.

#include <string>

namespace mishap::detail {

/// What this program knows of a rule, a term of the contract, a fault, a waiver or an error.
///
/// A word that is several of these is explained as each of them. A term may be given as scenario files write
/// it
/// (`create_timeout`) or as C++ does (`time.create`).
/// Errors: throws `input_error` for an unknown word, naming the nearest match.
std::string explain_text(const std::string& word);

/// What usually causes that a rule breaks, and what mends it; empty for a rule of a program's own.
std::string causes_and_remedies(const std::string& rule);

/// Every rule of mishap's own, explained; as Markdown, a section for each.
std::string explain_every_rule(bool markdown);

} // namespace mishap::detail
