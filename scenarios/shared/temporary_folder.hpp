// SPDX-License-Identifier: MIT
#pragma once
/// A folder for real files, which goes with the program.

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace catalogue {

/// In memory where the system has a file system there: flushing to a disk takes milliseconds, and a campaign
/// does it thousands of times.
inline const std::filesystem::path& temporary_folder()
{
    class folder
    {
    public:
        folder()
        {
            const bool shared_memory = ::access("/dev/shm", W_OK | X_OK) == 0;
            const auto base =
                shared_memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
            std::string pattern = (base / "mishap_XXXXXX").string();
            if (!::mkdtemp(pattern.data()))
                throw std::system_error(errno, std::generic_category(), "cannot make " + pattern);
            path_ = pattern;
        }
        ~folder()
        {
            std::error_code ignored;
            std::filesystem::remove_all(path_, ignored);
        }
        folder(const folder&) = delete;
        folder& operator=(const folder&) = delete;

        const std::filesystem::path& path() const { return path_; }

    private:
        std::filesystem::path path_;
    };
    static const folder made;
    return made.path();
}

} // namespace catalogue
