#include "document.hpp"

#include <mishap/scenario.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace mishap {

using detail::file_size_max;

scenario load_scenario(const std::string& file)
{
    namespace fs = std::filesystem;
    std::error_code error;
    if (!fs::exists(file, error))
        throw scenario_error({file, 1, 1}, "there is no such file");
    if (fs::is_directory(file, error))
        throw scenario_error({file, 1, 1}, "this is a folder, not a file");
    if (fs::file_size(file, error) > file_size_max && !error)
        throw scenario_error({file, 1, 1}, fmt::format("the file is larger than {} bytes", file_size_max));
    if (const std::string why = check_file_name(file); !why.empty())
        throw scenario_error({file, 1, 1}, why);
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in)
        throw scenario_error({file, 1, 1}, "the file cannot be read");
    return parse_scenario(text.str(), file);
}

std::string check_file_name(const std::string& file)
{
    const std::string name = std::filesystem::path(file).filename().string();
    const std::string stem = std::filesystem::path(file).stem().string();
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
    namespace fs = std::filesystem;
    std::error_code error;
    if (!fs::exists(path, error))
        throw input_error(fmt::format("{}: there is no such file or folder", path));
    if (!fs::is_directory(path, error))
        return {path};
    std::vector<std::string> files;
    for (auto it = fs::recursive_directory_iterator(path, error);
         !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
        const auto extension = it->path().extension();
        if (it->is_regular_file() && (extension == ".yaml" || extension == ".yml"))
            files.push_back(it->path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::vector<std::string>& detail::scenario_folders()
{
    static std::vector<std::string> folders;
    return folders;
}

} // namespace mishap
