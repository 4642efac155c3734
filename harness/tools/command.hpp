// SPDX-License-Identifier: MIT
#pragma once
/// What the sub-commands of mishap-tools share.

#include <iosfwd>
#include <stdexcept>
#include <string>
#include <vector>

namespace mishap::tools {

/// As for `mishap` itself: 2 if any input was bad, else 1 if anything was found, else 3 if there was nothing
/// to do.
enum exit_code
{
    all_well = 0,
    something_found = 1,
    bad_input = 2,
    nothing_done = 3
};

/// What a person wrote cannot be used; the message says why, and what may be written.
class usage_error : public std::runtime_error
{
    using std::runtime_error::runtime_error;
};

/// The arguments of a sub-command: what is no option, options with their values, and what follows `--`.
struct arguments
{
    std::vector<std::string> words;
    std::vector<std::pair<std::string, std::string>> options;
    std::vector<std::string> rest;

    bool has(std::string_view option) const;
    /// The last value that was given, or an empty string.
    std::string value(std::string_view option) const;
};

struct option
{
    std::string_view name; ///< with its dashes
    bool takes_value = false;
    std::string_view help;
};

/// Errors: throws usage_error for an option that there is not, or that lacks its value.
arguments parse_arguments(const std::vector<std::string>& given, const std::vector<option>& known);

std::string help_of(const std::vector<option>& known);

/// The whole file. Errors: throws usage_error if it cannot be read.
std::string read_file(const std::string& path);

/// Writes a file that must not be there yet, with the folders on its way.
///
/// Errors: throws usage_error if it is there or cannot be written.
void write_new_file(const std::string& path, const std::string& text);

void write_file(const std::string& path, const std::string& text);

/// The compiler's arguments for a file, and how they were found.
struct compile_arguments
{
    std::vector<std::string> flags;
    std::string source; ///< "compile_commands.json of ...", or another explanation
};

/// Where compile_commands.json is: `folder` if it is given, else the nearest one in or below a parent of the
/// file.
std::string find_commands(const std::string& folder, const std::string& file);

/// What of a command line any compiler's front end needs: include paths, definitions, the language. Whatever
/// else GCC or another compiler was told is left out, since clang may refuse it.
std::vector<std::string> portable_flags(const std::vector<std::string>& command, const std::string& folder);

compile_arguments arguments_for(const std::string& file, const std::string& commands_folder);

/// Every source file of a compile_commands.json.
std::vector<std::string> files_in_commands(const std::string& commands_folder);

int validate(const std::vector<std::string>& given);
int generate(const std::vector<std::string>& given);
int convert(const std::vector<std::string>& given);

} // namespace mishap::tools
