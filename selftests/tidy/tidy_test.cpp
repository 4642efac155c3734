// SPDX-License-Identifier: MIT
// Goal: the rules about our sources that a program can check hold: length, width, who includes what,
// documents that name files which exist. Method: read every source below the folders that are ours. An
// exception is listed by name beside its rule, and the list fails as soon as one is no longer needed, so that
// it can only become shorter.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path root = SOURCE_FOLDER;

struct source
{
    std::string name; // below the root
    std::vector<std::string> lines;
};

std::vector<std::string> lines_of(const fs::path& file)
{
    std::ifstream in(file, std::ios::binary);
    EXPECT_TRUE(in) << file << " cannot be read";
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

bool is_one_of(const fs::path& file, std::initializer_list<const char*> endings)
{
    return std::ranges::find(endings, file.extension().string()) != endings.end();
}

/// Every C++ source of ours.
const std::vector<source>& sources()
{
    static const std::vector<source> all = [] {
        std::vector<source> found;
        for (const char* folder : {"include", "harness", "scenarios", "selftests"})
            for (const fs::directory_entry& at : fs::recursive_directory_iterator(root / folder))
                if (at.is_regular_file() && is_one_of(at.path(), {".cpp", ".hpp"}))
                    found.push_back(
                        {at.path().lexically_relative(root).generic_string(), lines_of(at.path())});
        return found;
    }();
    return all;
}

using names = std::set<std::string>;

/// Asserts that exactly the sources named as exceptions break a rule.
void expect_only(
    const names& exceptions, const std::string& rule, const std::function<bool(const source&)>& breaks)
{
    ASSERT_FALSE(sources().empty());
    names left = exceptions;
    for (const source& s : sources())
        if (breaks(s) && left.erase(s.name) == 0)
            ADD_FAILURE() << s.name << ": " << rule;
    for (const std::string& name : left)
        ADD_FAILURE() << name
                      << " is listed as an exception, but is none any more or does not exist: take it out of "
                      << "the list. The rule is: " << rule;
}

bool includes(const source& s, std::string_view what)
{
    return std::ranges::any_of(s.lines, [&](const std::string& line) {
        return line.starts_with("#include") && line.find(what) != std::string::npos;
    });
}

std::size_t width_of(std::string_view line)
{
    // What continues a character in UTF-8 takes no column.
    return static_cast<std::size_t>(std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; }));
}

TEST(sources, have_at_most_650_lines)
{
    expect_only({}, "a source has at most 650 lines: cut it along what changes together",
        [](const source& s) { return s.lines.size() > 650; });
}

TEST(sources, have_lines_of_at_most_110_columns)
{
    expect_only({}, "a line has at most 110 columns: break it by hand where clang-format cannot",
        [](const source& s) {
            return std::ranges::any_of(s.lines, [](const std::string& line) { return width_of(line) > 110; });
        });
}

TEST(sources, begin_with_their_licence)
{
    expect_only({}, "a source begins with the line `// SPDX-License-Identifier: MIT`", [](const source& s) {
        return s.lines.empty() || s.lines.front() != "// SPDX-License-Identifier: MIT";
    });
}

/// The longest sentence in the doc comments of a source, listings left out, in words.
std::size_t longest_sentence(const source& s)
{
    std::size_t longest = 0;
    std::size_t words = 0;
    bool in_listing = false;
    const auto end = [&] {
        longest = std::max(longest, words);
        words = 0;
    };
    for (const std::string& line : s.lines) {
        const std::size_t at = line.find("///");
        const std::string text = at == std::string::npos ? "" : line.substr(at + 3);
        if (text.empty() || text.starts_with(" - ") || text.starts_with('<'))
            end();
        if (text.empty())
            in_listing = in_listing && at != std::string::npos;
        if (text.starts_with(" ```"))
            in_listing = !in_listing;
        if (in_listing)
            continue;
        std::istringstream in(text);
        for (std::string word; in >> word;) {
            ++words;
            word.erase(word.find_last_not_of(")\"`") + 1);
            if (word.ends_with('.') || word.ends_with('!') || word.ends_with('?'))
                end();
        }
    }
    end();
    return longest;
}

TEST(comments, of_public_headers_have_sentences_of_at_most_35_words)
{
    expect_only({}, "a sentence in a doc comment has at most 35 words: make two of it",
        [](const source& s) { return s.name.starts_with("include/") && longest_sentence(s) > 35; });
}

TEST(includes, of_asio_are_in_the_simulation_and_where_errors_are_identified)
{
    expect_only(
        {
            "harness/scenario/run.cpp",
            "harness/vocabulary/causes.cpp",
            "harness/vocabulary/site.cpp",
            "harness/vocabulary/wire_errors.cpp",
        },
        "of harness/ only simulation/ and fault/error.cpp know Asio: let them decide what needs it",
        [](const source& s) {
            return s.name.starts_with("harness/") && !s.name.starts_with("harness/simulation/") &&
                   s.name != "harness/fault/error.cpp" && includes(s, "<boost/asio");
        });
}

TEST(includes, of_asio_in_public_headers_are_few)
{
    const names allowed{"include/mishap/context.hpp", "include/mishap/detail/completion.hpp",
        "include/mishap/environment.hpp", "include/mishap/gmock.hpp", "include/mishap/manager.hpp",
        "include/mishap/network.hpp", "include/mishap/resource.hpp"};
    expect_only(allowed, "a public header includes Asio only where it must, since it is slow to compile",
        [](const source& s) { return s.name.starts_with("include/") && includes(s, "<boost/asio"); });
    expect_only({}, "no public header includes all of Asio",
        [](const source& s) { return s.name.starts_with("include/") && includes(s, "<boost/asio.hpp>"); });
}

TEST(includes, of_the_world_are_in_the_simulation)
{
    expect_only({"selftests/bench/bench.cpp"},
        "only harness/simulation/ includes world.hpp: the rest of the harness runs through "
        "simulation/run.hpp",
        [](const source& s) {
            return !s.name.starts_with("harness/simulation/") && includes(s, "/world.hpp\"");
        });
}

/// Every document that people read, below the root.
std::vector<fs::path> documents()
{
    std::vector<fs::path> found{root / "README.md", root / "CONTRIBUTING.md", root / "CHANGELOG.md"};
    for (const char* folder : {"harness", "scenarios", "selftests"})
        for (const fs::directory_entry& at : fs::recursive_directory_iterator(root / folder))
            if (at.path().extension() == ".md")
                found.push_back(at.path());
    return found;
}

/// The targets of Markdown's links, without those to other hosts and within the page.
std::vector<std::string> links_in(const std::string& line)
{
    static const std::regex link(R"(\]\(([^)\s]+)\))");
    std::vector<std::string> found;
    for (auto it = std::sregex_iterator(line.begin(), line.end(), link); it != std::sregex_iterator(); ++it) {
        const std::string target = (*it)[1].str();
        if (target.find("://") == std::string::npos && !target.starts_with('#'))
            found.push_back(target.substr(0, target.find('#')));
    }
    return found;
}

/// Words in backticks that name something of this tree.
std::vector<std::string> paths_in(const std::string& line)
{
    static const std::regex path(R"(`((?:harness|scenarios|selftests|include)/[A-Za-z0-9_./-]*)`)");
    std::vector<std::string> found;
    for (auto it = std::sregex_iterator(line.begin(), line.end(), path); it != std::sregex_iterator(); ++it)
        found.push_back((*it)[1].str());
    return found;
}

TEST(documents, name_files_that_exist)
{
    std::size_t seen = 0;
    const auto exists = [&](const fs::path& file) {
        ++seen;
        return fs::exists(file);
    };
    for (const fs::path& document : documents()) {
        bool code = false;
        std::size_t number = 0;
        for (const std::string& line : lines_of(document)) {
            ++number;
            if (line.starts_with("```"))
                code = !code;
            if (code)
                continue;
            const std::string at = fmt::format("{}:{}", document.lexically_relative(root).string(), number);
            for (const std::string& target : links_in(line))
                EXPECT_TRUE(exists(document.parent_path() / target))
                    << at << " links to " << target << ", which does not exist";
            for (const std::string& target : paths_in(line))
                EXPECT_TRUE(exists(root / target)) << at << " names " << target << ", which does not exist";
        }
    }
    EXPECT_GT(seen, 10u) << "the patterns of this test find nothing any more";
}

/// The rows of harness/README.md's table of folders are the folders there.
TEST(documents, list_the_folders_of_the_harness)
{
    names listed, there;
    static const std::regex row(R"(^\| `([a-z]+)/` \|)");
    for (const std::string& line : lines_of(root / "harness/README.md"))
        if (std::smatch match; std::regex_search(line, match, row))
            listed.insert(match[1].str());
    for (const fs::directory_entry& at : fs::directory_iterator(root / "harness"))
        if (at.is_directory())
            there.insert(at.path().filename().string());
    EXPECT_EQ(listed, there) << "harness/README.md's first table lists other folders than harness/ has";
}

} // namespace
