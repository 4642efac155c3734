// SPDX-License-Identifier: MIT
#pragma once
/// What the tests of the page share.

#include "support/under_test.hpp"

#include <mishap/report.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <string>
#include <string_view>

namespace page {

/// What stands between two texts, the first time; empty where they are not there.
inline std::string between(const std::string& text, std::string_view begin, std::string_view end)
{
    const std::size_t at = text.find(begin);
    const std::size_t from = at + begin.size();
    const std::size_t to = at == std::string::npos ? at : text.find(end, from);
    return to == std::string::npos ? std::string() : text.substr(from, to - from);
}

/// The JSON that a page shows.
inline std::string data_of(const std::string& page)
{
    return between(page, R"(<script type="application/json" id="data">)", "</script>");
}

/// Five clients at once, who take their time and lose their session when a query fails.
inline mishap::awaitable<void> five_leaks(mishap::environment& env)
{
    co_await env.clients([](mishap::client& one) -> mishap::awaitable<void> {
        mishap::mock_resource session("session");
        co_await session.create();
        co_await one.body(session, [](mishap::mock_resource& s) -> mishap::awaitable<void> {
            for (int i = 0; i < 30; ++i) {
                co_await s.use("query");
                boost::asio::steady_timer pause(
                    co_await boost::asio::this_coro::executor, std::chrono::milliseconds(10));
                co_await pause.async_wait(boost::asio::use_awaitable);
            }
        });
        co_await session.close();
    });
}

inline mishap::campaign_result campaign_of_five(const std::string& name)
{
    mishap::sweep_options options{.perturbations = 1, .kinds = {mishap::fault::fail("io_error")}};
    options.occurrences_max = 1;
    options.name = name;
    options.contract = mishap::contract{.time = {.unbounded = {mishap::phase::create, mishap::phase::close}},
        .capacity = {.resources = 5, .clients = 5}};
    return mishap::sweep(mishap::manager("five", &five_leaks), options);
}

} // namespace page
