// SPDX-License-Identifier: MIT
#pragma once
/// Real files in a temporary folder, with faults around the real calls.

#include "shared/temporary_folder.hpp"

#include <mishap/resource.hpp>

#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

namespace catalogue {

class real_files
{
    /// Files may outlive the folder's object where a plan abandons.
    struct ledger
    {
        int open = 0;
        bool asked_to_remove = false;
    };

    static void check(bool good, const char* call)
    {
        if (!good)
            throw boost::system::system_error(errno, boost::system::system_category(), call);
    }

public:
    class file
    {
    public:
        file(file&& other) noexcept
            : resource_(std::move(other.resource_)), ledger_(other.ledger_), path_(std::move(other.path_)),
              descriptor_(std::exchange(other.descriptor_, -1)), asked_to_close_(other.asked_to_close_)
        {}
        file& operator=(file&&) = delete;
        ~file()
        {
            if (descriptor_ == -1)
                return;
            ::close(descriptor_);
            ledger_->open -= asked_to_close_ ? 1 : 0;
        }

        operator mishap::resource&() { return resource_; }

        mishap::awaitable<void> write(std::string text)
        {
            return resource_.around(mishap::role::use, "write", [this, text] {
                for (std::size_t written = 0; written < text.size();) {
                    const auto more = ::write(descriptor_, text.data() + written, text.size() - written);
                    check(more >= 0, "write");
                    written += static_cast<std::size_t>(more);
                }
            });
        }

        mishap::awaitable<void> flush()
        {
            return resource_.around(
                mishap::role::use, "flush", [this] { check(::fsync(descriptor_) == 0, "fsync"); });
        }

        /// As a commit: what was written takes effect.
        mishap::awaitable<void> rename_to(std::string path)
        {
            return resource_.around(mishap::role::commit, "rename",
                [this, path] { check(std::rename(path_.c_str(), path.c_str()) == 0, "rename"); });
        }

        /// As a rollback: what was written is given up.
        mishap::awaitable<void> remove()
        {
            ledger_->asked_to_remove = true;
            return resource_.around(mishap::role::rollback, "remove",
                [this] { check(std::remove(path_.c_str()) == 0, "remove"); });
        }

        mishap::awaitable<void> close()
        {
            asked_to_close_ = true;
            return resource_.around(mishap::role::close, "close", [this] {
                --ledger_->open;
                check(::close(std::exchange(descriptor_, -1)) == 0, "close");
            });
        }

    private:
        friend class real_files;

        file(std::shared_ptr<ledger> counted, std::string path)
            : ledger_(std::move(counted)), path_(std::move(path))
        {}

        mishap::resource resource_{"file"};
        std::shared_ptr<ledger> ledger_;
        std::string path_;
        int descriptor_ = -1;
        bool asked_to_close_ = false;
    };

    /// Empties the file, or makes it.
    mishap::awaitable<file> open(std::string path)
    {
        file opened(ledger_, std::move(path));
        const auto real_open = [&opened] {
            opened.descriptor_ = ::open(opened.path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
            check(opened.descriptor_ != -1, "open");
            ++opened.ledger_->open;
        };
        co_await opened.resource_.around(mishap::role::create, "create", real_open);
        co_return opened;
    }

    // What follows is no part of the plan.

    static std::string path_of(const std::string& name) { return (temporary_folder() / name).string(); }
    static bool exists(const std::string& path) { return std::filesystem::exists(path); }

    /// The file is there with that content, and nothing of an earlier run's is beside it.
    static void put(const std::string& path, const std::string& content)
    {
        std::filesystem::remove(path + ".new");
        std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    }

    static std::string get(const std::string& path)
    {
        std::ostringstream content;
        content << std::ifstream(path, std::ios::binary).rdbuf();
        return content.str();
    }

    /// How many files nobody has closed.
    int left_open() const { return ledger_->open; }
    bool asked_to_remove() const { return ledger_->asked_to_remove; }

private:
    std::shared_ptr<ledger> ledger_ = std::make_shared<ledger>();
};

} // namespace catalogue
