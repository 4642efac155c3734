// SPDX-License-Identifier: MIT
#pragma once
/// What tests of approved outputs share: running programs, making their output stable, comparing it.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace golden {

namespace fs = std::filesystem;

extern const fs::path source_folder;

/// Whether MISHAP_ACCEPT asks to approve what came out.
bool accepts();

std::string read(const fs::path& file);
void write(const fs::path& file, const std::string& text);

struct finished
{
    int exit_code;
    std::string output;
};

/// Runs a shell command in a fresh folder.
finished run(const std::string& command);

/// Output without what differs between machines: times and paths.
std::string stable(std::string text, const std::string& program);

/// Compares with the approved file of that name, or approves. A name is relative to selftests/golden.
void compare(const std::string& actual, const std::string& approved_name);

/// The report as a picture of a terminal, in SVG.
std::string picture(const std::string& text);

} // namespace golden
