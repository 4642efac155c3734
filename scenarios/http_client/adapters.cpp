// SPDX-License-Identifier: MIT
#include "http_client.hpp"
#include "one_deadline.hpp"

#include <mishap/mishap.hpp>
#include <mishap/network.hpp>

#include <boost/asio/steady_timer.hpp>

using namespace std::chrono_literals;

namespace {

/// The server: answers until the other side has had enough.
mishap::awaitable<void> serve(boost::asio::ip::tcp::socket socket)
{
    using boost::asio::use_awaitable;
    namespace http = boost::beast::http;
    boost::beast::flat_buffer buffer;
    for (;;) {
        http::request<http::string_body> request;
        co_await http::async_read(socket, buffer, request, use_awaitable);
        http::response<http::string_body> response{http::status::ok, 11};
        response.body() = "you asked for " + std::string(request.target());
        response.keep_alive(request.keep_alive());
        response.prepare_payload();
        co_await http::async_write(socket, response, use_awaitable);
    }
}

/// Two requests, with a minute between them.
template <class Client>
mishap::awaitable<void> ask_twice(mishap::environment& env)
{
    env.network().listen("shop.example:80", &serve);
    Client client(env.executor(), "shop.example", "80");
    for (const std::string target : {"/first", "/second"}) {
        const std::string body = co_await client.get(target);
        if (body != "you asked for " + target)
            throw std::runtime_error("another answer: " + body);
        boost::asio::steady_timer pause(env.executor(), 60s);
        co_await pause.async_wait(boost::asio::use_awaitable);
    }
}

} // namespace

// A request has ten seconds, whatever it does meanwhile; the name's resolution has no bound of its own.

MISHAP_ERROR(http_timeout, boost::system::error_code(boost::beast::error::timeout));

MISHAP_CONTRACT(http_client){
    .time = {.create = 10s, .errors = {"http_timeout"}, .unbounded = {mishap::phase::other}},
    .closing = {.by = mishap::closing::either},
};

MISHAP_MANAGER(http_client, mishap::environment& env) { co_await ask_twice<catalogue::http_client>(env); }

MISHAP_CONTRACT(http_client_with_one_deadline){
    .time = {.create = 10s, .errors = {"http_timeout"}, .unbounded = {mishap::phase::other}},
    .closing = {.by = mishap::closing::either},
};

MISHAP_MANAGER(http_client_with_one_deadline, mishap::environment& env)
{
    co_await ask_twice<catalogue::http_client_with_one_deadline>(env);
}
