// SPDX-License-Identifier: MIT
#pragma once
/// Runs a program as its user would, in a folder of its own, and keeps what it said.

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace misuse {

/// How a child ended. A signal shows as 128 and its number, as a shell has it.
struct ended
{
    int code = -1;
    std::string out;
    std::string err;
};

/// Variables to set for the child. Those that mishap, RapidCheck and GoogleTest read are never inherited.
using variables = std::map<std::string, std::string>;

/// Each test runs its children in a fresh folder, which is gone afterwards.
class in_fresh_folder : public testing::Test
{
protected:
    in_fresh_folder();
    ~in_fresh_folder() override;

    /// Writes a file below the folder, with the folders on its way.
    void write(const std::string& name, std::string_view text) const;
    /// Where a file of that name is.
    std::filesystem::path path(const std::string& name) const { return folder_ / "here" / name; }
    /// What the child left in that file.
    std::string read(const std::string& name) const;
    /// Names of the files in a folder below the fresh one, in order; none if there is no such folder.
    std::vector<std::string> files_in(const std::string& name) const;

    /// The program mishap, with the catalogue.
    ended mishap(std::vector<std::string> arguments, const variables& set = {}) const;
    ended run(
        const std::string& program, std::vector<std::string> arguments, const variables& set = {}) const;
    /// Likewise, under a debugger that lets it run.
    ended run_debugged(
        const std::string& program, std::vector<std::string> arguments, const variables& set = {}) const;

private:
    ended start(const std::string& program, std::vector<std::string> arguments, const variables& set,
        int (*wait)(pid_t child)) const;

    std::filesystem::path folder_;
};

/// Whether `text` has `words` in it, however its lines are folded; if not, the message shows all of `text`.
testing::AssertionResult says(const std::string& text, std::string_view words);

/// The only line of `text` that begins with `beginning`, or an empty string.
std::string line_of(const std::string& text, std::string_view beginning);

/// What a program said, without the line that tells how long it took.
std::string without_time(const std::string& text);

/// What breaks a rule of the catalogue's `bad_cleanup`.
inline const std::string violating_plan = "resource.use=fail(io_error) resource.close=fail(io_error)";

/// Every message about input begins like this.
inline constexpr std::string_view error = "mishap: error: ";

} // namespace misuse
