// SPDX-License-Identifier: MIT
#pragma once
/// What generate writes: one set of texts for every style.

#include "syntax.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mishap::tools {

enum class style
{
    awaitable,
    token,
    result,
    synchronous
};

enum class duty
{
    create,
    close,
    force_close,
    use,
    maintain,
    begin,
    commit,
    rollback,
    acquire,
    release,
    observe
};

/// One operation of the resource that a fake stands in for.
struct operation
{
    std::string name;
    duty does = duty::use;
    bool guessed = true; ///< by its name alone
    style how = style::awaitable;
    std::string value;                   ///< the type that it gives, or empty
    std::string whole;                   ///< the result's type as it stands, for results that hold errors
    std::vector<std::string> parameters; ///< names, without a completion token's
    bool nothrow = false;
};

struct resource_model
{
    std::string name;  ///< `session`
    std::string named; ///< `app::session`
    style how = style::awaitable;
    std::vector<operation> operations;
};

struct written_file
{
    std::string name;
    std::string text;
};

/// What an operation of that name does, as far as its name tells.
duty guess(std::string_view name, bool is_const);

/// The type inside `awaitable<T>`, `result<T>` and the like, or the type itself.
std::string inner_type(const std::string& type);

/// Errors: throws usage_error if the class is not there or has no operation.
resource_model model_of(const unit& in, const std::string& resource);

/// From a signature such as `awaitable<session> connect(config, duration)`.
///
/// Errors: throws usage_error for text that is no signature.
resource_model model_of_signature(const std::string& signature);

/// A function that manages the resource already.
struct existing_manager
{
    std::string name;
    std::string include;
    std::vector<parameter> parameters;
};

/// All files, below one folder. `existing` is null where the manager is to be written, too.
std::vector<written_file> scaffold(const resource_model& of, const existing_manager* existing);

/// Prints the files, or writes them; none is written if any is there already.
///
/// Errors: throws usage_error for a file that is there, or that cannot be written.
void write_files(const std::string& folder, const std::vector<written_file>& files, bool dry_run);

/// CMake lines for an adapter, and the scenario of a sweep.
written_file cmake_file(const std::string& name);
written_file sweep_scenario(const std::string& name);

/// The catalogue's with_deadline, copied so that what is written stands alone.
written_file deadline_header();

} // namespace mishap::tools
