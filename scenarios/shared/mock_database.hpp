// SPDX-License-Identifier: MIT
#pragma once
/// A database of mocks, with the face of `sqlite_database`: the same adapters run on both.

#include <mishap/environment.hpp>
#include <mishap/resource.hpp>

#include <string>
#include <vector>

namespace catalogue {

class mock_database
{
public:
    /// A session, not open yet.
    class session : public mishap::resource
    {
    public:
        explicit session(const mock_database&) : resource("session") {}

        /// Gives the rows that come of it.
        mishap::awaitable<std::vector<std::string>> query(std::string)
        {
            co_await use("query");
            co_return std::vector<std::string>{"row"};
        }
    };

    explicit mock_database(mishap::environment&) {}

    mishap::awaitable<session> connect(std::string)
    {
        session opened(*this);
        co_await opened.create();
        co_return opened;
    }

    /// Runs what uses the database. A real one is looked at afterwards.
    mishap::awaitable<void> examined(mishap::awaitable<void> work) { return work; }
};

} // namespace catalogue
