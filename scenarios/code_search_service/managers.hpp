// SPDX-License-Identifier: MIT
#pragma once
/// Reference, "With Clean Architecture": a service of the application that knows sessions only by an
/// interface. Plain Asio; nothing here knows of mishap.
///
/// The session manager promises what every session promises. The service promises that it throws nothing:
/// what goes wrong is a result.

#include "shared/lend.hpp"
#include "shared/lend_as_written.hpp"
#include "shared/service_result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace catalogue {

namespace asio = boost::asio;

// The domain: what a session manager is.

template <class Session>
class session_manager_interface
{
public:
    using work = std::function<asio::awaitable<void>(Session&)>;

    virtual ~session_manager_interface() = default;
    virtual asio::awaitable<void> with_session(work body) = 0;
};

// The infrastructure: sessions of a database.

/// As written: a close that fails replaces the query's error, and may hang.
template <class Database>
class session_manager_as_written : public session_manager_interface<typename Database::session>
{
public:
    session_manager_as_written(Database* database, std::string name)
        : database_(database), name_(std::move(name))
    {
        if (!database || name_.empty())
            throw std::invalid_argument("Driver and settings required");
    }

    asio::awaitable<void> with_session(
        typename session_manager_interface<typename Database::session>::work body) override
    {
        return lend_as_written([this] { return database_->connect(name_); }, std::move(body));
    }

private:
    Database* database_;
    std::string name_;
};

/// Mended: both have timeouts, and the close error yields to the query's.
template <class Database>
class session_manager : public session_manager_interface<typename Database::session>
{
public:
    using log = std::function<void(std::exception_ptr)>;

    session_manager(Database* database, std::string name, asio::steady_timer::duration timeout, log log_error)
        : database_(database), name_(std::move(name)), timeout_(timeout), log_(std::move(log_error))
    {
        if (!database || name_.empty())
            throw std::invalid_argument("Driver and settings required");
    }

    asio::awaitable<void> with_session(
        typename session_manager_interface<typename Database::session>::work body) override
    {
        return lend([this] { return database_->connect(name_); }, std::move(body), timeout_, log_);
    }

private:
    Database* database_;
    std::string name_;
    const asio::steady_timer::duration timeout_;
    const log log_;
};

// The application: uses the interface.

using code_entities = std::vector<std::string>;

/// As written: whatever goes wrong is thrown, although the caller expects a result.
template <class Session>
class code_search_service_as_written
{
public:
    explicit code_search_service_as_written(session_manager_interface<Session>& sessions)
        : sessions_(sessions)
    {}

    asio::awaitable<service_result<code_entities>> search(std::string query)
    {
        code_entities found;
        const auto run = [&](Session& session) -> asio::awaitable<void> {
            found = co_await session.query(query);
        };
        co_await sessions_.with_session(run);
        co_return service_result<code_entities>::ok(std::move(found));
    }

private:
    session_manager_interface<Session>& sessions_;
};

/// Mended: a failure is a result.
template <class Session>
class code_search_service
{
public:
    explicit code_search_service(session_manager_interface<Session>& sessions) : sessions_(sessions) {}

    asio::awaitable<service_result<code_entities>> search(std::string query)
    {
        code_entities found;
        const auto run = [&](Session& session) -> asio::awaitable<void> {
            found = co_await session.query(query);
        };
        std::exception_ptr error;
        try {
            co_await sessions_.with_session(run);
        } catch (...) {
            error = std::current_exception();
        }
        if (error)
            co_return service_result<code_entities>::fail(std::move(error));
        co_return service_result<code_entities>::ok(std::move(found));
    }

private:
    session_manager_interface<Session>& sessions_;
};

} // namespace catalogue
