// SPDX-License-Identifier: MIT
#pragma once
/// The keys of a scenario that describe a network, and who is in it.

#include "reader.hpp"

#include "network/setup.hpp"

namespace mishap::detail {

/// `network: [partition client | shop.example from 2s to 10s, black_hole 10.0.0.7:80]`.
void read_network(const reader& at, network::setup& into);

/// `peer: {"shop.example:80": [expect: "GET /", reply: {file: answer.bin}, close]}`, or the file of a script.
void read_peers(const reader& at, network::setup& into);

} // namespace mishap::detail
