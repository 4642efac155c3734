// SPDX-License-Identifier: MIT
#include "patterns.hpp"

#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace mishap::detail {

namespace {

bool is_of_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

void replace_all(std::string& text, std::string_view from, std::string_view to)
{
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
}

/// Replaces a word of C++ code, and leaves comments and names that contain the word alone.
std::string with_word(std::string_view code, std::string_view word, std::string_view by)
{
    std::string text;
    bool in_comment = false;
    for (std::size_t at = 0; at < code.size();) {
        in_comment = code[at] != '\n' && (in_comment || code.substr(at, 2) == "//");
        const bool begins = at == 0 || !is_of_word(code[at - 1]);
        const std::size_t end = at + word.size();
        if (!in_comment && begins && code.substr(at, word.size()) == word &&
            (end == code.size() || !is_of_word(code[end]))) {
            text += by;
            at = end;
        } else {
            text += code[at++];
        }
    }
    return text;
}

/// Names that the templates give a meaning of their own, and words that no function can be called by.
bool is_taken(std::string_view name)
{
    constexpr std::array taken{"alignas", "alignof", "and", "app", "asio", "asm", "auto", "bool", "boost",
        "break", "case", "catch", "char", "class", "concept", "const", "continue", "decltype", "default",
        "delete", "do", "double", "else", "enum", "explicit", "export", "extern", "false", "float", "for",
        "friend", "goto", "if", "inline", "int", "long", "main", "mishap", "mutable", "namespace", "new",
        "noexcept", "not", "nullptr", "operator", "or", "private", "protected", "public", "register",
        "requires", "return", "short", "signed", "sizeof", "static", "std", "struct", "switch", "template",
        "this", "throw", "true", "try", "typedef", "typeid", "typename", "union", "unsigned", "using",
        "virtual", "void", "volatile", "while", "xor", "async_lock", "clock", "configuration", "connection",
        "deadline_error", "fake", "lend", "log", "retrying", "validate", "waiter", "with_deadline", "acquire",
        "close", "create", "discard", "free_slot", "give_back", "shut_down", "take_waiter", "with_connection",
        "with_resource"};
    return std::find(taken.begin(), taken.end(), name) != taken.end();
}

void check_name(std::string_view name)
{
    const bool is_identifier = !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
                               std::all_of(name.begin(), name.end(), [](char c) {
                                   return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                               });
    if (!is_identifier)
        throw input_error(
            fmt::format("'{}' cannot be a manager's name: begin with a-z and use a-z, 0-9 and _", name));
    if (is_taken(name))
        throw input_error(fmt::format(
            "'{}' cannot be a manager's name, since C++ or the template uses it otherwise: try my_{}", name,
            name));
}

} // namespace

std::vector<written_file> files_of_new(std::string_view name, std::string_view pattern)
{
    check_name(name);
    const auto& all = pattern_templates();
    const auto chosen =
        std::find_if(all.begin(), all.end(), [&](const pattern_template& p) { return p.name == pattern; });
    if (chosen == all.end()) {
        std::vector<std::string> names;
        for (const pattern_template& p : all)
            names.emplace_back(p.name);
        throw input_error("--pattern: " + unknown_word("pattern", pattern, names));
    }
    std::vector<written_file> files;
    for (const template_file& file : chosen->files) {
        written_file made{std::string(file.name), std::string(file.text)};
        replace_all(made.name, "@name@", name);
        if (file.from == template_file::origin::template_file)
            replace_all(made.text, "@name@", name);
        else
            made.text = with_word(made.text, "catalogue", "app");
        if (file.from == template_file::origin::catalogue_file)
            made.text = with_word(made.text, chosen->word, name);
        files.push_back(std::move(made));
    }
    return files;
}

std::string write_new(const std::string& name, const std::string& pattern, const std::string& into)
{
    namespace fs = std::filesystem;
    const std::vector<written_file> files = files_of_new(name, pattern);
    const fs::path folder = (fs::path(into) / name).lexically_normal();
    for (const written_file& file : files)
        if (std::error_code ignored; fs::exists(fs::symlink_status(folder / file.name, ignored)))
            throw input_error(
                fmt::format("{} is there already, and nothing is overwritten: choose another name, or "
                            "another folder with --into",
                    (folder / file.name).string()));
    std::string said;
    for (const written_file& file : files) {
        const fs::path path = folder / file.name;
        std::error_code failed;
        fs::create_directories(path.parent_path(), failed);
        errno = 0;
        std::ofstream out(path, std::ios::binary);
        out << file.text;
        if (!out.flush())
            throw input_error(fmt::format("cannot write {}: {}", path.string(),
                std::strerror(failed       ? failed.value()
                              : errno != 0 ? errno
                                           : EIO)));
        said += fmt::format("wrote {}\n", path.string());
    }
    const std::string shown = folder.string();
    said +=
        fmt::format("\nBuild it and run its scenarios:\n"
                    "  cmake -S {0} -B {0}/build && cmake --build {0}/build && {0}/build/{1}_mishaps run\n",
            shown, name);
    return said;
}

} // namespace mishap::detail
