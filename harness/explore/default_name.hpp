// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace mishap::detail {

/// Names campaigns whose manager has no name. Set by the GoogleTest part to the running test's name.
extern std::string (*default_campaign_name)();

} // namespace mishap::detail
