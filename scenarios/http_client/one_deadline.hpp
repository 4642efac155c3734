// SPDX-License-Identifier: MIT
#pragma once
// The same client, with a mistake that is often made: `expires_after` is a point in time for all that
// follows, not a timeout of each operation. Set once, when the connection is made, it has passed when the
// connection is used again.

#include "http_client.hpp"

namespace catalogue {

class http_client_with_one_deadline
{
public:
    http_client_with_one_deadline(boost::asio::any_io_executor executor, std::string host, std::string port)
        : executor_(std::move(executor)), host_(std::move(host)), port_(std::move(port))
    {}

    boost::asio::awaitable<std::string> get(std::string target)
    {
        using boost::asio::use_awaitable;
        if (!stream_) {
            boost::asio::ip::tcp::resolver resolver(executor_);
            const auto found = co_await resolver.async_resolve(host_, port_, use_awaitable);
            stream_.emplace(executor_);
            stream_->expires_after(std::chrono::seconds(10));
            co_await stream_->async_connect(found, use_awaitable);
        }
        http::request<http::empty_body> request{http::verb::get, target, 11};
        request.set(http::field::host, host_);
        co_await http::async_write(*stream_, request, use_awaitable);
        beast::flat_buffer buffer;
        http::response<http::string_body> response;
        co_await http::async_read(*stream_, buffer, response, use_awaitable);
        if (!response.keep_alive())
            stream_.reset();
        co_return std::move(response.body());
    }

private:
    boost::asio::any_io_executor executor_;
    std::string host_;
    std::string port_;
    std::optional<beast::tcp_stream> stream_;
};

} // namespace catalogue
