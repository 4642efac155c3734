// SPDX-License-Identifier: MIT
// Goal: what people are shown stays as it was approved, and what the README shows is true.
// Method: run programs, make their output stable (times and paths), compare it with an approved file beside
// this one; compare the README's blocks with the files that they name. MISHAP_ACCEPT=1 approves what came
// out.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path source_folder = SOURCE_FOLDER;

std::string read(const fs::path& file)
{
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    EXPECT_TRUE(in) << file << " cannot be read";
    return text.str();
}

struct finished
{
    int exit_code;
    std::string output;
};

finished run(const std::string& command)
{
    const fs::path folder = fs::path(testing::TempDir()) / fmt::format("golden_{}", getpid());
    fs::create_directories(folder);
    FILE* pipe = popen(fmt::format("cd '{}' && {} 2>&1", folder.string(), command).c_str(), "r");
    if (!pipe) {
        ADD_FAILURE() << "cannot run " << command;
        return {};
    }
    finished result{};
    char buffer[4096];
    for (std::size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
        result.output.append(buffer, n);
    result.exit_code = WEXITSTATUS(pclose(pipe));
    fs::remove_all(folder);
    return result;
}

std::string stable(std::string text, const std::string& program)
{
    const auto replace_all = [&](const std::string& from, const std::string& to) {
        for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
            text.replace(at, from.size(), to);
    };
    replace_all(program, "./" + fs::path(program).filename().string());
    replace_all(source_folder.string() + "/", "");
    // A compiler cache with a base folder makes paths relative to the build folder.
    text = std::regex_replace(text, std::regex(R"((\.\./)+selftests/)"), "selftests/");
    text = std::regex_replace(text, std::regex(R"(\(\d+ ms( total)?\))"), "(0 ms$1)");
    return text;
}

void compare(const std::string& actual, const std::string& approved_name)
{
    const fs::path approved = source_folder / "selftests/golden" / approved_name;
    if (std::getenv("MISHAP_ACCEPT")) {
        std::ofstream(approved, std::ios::binary) << actual;
        return;
    }
    EXPECT_EQ(actual, read(approved)) << "run with MISHAP_ACCEPT=1 to approve this output as " << approved;
}

TEST(golden, first_test_fails_with_this_report)
{
    const finished done = run(std::string("'") + FIRST_TEST + "'");
    EXPECT_EQ(done.exit_code, 1);
    compare(stable(done.output, FIRST_TEST), "first_test.txt");
}

TEST(golden, sweep_of_a_wrong_manager)
{
    const finished done =
        run(fmt::format("'{}' sweep timeout_protected_as_written --perturbations 1", MISHAP_PROGRAM));
    EXPECT_EQ(done.exit_code, 1);
    compare(stable(done.output, MISHAP_PROGRAM), "sweep.txt");
}

TEST(golden, run_of_the_catalogue)
{
    const finished done =
        run(fmt::format("'{}' run '{}'", MISHAP_PROGRAM, (source_folder / "scenarios").string()));
    EXPECT_EQ(done.exit_code, 0);
    const std::string output = stable(done.output, MISHAP_PROGRAM);
    compare(output, "catalogue.txt");
    const std::size_t table = output.find("\npattern ");
    ASSERT_NE(table, std::string::npos) << output;
    compare(output.substr(table + 1), "verdicts.txt");
}

TEST(golden, lists)
{
    std::string all;
    for (const char* what :
        {"faults", "invariants", "waivers", "errors", "contract", "keys", "patterns", "document-rules"})
        all += run(fmt::format("'{}' list {}", MISHAP_PROGRAM, what)).output + "\n";
    compare(all, "lists.txt");
}

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
        if (std::getenv("MISHAP_ACCEPT"))
            text.replace(start, stop - start, done.output);
        else
            EXPECT_EQ(text.substr(start, stop - start), done.output)
                << "run with MISHAP_ACCEPT=1 to write list " << what << " into " << document;
        at = start;
    }
    EXPECT_EQ(found, expected) << "a list is missing in " << document;
    if (std::getenv("MISHAP_ACCEPT"))
        std::ofstream(document, std::ios::binary) << text;
}

TEST(documents, reference_is_what_the_program_prints)
{
    compare_lists("scenarios/README.md", 11);
    compare_lists("harness/README.md", 1);
}

const std::vector<std::string> documents{"README.md", "scenarios/README.md", "scenarios/sessions.md",
    "scenarios/pools.md", "scenarios/transactions.md", "scenarios/locks.md", "scenarios/writers.md",
    "scenarios/retries.md", "harness/README.md"};

/// A file as documents show it: without the line of its licence.
std::string text_to_show(const fs::path& file)
{
    const std::string text = read(file);
    return text.starts_with("// SPDX") ? text.substr(text.find('\n') + 1) : text;
}

/// Every fenced block of a document that stands under `<!-- from: FILE -->` must be that file's text.
TEST(documents, show_what_is_in_the_files)
{
    const std::string begin = "<!-- from: ", end = " -->\n```", close = "```\n";
    for (const std::string& name : documents) {
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
            if (std::getenv("MISHAP_ACCEPT"))
                text.replace(start, stop - start, there);
            else
                EXPECT_EQ(text.substr(start, stop - start), there)
                    << name << " does not show " << shown << " as it is; MISHAP_ACCEPT=1 mends that";
            at = start;
        }
        if (std::getenv("MISHAP_ACCEPT"))
            std::ofstream(source_folder / name, std::ios::binary) << text;
    }
}

/// A scenario that a page names, as `folder/name.yaml`, is there, and so is each pattern in the lists at
/// their ends.
TEST(documents, name_scenarios_that_exist)
{
    int found = 0;
    for (const std::string& name : documents) {
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

} // namespace
