// SPDX-License-Identifier: MIT
#include "outcome.hpp"

#include <mishap/error.hpp>

namespace mishap::detail {

std::string outcome_in_words(const trace& happened, const outcome& client)
{
    if (client.stuck != none)
        return "hangs";
    if (client.abandoned != none)
        return "abandoned";
    if (client.ending == ending::running)
        return "never ends";
    if (!client.error)
        return "returns";
    const std::string error = name_of_error(happened, client.error);
    return error == "operation_aborted" && client.cancelled != none ? "cancelled" : "throws " + error;
}

bool ends_with(const trace& happened, const outcome& client, const std::string& words)
{
    if (outcome_in_words(happened, client) == words)
        return true;
    if (!words.starts_with("throws ") || !client.error || client.stuck != none ||
        find_source(happened, client.error) != none)
        return false;
    const error* known = find_error(words.substr(7));
    return known && known->matches && known->matches(client.error);
}

} // namespace mishap::detail
