// SPDX-License-Identifier: MIT
#pragma once
// Classes as users have them, one in each style, for `mishap-tools generate`.

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>

#include <string>

namespace app {

namespace asio = boost::asio;

class session
{
public:
    asio::awaitable<void> open(const std::string& address);
    asio::awaitable<int> query(const std::string& text, int rows_max);
    asio::awaitable<void> ping();
    asio::awaitable<void> close();
    bool is_open() const;
    void force_close() noexcept;
};

class channel
{
public:
    template <class Token>
    auto async_connect(int port, Token&& token);
    template <class Token>
    auto async_read(Token&& token);
    template <class Token>
    auto async_shutdown(Token&& token);
};

class store
{
public:
    asio::awaitable<boost::system::result<void>> open();
    asio::awaitable<boost::system::result<int>> fetch(int key);
    asio::awaitable<boost::system::result<void>> close();
};

class file
{
public:
    void open(const char* path);
    int write(const char* bytes, int size);
    int seek(int to) noexcept;
    void close() noexcept;
    int descriptor() const;
};

class lamp
{
public:
    void open();
    void blink() noexcept;
    void close();
};

/// A manager that is there already.
template <class Session, class Body>
asio::awaitable<void> with_open_session(Session& session, Body body);

} // namespace app
