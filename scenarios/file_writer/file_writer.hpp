// SPDX-License-Identifier: MIT
#pragma once
/// A file that is replaced as a whole, or not at all. Plain Asio; nothing here knows of mishap.
///
/// It promises that after any failure the file has its old content or the new one, never a part of it. The
/// caller sees the first error, that of a failing flush, rename or close, too. Nothing waits for ever.

#include "shared/with_deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <optional>
#include <string>

namespace catalogue {

namespace asio = boost::asio;

/// Lends a file under another name to the body, flushes it to the disk, and renames it to `path`. If anything
/// fails before that, the other file is removed.
template <class Files, class Body, class Log>
asio::awaitable<void> file_writer(
    Files& files, std::string path, Body body, asio::steady_timer::duration timeout, Log log)
{
    std::optional<typename Files::file> file;
    const auto open = [&]() -> asio::awaitable<void> { file.emplace(co_await files.open(path + ".new")); };
    co_await with_deadline(open, timeout);
    std::exception_ptr error;
    try {
        co_await body(*file);
        co_await with_deadline([&] { return file->flush(); }, timeout);
        co_await with_deadline([&] { return file->rename_to(path); }, timeout);
    } catch (...) {
        error = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (error) {
        try {
            co_await with_deadline([&] { return file->remove(); }, timeout);
        } catch (...) {
            log(std::current_exception());
        }
    }
    try {
        co_await with_deadline([&] { return file->close(); }, timeout);
    } catch (...) {
        if (!error)
            throw;
        log(std::current_exception());
    }
    if (error)
        std::rethrow_exception(error);
}

} // namespace catalogue
