// SPDX-License-Identifier: MIT
#pragma once
/// Sources for the tools, written to a fresh folder, and the tools as their user runs them.

#include "checks.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace selftest {

struct ended
{
    int code = -1;
    std::string out;
    std::string err;
};

/// Each test has a fresh folder, which is gone afterwards.
class in_fresh_folder : public testing::Test
{
protected:
    in_fresh_folder();
    ~in_fresh_folder() override;

    std::string path(std::string_view name) const { return (folder_ / name).string(); }
    void write(std::string_view name, std::string_view text) const;
    std::string read(std::string_view name) const;

    /// mishap-tools, started in the fresh folder.
    ended tools(const std::vector<std::string>& arguments) const;
    ended run(const std::vector<std::string>& command) const;

private:
    std::filesystem::path folder_;
};

/// Flags for a file that includes Asio and this project.
std::vector<std::string> flags();

std::string file_text(const std::string& path);

/// `check: line` for each finding, so that a failing test shows where.
std::vector<std::string> shown(
    const mishap::tools::unit& in, const std::vector<mishap::tools::finding>& found);

/// The rows of a table of harness/tools/JUDGED.md: those below the heading, cell by cell, as plain text.
std::vector<std::vector<std::string>> judged(std::string_view heading);

void replace_all(std::string& text, std::string_view from, std::string_view to);

/// Just enough of the standard's coroutines to parse one, without any header.
extern const char* const bare_coroutines;

} // namespace selftest
