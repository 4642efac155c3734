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
    compare(stable(done.output, MISHAP_PROGRAM), "catalogue.txt");
}

TEST(golden, lists)
{
    std::string all;
    for (const char* what : {"faults", "invariants", "errors", "contract", "keys"})
        all += run(fmt::format("'{}' list {}", MISHAP_PROGRAM, what)).output + "\n";
    compare(all, "lists.txt");
}

/// Between `<!-- list: WORDS -->` and `<!-- end of list -->` stands what `mishap list WORDS` prints.
TEST(documents, reference_is_what_the_program_prints)
{
    const fs::path document = source_folder / "scenarios/README.md";
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
    EXPECT_EQ(found, 10) << "a list is missing in " << document;
    if (std::getenv("MISHAP_ACCEPT"))
        std::ofstream(document, std::ios::binary) << text;
}

/// Every fenced block of a document that stands under `<!-- from: FILE -->` must be that file's text, or the
/// part of it between lines that contain `[shown` and `shown]`.
TEST(documents, show_what_is_in_the_files)
{
    for (const char* name : {"README.md", "scenarios/README.md", "harness/README.md"}) {
        const std::string text = read(source_folder / name);
        const std::regex block("<!-- from: ([^ ]+) -->\n```[a-z]*\n([^]*?\n)```");
        int found = 0;
        for (auto it = std::sregex_iterator(text.begin(), text.end(), block); it != std::sregex_iterator();
             ++it) {
            ++found;
            EXPECT_EQ((*it)[2].str(), read(source_folder / (*it)[1].str()))
                << name << " does not show " << (*it)[1] << " as it is";
        }
        const std::regex marker("<!-- from: ");
        const auto markers =
            std::distance(std::sregex_iterator(text.begin(), text.end(), marker), std::sregex_iterator());
        EXPECT_EQ(found, markers) << name << " has a marker without its block";
    }
}

} // namespace
