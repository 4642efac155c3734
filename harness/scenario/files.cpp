// SPDX-License-Identifier: MIT
#include "document.hpp"

#include <mishap/scenario.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mishap {

namespace {

namespace fs = std::filesystem;

/// A file that is open for reading.
class descriptor
{
public:
    // A FIFO that nobody writes to would let a plain open wait.
    explicit descriptor(const std::string& file)
        : number_(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY))
    {}
    ~descriptor()
    {
        if (number_ >= 0)
            ::close(number_);
    }
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;

    int number() const noexcept { return number_; }

private:
    int number_;
};

[[noreturn]] void refuse(const std::string& file, const std::string& why)
{
    throw scenario_error({file, 1, 1}, why);
}

[[noreturn]] void cannot_be_read(const std::string& file, std::string_view what)
{
    const int error = errno;
    refuse(file, error == ENOENT ? "there is no such file"
                                 : fmt::format("the {} cannot be read: {}", what, std::strerror(error)));
}

/// The text of a regular file. Nothing else is read: a device may never end, or wait for ever.
std::string contents_of(const std::string& file)
{
    const descriptor in(file);
    struct stat about = {};
    if (in.number() < 0 || ::fstat(in.number(), &about) != 0)
        cannot_be_read(file, "file");
    if (S_ISDIR(about.st_mode)) {
        const bool leads_back = fs::is_symlink(file);
        if (std::error_code error; fs::directory_iterator(file, error), error)
            refuse(file, fmt::format("the folder cannot be read: {}", error.message()));
        refuse(file, leads_back ? "this symbolic link leads to a folder that it lies in: remove it"
                                : "this is a folder, not a file");
    }
    if (!S_ISREG(about.st_mode))
        refuse(file, "this is no regular file, but a device, a FIFO or a socket");
    std::string text;
    constexpr std::size_t piece = 65'536;
    // Files of some file systems claim to be empty.
    while (text.size() <= detail::file_size_max) {
        const std::size_t before = text.size();
        text.resize(before + piece);
        const ssize_t got = ::read(in.number(), text.data() + before, piece);
        text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            cannot_be_read(file, "file");
        if (got == 0)
            return text;
    }
    refuse(file,
        fmt::format("the file is larger than {} bytes, which no scenario needs", detail::file_size_max));
}

/// Whether somebody meant it for a scenario, whatever its letters.
bool is_named_as_scenario(const fs::path& file)
{
    std::string extension = file.extension().string();
    for (char& c : extension)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return extension == ".yaml" || extension == ".yml";
}

/// Which folder it is, whatever the name that leads there.
std::pair<dev_t, ino_t> identity_of(const fs::path& folder)
{
    struct stat about = {};
    ::stat(folder.c_str(), &about);
    return {about.st_dev, about.st_ino};
}

/// Lists what is in a folder. A folder that cannot be read, and a link that leads back, are listed
/// themselves: reading them says what is wrong.
void search(const fs::path& folder, std::set<std::pair<dev_t, ino_t>>& above, std::vector<std::string>& into)
{
    const auto mine = identity_of(folder);
    std::error_code error;
    fs::directory_iterator it(folder, error);
    if (error || !above.insert(mine).second) {
        into.push_back(folder.string());
        return;
    }
    for (; !error && it != fs::directory_iterator(); it.increment(error)) {
        std::error_code ignored;
        if (it->is_directory(ignored))
            search(it->path(), above, into);
        else if (is_named_as_scenario(it->path()))
            into.push_back(it->path().string());
    }
    if (error)
        into.push_back(folder.string());
    above.erase(mine);
}

} // namespace

scenario load_scenario(const std::string& file)
{
    std::error_code error;
    if (!fs::is_directory(file, error))
        if (const std::string why = check_file_name(file); !why.empty() && fs::exists(file, error))
            refuse(file, why);
    return parse_scenario(contents_of(file), file);
}

std::string check_file_name(const std::string& file)
{
    const std::string name = fs::path(file).filename().string();
    const std::string stem = fs::path(file).stem().string();
    const bool is_word = !stem.empty() && std::all_of(stem.begin(), stem.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (is_word && name == stem + ".yaml")
        return {};
    return fmt::format(
        "'{}' cannot be a test's name: name the file with a-z, 0-9 and _, ending in .yaml", name);
}

std::vector<std::string> find_scenarios(const std::string& path)
{
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found)
        throw input_error(fmt::format("{}: there is no such file or folder", path));
    if (!fs::is_directory(status))
        return {path};
    std::vector<std::string> files;
    std::set<std::pair<dev_t, ino_t>> above;
    search(path, above, files);
    std::sort(files.begin(), files.end());
    // What went wrong once goes wrong most easily again.
    std::stable_partition(files.begin(), files.end(),
        [](const std::string& file) { return fs::path(file).parent_path().filename() == "regressions"; });
    return files;
}

std::vector<std::string>& detail::scenario_folders()
{
    static std::vector<std::string> folders;
    return folders;
}

} // namespace mishap
