// SPDX-License-Identifier: MIT
#pragma once
/// A network as a scenario describes it: who is there, how bytes travel, what is cut off.

#include "script.hpp"

#include <mishap/duration.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mishap::network {

/// One sentence about a network.
struct statement
{
    enum class verb : std::uint8_t
    {
        partition,  ///< `partition A | B from 2s to 10s`
        route,      ///< `route A | B latency 50ms jitter 5ms bandwidth 1000`
        restart,    ///< `restart PLACE from 2s to 10s`
        resolve,    ///< `resolve NAME to 10.0.0.7 10.0.0.8`, or `to nothing`
        refuse,     ///< `refuse PLACE`
        black_hole, ///< `black_hole PLACE`
    };
    verb what = verb::refuse;
    std::string a = {}; ///< a host, a name or a place
    std::string b = {}; ///< the other host
    duration from{0};
    duration to{0};
    duration latency{0};
    duration jitter{0};
    std::uint64_t bandwidth = 0;
    std::vector<std::string> addresses = {};
};

/// Errors: throws `input_error` with the offset of what is none.
statement parse_statement(std::string_view line);
std::string to_string(const statement&);

struct setup
{
    std::vector<statement> statements = {};
    /// The script that is played at a place.
    std::vector<std::pair<std::string, std::shared_ptr<const script>>> peers = {};

    bool empty() const noexcept { return statements.empty() && peers.empty(); }
};

/// The keys `network` and `peer` of a scenario, as YAML; whatever was read from other files is part of it.
std::string to_yaml(const setup&);

} // namespace mishap::network
