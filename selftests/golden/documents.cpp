// SPDX-License-Identifier: MIT
// Goal: what the README and the guides show and name is true.
// Method: compare their blocks with the files and lists that they name; follow what they refer to.
// MISHAP_ACCEPT=1 writes the blocks.

#include "support.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <sstream>
#include <vector>

using namespace golden;

namespace {

/// Between `<!-- list: WORDS -->` and `<!-- end of list -->` stands what `mishap list WORDS` prints.
void compare_lists(const char* name, int expected)
{
    const fs::path document = source_folder / name;
    std::string text = read(document);
    const std::string begin = "<!-- list: ", end = "<!-- end of list -->\n";
    int found = 0;
    for (std::size_t at = 0; (at = text.find(begin, at)) != std::string::npos; ++found) {
        const std::size_t words = at + begin.size();
        const std::size_t start = text.find(" -->\n", words) + 5;
        const std::size_t stop = text.find(end, start);
        ASSERT_NE(stop, std::string::npos) << "a list has no end";
        const std::string what = text.substr(words, start - 5 - words);
        const finished done = run(fmt::format("'{}' list {} --format markdown", MISHAP_PROGRAM, what));
        EXPECT_EQ(done.exit_code, 0) << done.output;
        if (accepts())
            text.replace(start, stop - start, done.output);
        else
            EXPECT_EQ(text.substr(start, stop - start), done.output)
                << "run with MISHAP_ACCEPT=1 to write list " << what << " into " << document;
        at = start;
    }
    EXPECT_EQ(found, expected) << "a list is missing in " << document;
    if (accepts())
        write(document, text);
}

TEST(documents, reference_is_what_the_program_prints)
{
    compare_lists("scenarios/README.md", 11);
    compare_lists("harness/README.md", 1);
    compare_lists("scenarios/guide/reports.md", 1);
}

/// The README, the reference, the architecture and every guide.
std::vector<std::string> documents()
{
    std::vector<std::string> names{
        "README.md", "CONTRIBUTING.md", "scenarios/README.md", "harness/README.md"};
    for (const auto& entry : fs::directory_iterator(source_folder / "scenarios/guide"))
        if (entry.path().extension() == ".md")
            names.push_back("scenarios/guide/" + entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

/// A file as documents show it: without the line of its licence.
std::string text_to_show(const fs::path& file)
{
    const std::string text = read(file);
    return text.starts_with("// SPDX") || text.starts_with("# SPDX") ? text.substr(text.find('\n') + 1)
                                                                     : text;
}

/// Every fenced block of a document that stands under `<!-- from: FILE -->` must be that file's text.
TEST(documents, show_what_is_in_the_files)
{
    const std::string begin = "<!-- from: ", end = " -->\n```", close = "```\n";
    for (const std::string& name : documents()) {
        std::string text = read(source_folder / name);
        for (std::size_t at = 0; (at = text.find(begin, at)) != std::string::npos;) {
            const std::size_t file = at + begin.size();
            const std::size_t file_end = text.find(end, file);
            ASSERT_NE(file_end, std::string::npos) << name << " has a marker without its block";
            const std::string shown = text.substr(file, file_end - file);
            ASSERT_EQ(shown.find('\n'), std::string::npos) << name << " has a marker without its block";
            const std::size_t start = text.find('\n', file_end + end.size()) + 1;
            const std::size_t stop = text.find(close, start);
            ASSERT_NE(stop, std::string::npos) << name << " has a block without an end";
            const std::string there = text_to_show(source_folder / shown);
            if (accepts())
                text.replace(start, stop - start, there);
            else
                EXPECT_EQ(text.substr(start, stop - start), there)
                    << name << " does not show " << shown << " as it is; MISHAP_ACCEPT=1 mends that";
            at = start;
        }
        if (accepts())
            write(source_folder / name, text);
    }
}

/// A scenario that a page names, as `folder/name.yaml`, is there, and so is each pattern in the lists at
/// their ends.
TEST(documents, name_scenarios_that_exist)
{
    int found = 0;
    for (const std::string& name : documents()) {
        if (!name.starts_with("scenarios/"))
            continue;
        const std::string text = read(source_folder / name);
        const std::regex scenario("`([a-z_]+/[a-z0-9_]+\\.yaml)`");
        for (auto it = std::sregex_iterator(text.begin(), text.end(), scenario); it != std::sregex_iterator();
             ++it, ++found)
            EXPECT_TRUE(fs::exists(source_folder / "scenarios" / (*it)[1].str())) << name << ": " << (*it)[1];
        const std::size_t patterns = text.find("**Patterns**:");
        if (patterns == std::string::npos)
            continue;
        const std::string list = text.substr(patterns, text.find("`mishap new", patterns) - patterns);
        const std::regex pattern("`([a-z_]+)`");
        for (auto it = std::sregex_iterator(list.begin(), list.end(), pattern); it != std::sregex_iterator();
             ++it)
            EXPECT_TRUE(fs::is_directory(source_folder / "scenarios" / (*it)[1].str()))
                << name << ": " << (*it)[1];
    }
    EXPECT_GT(found, 20);
}

/// Each rule of the documents is broken somewhere, and the scenario there expects an invariant that checks
/// the rule.
TEST(documents, rules_are_caught_where_the_list_says)
{
    std::istringstream rows(run(fmt::format("'{}' list document-rules", MISHAP_PROGRAM)).output);
    int items = 0;
    for (std::string row; std::getline(rows, row); ++items) {
        std::smatch cells;
        ASSERT_TRUE(std::regex_match(row, cells, std::regex("(.*\\S) {2,}(\\S.*\\S) {2,}(\\S+)"))) << row;
        const std::string checked_by = cells[2], file = cells[3];
        ASSERT_TRUE(fs::exists(source_folder / file)) << row;
        if (checked_by.ends_with("the compiler")) {
            const std::string tests = read(source_folder / "selftests/compile_fail/CMakeLists.txt");
            EXPECT_NE(tests.find(fs::path(file).stem().string()), std::string::npos) << row;
            continue;
        }
        const std::string invariant = checked_by.substr(checked_by.rfind(' ') + 1);
        const std::string scenario = read(source_folder / file);
        const std::size_t violates = scenario.find("violates: [");
        ASSERT_NE(violates, std::string::npos) << row;
        EXPECT_NE(scenario.find(invariant, violates), std::string::npos) << row;
    }
    EXPECT_EQ(items, 32);
}

/// A link to a file leads somewhere, and each guide is reached from the index of guides.
TEST(documents, links_lead_somewhere)
{
    const std::regex link(R"(\]\(([^)# ]+)(#[^)]*)?\))");
    int found = 0;
    for (const std::string& name : documents()) {
        const std::string text = read(source_folder / name);
        for (auto it = std::sregex_iterator(text.begin(), text.end(), link); it != std::sregex_iterator();
             ++it) {
            const std::string target = (*it)[1];
            if (target.starts_with("http"))
                continue;
            ++found;
            EXPECT_TRUE(fs::exists((source_folder / name).parent_path() / target)) << name << ": " << target;
        }
    }
    EXPECT_GT(found, 20);
    const std::string index = read(source_folder / "scenarios/guide/README.md");
    for (const std::string& name : documents()) {
        if (!name.starts_with("scenarios/guide/") || name.ends_with("README.md"))
            continue;
        EXPECT_NE(index.find("](" + fs::path(name).filename().string() + ")"), std::string::npos)
            << "the index of guides lacks " << name;
    }
}

TEST(documents, the_first_page_is_short)
{
    const std::string text = read(source_folder / "README.md");
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 200) << "move the rest to a guide";
}

/// No page speaks of a command of `harness/dev` that there is not.
TEST(documents, name_commands_that_exist)
{
    const std::string commands = read(source_folder / "harness/dev");
    const std::regex command(R"(harness/dev ([a-z]+))");
    for (const std::string& name : documents()) {
        const std::string text = read(source_folder / name);
        for (auto it = std::sregex_iterator(text.begin(), text.end(), command); it != std::sregex_iterator();
             ++it) {
            const std::string name_of_command = "\n    " + (*it)[1].str();
            const bool is_there = commands.find(name_of_command + ")") != std::string::npos ||
                                  commands.find(name_of_command + " |") != std::string::npos;
            EXPECT_TRUE(is_there) << name << ": harness/dev " << (*it)[1];
        }
    }
}

} // namespace
