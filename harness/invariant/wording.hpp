// SPDX-License-Identifier: MIT
#pragma once
/// How the rules' sentences name things, and whom they judge.

#include "invariants.hpp"

#include <mishap/account.hpp>

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mishap::detail {

std::string name_of(const evidence&, index operation);
std::string name_of_resource(const evidence&, index resource);
std::string name_of_client(const evidence&, lane);

/// "io_error (raised by session.close#1)" or "connection refused": an error and where it came from.
std::string describe_error(const evidence&, const std::exception_ptr&);

/// "session.query#1 failed with io_error", "the caller cancelled", …
std::string describe(const evidence&, const reason&);

/// A client whose outcome is judged: no probe, and not abandoned.
bool is_judged(const evidence&, lane);

/// A client that neither hung against its contract nor was abandoned: it owes what it began.
bool is_there(const evidence&, lane);

using proof = std::vector<violation::evidence>;

/// A violation by this operation: in its lane, on its resource.
violation blame(
    const operation_record&, std::string sentence, proof, std::string expected, std::string actual);
/// A violation by a client, or by the adapter.
violation blame(
    lane, role, std::string sentence, proof, std::string expected, std::string actual, index resource = none);

/// Whether this operation is an end of its resource.
bool is_close(const operation_record&) noexcept;

/// Two things that overlap, the second first: its index, and that of the earliest that it conflicts with.
using overlap = std::pair<index, index>;

/// Finds what overlaps among things of one resource, which come in the order of their beginnings.
template <class During, class Conflict>
void find_overlaps(
    std::span<const index> things, During during, Conflict conflict, std::vector<overlap>& found)
{
    index busy_until = 0;
    std::vector<index> before; // filled where anything overlaps at all
    for (std::size_t at = 0; at < things.size(); ++at) {
        const interval second = during(things[at]);
        if (second.from == none)
            continue;
        if (second.from < busy_until) {
            if (before.empty())
                before.assign(things.begin(), things.begin() + static_cast<std::ptrdiff_t>(at));
            std::erase_if(
                before, [&](index i) { return during(i).from == none || during(i).to < second.from; });
            const auto first =
                std::find_if(before.begin(), before.end(), [&](index i) { return conflict(i, things[at]); });
            if (first != before.end())
                found.emplace_back(things[at], *first);
        }
        if (!before.empty())
            before.push_back(things[at]);
        busy_until = std::max(busy_until, second.to);
    }
}

} // namespace mishap::detail
