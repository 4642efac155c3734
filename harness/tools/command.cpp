// SPDX-License-Identifier: MIT
#include "command.hpp"

#include <clang-c/CXCompilationDatabase.h>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace mishap::tools {

namespace fs = std::filesystem;

bool arguments::has(std::string_view option) const
{
    return std::any_of(options.begin(), options.end(), [&](const auto& one) { return one.first == option; });
}

std::string arguments::value(std::string_view option) const
{
    std::string found;
    for (const auto& [name, value] : options)
        if (name == option)
            found = value;
    return found;
}

arguments parse_arguments(const std::vector<std::string>& given, const std::vector<option>& known)
{
    arguments parsed;
    for (std::size_t i = 0; i < given.size(); ++i) {
        const std::string& word = given[i];
        if (word == "--") {
            parsed.rest.assign(given.begin() + static_cast<std::ptrdiff_t>(i) + 1, given.end());
            break;
        }
        if (!word.starts_with('-') || word == "-") {
            parsed.words.push_back(word);
            continue;
        }
        const std::size_t equals = word.find('=');
        const std::string name = word.substr(0, equals);
        const auto match =
            std::find_if(known.begin(), known.end(), [&](const option& one) { return one.name == name; });
        if (match == known.end())
            throw usage_error(fmt::format("unknown option '{}'; known:\n{}", name, help_of(known)));
        std::string value;
        if (match->takes_value) {
            if (equals != std::string::npos)
                value = word.substr(equals + 1);
            else if (i + 1 < given.size() && given[i + 1] != "--")
                value = given[++i];
            else
                throw usage_error(fmt::format("option '{}' needs a value: {}", name, match->help));
        } else if (equals != std::string::npos) {
            throw usage_error(fmt::format("option '{}' takes no value", name));
        }
        parsed.options.emplace_back(name, value);
    }
    return parsed;
}

std::string help_of(const std::vector<option>& known)
{
    std::string text;
    for (const option& one : known)
        text +=
            fmt::format("  {:<24} {}\n", std::string(one.name) + (one.takes_value ? " VALUE" : ""), one.help);
    return text;
}

std::string read_file(const std::string& path)
{
    std::ifstream in(path, std::ios::binary);
    std::error_code ignored;
    if (!in || fs::is_directory(path, ignored))
        throw usage_error(fmt::format("{}: cannot be read", path));
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& text)
{
    std::error_code ignored;
    if (const fs::path parent = fs::path(path).parent_path(); !parent.empty())
        fs::create_directories(parent, ignored);
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    if (!out)
        throw usage_error(fmt::format("{}: cannot be written", path));
}

void write_new_file(const std::string& path, const std::string& text)
{
    std::error_code ignored;
    if (fs::exists(path, ignored))
        throw usage_error(
            fmt::format("{}: is there already and is not overwritten; move it away or choose another folder "
                        "with --output",
                path));
    write_file(path, text);
}

std::string find_commands(const std::string& folder, const std::string& file)
{
    std::error_code ignored;
    if (!folder.empty()) {
        if (!fs::exists(fs::path(folder) / "compile_commands.json", ignored))
            throw usage_error(fmt::format("{}: has no compile_commands.json; configure with "
                                          "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
                folder));
        return folder;
    }
    for (fs::path at = fs::absolute(file, ignored).parent_path();; at = at.parent_path()) {
        std::vector<fs::path> candidates{at};
        if (fs::is_directory(at / "build", ignored)) {
            candidates.push_back(at / "build");
            std::vector<fs::path> below;
            for (const auto& entry : fs::directory_iterator(at / "build", ignored))
                if (entry.is_directory(ignored))
                    below.push_back(entry.path());
            std::sort(below.begin(), below.end());
            std::ranges::move(below, std::back_inserter(candidates));
        }
        for (const fs::path& one : candidates)
            if (fs::exists(one / "compile_commands.json", ignored))
                return one.string();
        if (at == at.root_path() || at.empty())
            return {};
    }
}

namespace {

/// A path as it is meant in that folder. clang's own flag for this would change the folder of the whole
/// process, and so that of every other thread.
std::string below(const std::string& folder, const std::string& path)
{
    std::error_code ignored;
    const fs::path joined = (fs::path(folder) / path).lexically_normal();
    return folder.empty() || !fs::exists(joined, ignored) ? path : joined.string();
}

} // namespace

std::vector<std::string> portable_flags(const std::vector<std::string>& command, const std::string& folder)
{
    constexpr std::string_view with_value[] = {"-I", "-isystem", "-iquote", "-idirafter", "-D", "-U",
        "-include", "-imacros", "-x", "--sysroot", "-isysroot"};
    constexpr std::string_view alone[] = {"-nostdinc", "-nostdinc++", "-pthread", "-fno-exceptions",
        "-fno-rtti", "-m32", "-m64", "-fchar8_t", "-fno-char8_t"};
    std::vector<std::string> kept;
    for (std::size_t i = 0; i < command.size(); ++i) {
        std::string word = command[i];
        // MSVC's and clang-cl's spellings.
        for (const auto& [theirs, ours] :
            {std::pair<std::string_view, std::string_view>{"/I", "-I"}, {"/D", "-D"}, {"/U", "-U"},
                {"/std:", "-std="}, {"/FI", "-include"}, {"/external:I", "-isystem"}})
            if (word.starts_with(theirs) && !fs::exists(word))
                word = std::string(ours) + word.substr(theirs.size());
        if (word == "-std=c++latest")
            word = "-std=c++2b";
        if (word.starts_with("-std=") || word.starts_with("-stdlib=") || word.starts_with("--sysroot=")) {
            kept.push_back(word);
            continue;
        }
        if (std::find(std::begin(alone), std::end(alone), word) != std::end(alone)) {
            kept.push_back(word);
            continue;
        }
        for (const std::string_view flag : with_value) {
            if (!word.starts_with(flag) || (flag == "-x" && word != flag) ||
                (flag == "-I" && word.starts_with("-Wl")) ||
                (flag == "-include" && word.starts_with("-include-pch")))
                continue;
            const bool names_path = flag != "-D" && flag != "-U" && flag != "-x";
            if (word != flag) {
                const std::string value = word.substr(flag.size());
                kept.push_back(std::string(flag) + (names_path ? below(folder, value) : value));
            } else if (i + 1 < command.size()) {
                const std::string& value = command[++i];
                kept.push_back(word);
                kept.push_back(names_path ? below(folder, value) : value);
            }
            break;
        }
    }
    return kept;
}

namespace {

struct command_line
{
    std::string file;
    std::string folder;
    std::vector<std::string> words;
};

std::string text_of(CXString text)
{
    const char* const characters = clang_getCString(text);
    std::string copy = characters ? characters : "";
    clang_disposeString(text);
    return copy;
}

std::vector<command_line> all_commands(const std::string& folder)
{
    CXCompilationDatabase_Error error = CXCompilationDatabase_NoError;
    const CXCompilationDatabase database = clang_CompilationDatabase_fromDirectory(folder.c_str(), &error);
    if (error != CXCompilationDatabase_NoError)
        throw usage_error(
            fmt::format("{}/compile_commands.json: cannot be read; configure the project anew", folder));
    std::vector<command_line> all;
    const CXCompileCommands commands = clang_CompilationDatabase_getAllCompileCommands(database);
    const unsigned count = clang_CompileCommands_getSize(commands);
    for (unsigned i = 0; i < count; ++i) {
        const CXCompileCommand one = clang_CompileCommands_getCommand(commands, i);
        command_line made{text_of(clang_CompileCommand_getFilename(one)),
            text_of(clang_CompileCommand_getDirectory(one)), {}};
        const unsigned words = clang_CompileCommand_getNumArgs(one);
        for (unsigned k = 1; k < words; ++k)
            made.words.push_back(text_of(clang_CompileCommand_getArg(one, k)));
        made.file = (fs::path(made.folder) / made.file).lexically_normal().string();
        all.push_back(std::move(made));
    }
    clang_CompileCommands_dispose(commands);
    clang_CompilationDatabase_dispose(database);
    return all;
}

std::size_t common_prefix(const std::string& a, const std::string& b)
{
    return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

bool is_header(const std::string& file)
{
    const std::string extension = fs::path(file).extension().string();
    return extension.empty() || extension.starts_with(".h") || extension == ".ipp" || extension == ".inc" ||
           extension == ".tpp";
}

} // namespace

compile_arguments arguments_for(const std::string& file, const std::string& commands_folder)
{
    compile_arguments found;
    if (!commands_folder.empty()) {
        const std::string path = fs::absolute(file).lexically_normal().string();
        const std::vector<command_line> all = all_commands(commands_folder);
        const command_line* best = nullptr;
        for (const command_line& one : all) {
            if (one.file == path) {
                best = &one;
                break;
            }
            // A file that is not compiled by itself is read as its nearest neighbour would be.
            if (!best || common_prefix(one.file, path) > common_prefix(best->file, path))
                best = &one;
        }
        if (best) {
            found.flags = portable_flags(best->words, best->folder);
            found.source = fmt::format("{}/compile_commands.json{}", commands_folder,
                best->file == path ? "" : fmt::format(", as for its neighbour {}", best->file));
        }
    }
    const bool has_standard = std::any_of(found.flags.begin(), found.flags.end(),
        [](const std::string& one) { return one.starts_with("-std="); });
    if (!has_standard)
        found.flags.push_back("-std=c++20");
    if (is_header(file))
        found.flags.insert(found.flags.begin(), {"-x", "c++"});
    if (found.source.empty())
        found.source = "no compile_commands.json; give flags after `--`";
    return found;
}

std::vector<std::string> files_in_commands(const std::string& commands_folder)
{
    std::vector<std::string> files;
    for (const command_line& one : all_commands(commands_folder))
        files.push_back(one.file);
    std::sort(files.begin(), files.end());
    files.erase(std::unique(files.begin(), files.end()), files.end());
    return files;
}

} // namespace mishap::tools
