// SPDX-License-Identifier: MIT
#pragma once
/// A real database under the catalogue's adapters: SQLite, with faults around its real calls.
///
/// After each plan the database itself is asked whether all that was committed is there and nothing else,
/// whether a lock is left, and whether a handle is.

#include "shared/temporary_folder.hpp"

#include <mishap/environment.hpp>
#include <mishap/resource.hpp>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace catalogue {

/// What SQLite says when it cannot do something.
class sqlite_error : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

/// One connection of SQLite's. The destructor closes it, too.
class sqlite_handle
{
public:
    explicit sqlite_handle(const std::string& file)
    {
        sqlite3* opened = nullptr;
        const int code = sqlite3_open_v2(
            file.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
        handle_.reset(opened);
        check(code);
        // At stake is what a plan does to a commit, not what a loss of power does.
        execute("PRAGMA synchronous = OFF");
        execute("PRAGMA journal_mode = MEMORY");
    }

    /// Gives the first column of each row.
    std::vector<std::string> execute(const std::string& sql)
    {
        std::vector<std::string> rows;
        const auto keep = [](void* into, int columns, char** values, char**) {
            if (columns > 0)
                static_cast<std::vector<std::string>*>(into)->emplace_back(values[0] ? values[0] : "");
            return 0;
        };
        check(sqlite3_exec(handle_.get(), sql.c_str(), keep, &rows, nullptr));
        return rows;
    }

    void close()
    {
        check(sqlite3_close(handle_.get()));
        (void)handle_.release();
    }

private:
    struct closes
    {
        void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
    };

    void check(int code)
    {
        if (code != SQLITE_OK)
            throw sqlite_error(handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code));
    }

    std::unique_ptr<sqlite3, closes> handle_;
};

class sqlite_database
{
    /// What really happened in this run, for its end. Sessions may outlive the database where a plan
    /// abandons.
    struct ledger
    {
        std::string file;
        int open_handles = 0;
        int committed = 0; ///< rows whose commit took effect
        int pending = 0;   ///< rows of a transaction that has neither been committed nor rolled back
    };

public:
    /// A session, not open yet.
    class session
    {
    public:
        explicit session(const sqlite_database& of) : ledger_(of.ledger_) {}
        session(session&&) noexcept = default;
        session& operator=(session&&) = delete;
        ~session()
        {
            // Where its close failed or was given up, the handle goes with the object that owned it.
            if (handle_ && asked_to_close_)
                --ledger_->open_handles;
        }

        operator mishap::resource&() { return resource_; }

        mishap::awaitable<void> create()
        {
            return resource_.around(mishap::role::create, "create", [this] {
                handle_ = std::make_unique<sqlite_handle>(ledger_->file);
                ++ledger_->open_handles;
            });
        }

        /// Gives the rows that come of it.
        mishap::awaitable<std::vector<std::string>> query(std::string sql)
        {
            return resource_.around(mishap::role::use, "query", [this, sql] {
                auto rows = handle_->execute(sql);
                ledger_->pending += sql.starts_with("INSERT") ? 1 : 0;
                return rows;
            });
        }

        mishap::awaitable<void> begin()
        {
            return resource_.around(mishap::role::begin, "begin", [this] { handle_->execute("BEGIN"); });
        }

        mishap::awaitable<void> commit()
        {
            return resource_.around(mishap::role::commit, "commit", [this] {
                handle_->execute("COMMIT");
                ledger_->committed += std::exchange(ledger_->pending, 0);
            });
        }

        mishap::awaitable<void> rollback()
        {
            return resource_.around(mishap::role::rollback, "rollback", [this] {
                handle_->execute("ROLLBACK");
                ledger_->pending = 0;
            });
        }

        mishap::awaitable<void> close()
        {
            asked_to_close_ = true;
            return resource_.around(mishap::role::close, "close", [this] {
                handle_->close();
                handle_.reset();
                --ledger_->open_handles;
            });
        }

    private:
        mishap::resource resource_{"session"};
        std::unique_ptr<sqlite_handle> handle_;
        std::shared_ptr<ledger> ledger_;
        bool asked_to_close_ = false;
    };

    explicit sqlite_database(mishap::environment&) : ledger_(std::make_shared<ledger>())
    {
        ledger_->file = file();
        observer().execute("DELETE FROM work");
    }

    mishap::awaitable<session> connect(std::string)
    {
        session opened(*this);
        co_await opened.create();
        co_return opened;
    }

    /// Runs what uses the database, then looks at the database.
    mishap::awaitable<void> examined(mishap::awaitable<void> work)
    {
        std::exception_ptr error;
        try {
            co_await std::move(work);
        } catch (...) {
            error = std::current_exception();
        }
        EXPECT_EQ(ledger_->open_handles, 0) << "handles of the database are left open";
        EXPECT_NO_THROW(observer().execute("BEGIN IMMEDIATE; ROLLBACK")) << "a lock is left in the database";
        const auto rows = observer().execute("SELECT count(*) FROM work");
        EXPECT_EQ(rows, std::vector{std::to_string(ledger_->committed)}) << "what was committed is not there";
        if (error)
            std::rethrow_exception(error);
        EXPECT_EQ(ledger_->pending, 0)
            << "the caller was told of success, but what it wrote was not committed";
    }

private:
    static std::string file() { return (temporary_folder() / "catalogue.sqlite").string(); }

    /// A connection of its own, so that it sees what others see.
    static sqlite_handle& observer()
    {
        static sqlite_handle opened = [] {
            sqlite_handle made(file());
            made.execute("CREATE TABLE IF NOT EXISTS work (item TEXT)");
            return made;
        }();
        return opened;
    }

    std::shared_ptr<ledger> ledger_;
};

} // namespace catalogue
