// SPDX-License-Identifier: MIT
#pragma once
/// What `new` writes: a manager, its fake, its adapter with a contract, two scenarios and CMake lines.

#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

struct template_file
{
    enum class origin
    {
        template_file,  ///< made for this; `@name@` stands for the manager's name
        catalogue_file, ///< the catalogue's manager, which is called by the pattern's word there
        shared_file,    ///< what the catalogue's manager is built on
    };

    std::string_view name; ///< below the new folder; `@name@` stands for the manager's
    origin from;
    std::string_view text;
};

struct pattern_template
{
    std::string_view name;
    std::string_view about;
    std::string_view word;
    std::vector<template_file> files;
};

/// Made when mishap is configured, out of the catalogue and of main/patterns.
const std::vector<pattern_template>& pattern_templates();

/// A file as it is written for a manager of that name.
struct written_file
{
    std::string name;
    std::string text;
};

/// Errors: throws `input_error` for an unknown pattern, and for a name that no C++ function of the template
/// could have.
std::vector<written_file> files_of_new(std::string_view name, std::string_view pattern);

/// `new NAME [--pattern PATTERN] [--into DIR]`: writes the files to DIR/NAME, and none if any is there
/// already. Gives what there is to say about it.
///
/// Errors: throws `input_error` as above, and for what cannot be written.
std::string write_new(const std::string& name, const std::string& pattern, const std::string& into);

} // namespace mishap::detail
