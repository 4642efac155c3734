// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "Mocking Context Managers": code that uses a manager which is given to it. Production code: of
/// mishap it uses the contexts only.
///
/// It promises to leave what it entered, once, whatever became of the query.

#include <mishap/context.hpp>

#include <boost/asio/awaitable.hpp>

#include <string>
#include <utility>

namespace catalogue {

namespace asio = boost::asio;

/// Runs one query in the session that the context lends.
template <mishap::async_context Context>
asio::awaitable<std::string> run_query(Context sessions, mishap::report_sink log)
{
    const auto query = [](auto& session) { return session.run("query"); };
    co_return co_await mishap::with(std::move(sessions), query, log);
}

/// What the mock is there to catch: whoever enters by hand, and forgets to leave where the query fails.
template <mishap::async_context Context>
asio::awaitable<std::string> run_query_by_hand(Context sessions)
{
    auto session = co_await sessions.enter();
    std::string result = co_await session.get().run("query");
    co_await sessions.exit(nullptr);
    co_return result;
}

} // namespace catalogue
