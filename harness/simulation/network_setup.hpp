// SPDX-License-Identifier: MIT
#pragma once

#include "network/setup.hpp"

#include <mishap/manager.hpp>

#include <memory>

namespace mishap::detail {

/// The same manager in that network, which is there before its adapter starts. What the adapter says of the
/// same places and names later does not count.
manager in_network(const manager& under_test, std::shared_ptr<const network::setup> what);

} // namespace mishap::detail
