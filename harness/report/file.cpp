// SPDX-License-Identifier: MIT
#include "file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace mishap::detail {

std::string word_for_file(std::string_view text)
{
    std::string word(text.substr(0, 100));
    for (char& c : word) {
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
        else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            c = '_';
    }
    return word.empty() ? "manager" : word;
}

void write_whole_file(const std::filesystem::path& path, std::string_view text, std::string_view what)
{
    namespace fs = std::filesystem;
    std::error_code error;
    if (path.has_parent_path())
        fs::create_directories(path.parent_path(), error);
    const fs::path draft = path.string() + ".part";
    int reason = error.value();
    if (!error) {
        errno = 0;
        std::ofstream out(draft, std::ios::trunc | std::ios::binary);
        out << text;
        out.close();
        reason = out ? 0 : errno != 0 ? errno : EIO;
        if (reason == 0) {
            fs::rename(draft, path, error);
            reason = error.value();
        }
    }
    if (reason != 0) {
        fs::remove(draft, error);
        throw std::runtime_error(
            fmt::format("{} cannot be written to {}: {}", what, path.string(), std::strerror(reason)));
    }
}

} // namespace mishap::detail
