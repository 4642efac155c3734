// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "Context Manager with Parameters", as written. Plain Asio; nothing here knows of mishap.

#include "configurable_manager.hpp"

#include "shared/lend_as_written.hpp"

namespace catalogue {

/// Nothing bounds the attempts, nor the close, whose error replaces the body's.
template <class Create, class Body>
asio::awaitable<void> configurable_manager_as_written(configuration config, Create create_session, Body body)
{
    validate(config);
    const auto create = [&] { return retrying(create_session, config.max_retries, config.retry_delay); };
    co_await lend_as_written(create, body);
}

} // namespace catalogue
