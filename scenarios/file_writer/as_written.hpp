// SPDX-License-Identifier: MIT
#pragma once
/// Skill, "Example 3: Async File Manager", as written. Plain Asio; nothing here knows of mishap.

#include "shared/lend_as_written.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace catalogue {

namespace asio = boost::asio;

/// The old content is gone as soon as the file is open, so that whatever fails then leaves a part of the new
/// one; a close that fails replaces the body's error.
template <class Files, class Body>
asio::awaitable<void> file_writer_as_written(Files& files, std::string path, Body body)
{
    return lend_as_written([&files, path] { return files.open(path); }, body);
}

} // namespace catalogue
