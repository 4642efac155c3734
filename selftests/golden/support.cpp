// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <fmt/format.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

namespace golden {

const fs::path source_folder = SOURCE_FOLDER;

std::string read(const fs::path& file)
{
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    EXPECT_TRUE(in) << file << " cannot be read";
    return text.str();
}

bool accepts() { return std::getenv("MISHAP_ACCEPT") != nullptr; }

void write(const fs::path& file, const std::string& text)
{
    std::ofstream out(file, std::ios::binary);
    out << text;
    EXPECT_TRUE(out) << file << " cannot be written";
}

finished run(const std::string& command)
{
    const fs::path folder = fs::path(testing::TempDir()) / fmt::format("golden_{}", getpid());
    fs::create_directories(folder);
    FILE* pipe = popen(
        fmt::format("unset COLUMNS NO_COLOR; cd '{}' && {} 2>&1", folder.string(), command).c_str(), "r");
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
    text = std::regex_replace(text, std::regex(R"(  took  [^\n]*\n)"), "");
    text = std::regex_replace(text, std::regex(R"(\(\d+ ms( total)?\))"), "(0 ms$1)");
    return text;
}

void compare(const std::string& actual, const std::string& approved_name)
{
    const fs::path approved = source_folder / "selftests/golden" / approved_name;
    if (accepts()) {
        write(approved, actual);
        return;
    }
    EXPECT_EQ(actual, read(approved)) << "run with MISHAP_ACCEPT=1 to approve this output as " << approved;
}

} // namespace golden
