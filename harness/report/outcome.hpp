#pragma once
/// A client's end in the words of scenario files.

#include <mishap/trace.hpp>

#include <string>

namespace mishap::detail {

/// The name under which a scenario would speak of this error.
std::string name_of_error(const trace&, const std::exception_ptr&);

/// `returns`, `throws ERROR`, `cancelled`, `hangs` or `abandoned`.
std::string outcome_in_words(const trace&, const outcome&);

/// Whether the client ended so. An error that the manager made itself counts when the registered one
/// recognises it.
bool ends_with(const trace&, const outcome&, const std::string& words);

} // namespace mishap::detail
