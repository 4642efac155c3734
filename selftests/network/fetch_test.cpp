// SPDX-License-Identifier: MIT
#include <mishap/error.hpp>
#include <mishap/gtest.hpp>
#include <mishap/network.hpp>
#include <mishap/report.hpp>

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace {

namespace http = boost::beast::http;
using boost::asio::use_awaitable;
using namespace std::chrono_literals;

// Production code: a stock stream, and no seam for a mock. Does it set a deadline before it reads?
template <bool careful>
mishap::awaitable<std::string> fetch(boost::asio::any_io_executor executor, std::string host)
{
    boost::beast::tcp_stream stream(executor);
    stream.expires_after(10s);
    const boost::asio::ip::tcp::endpoint server(boost::asio::ip::make_address(host), 80);
    co_await stream.async_connect(server, use_awaitable);
    const http::request<http::empty_body> request{http::verb::get, "/", 11};
    stream.expires_after(10s);
    co_await http::async_write(stream, request, use_awaitable);
    if constexpr (careful)
        stream.expires_after(10s);
    else
        stream.expires_never();
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> response;
    co_await http::async_read(stream, buffer, response, use_awaitable);
    co_return response.body();
}

// The server, in the same simulation.
mishap::awaitable<void> serve(boost::asio::ip::tcp::socket socket)
{
    boost::beast::flat_buffer buffer;
    http::request<http::string_body> request;
    co_await http::async_read(socket, buffer, request, use_awaitable);
    http::response<http::string_body> response{http::status::ok, 11};
    response.body() = "hello";
    response.prepare_payload();
    co_await http::async_write(socket, response, use_awaitable);
}

MISHAP_ERROR(fetch_timeout, boost::system::system_error(boost::beast::error::timeout));

const mishap::contract promises{.time = {.create = 10s, .use = 10s, .errors = {"fetch_timeout"}}};

template <bool careful>
mishap::awaitable<void> fetches(mishap::environment& env)
{
    env.network().listen("10.0.0.7:80", serve);
    const std::string body = co_await fetch<careful>(env.executor(), "10.0.0.7");
    EXPECT_EQ(body, "hello");
}

TEST(fetch, survives_a_bad_network)
{
    const mishap::manager client("fetch", fetches<true>, promises);
    EXPECT_THAT(mishap::sweep(client, {.perturbations = 1}), mishap::Holds());
}

TEST(fetch, without_a_deadline_waits_for_ever)
{
    const mishap::manager client("fetch", fetches<false>, promises);
    const mishap::campaign_result swept = mishap::sweep(client, {.perturbations = 1});
    ASSERT_FALSE(swept.holds());
    EXPECT_THAT(mishap::report(swept.counterexamples.front()),
        testing::HasSubstr("waits for bytes from 10.0.0.7:80"));
}

} // namespace
