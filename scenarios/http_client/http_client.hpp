// SPDX-License-Identifier: MIT
#pragma once
// Source: Boost.Beast's own examples, made into a client as services have them.
// Promise: a request ends within its deadline, with the answer or with what went wrong; a connection is used
// again only after an answer that was read to its end and lets it live.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace catalogue {

namespace beast = boost::beast;
namespace http = boost::beast::http;

/// A client of one host that keeps a connection alive between requests.
class http_client
{
public:
    http_client(boost::asio::any_io_executor executor, std::string host, std::string port)
        : executor_(std::move(executor)), host_(std::move(host)), port_(std::move(port))
    {}

    /// The body of the answer to a GET.
    boost::asio::awaitable<std::string> get(std::string target)
    {
        using boost::asio::use_awaitable;
        beast::tcp_stream stream = co_await take();
        stream.expires_after(patience);
        http::request<http::empty_body> request{http::verb::get, target, 11};
        request.set(http::field::host, host_);
        co_await http::async_write(stream, request, use_awaitable);
        beast::flat_buffer buffer;
        http::response<http::string_body> response;
        co_await http::async_read(stream, buffer, response, use_awaitable);
        if (response.keep_alive()) {
            stream.expires_never();
            kept_.emplace(std::move(stream));
        }
        co_return std::move(response.body());
    }

private:
    static constexpr auto patience = std::chrono::seconds(10);

    /// The connection that was kept, or a new one.
    boost::asio::awaitable<beast::tcp_stream> take()
    {
        using boost::asio::use_awaitable;
        if (kept_) {
            beast::tcp_stream stream = std::move(*kept_);
            kept_.reset();
            co_return stream;
        }
        boost::asio::ip::tcp::resolver resolver(executor_);
        const auto found = co_await resolver.async_resolve(host_, port_, use_awaitable);
        beast::tcp_stream stream(executor_);
        stream.expires_after(patience);
        co_await stream.async_connect(found, use_awaitable);
        co_return stream;
    }

    boost::asio::any_io_executor executor_;
    std::string host_;
    std::string port_;
    std::optional<beast::tcp_stream> kept_;
};

} // namespace catalogue
