// SPDX-License-Identifier: MIT
#pragma once
/// Turns the body of a blocking function into that of a coroutine.

#include "syntax.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::tools {

/// What takes the place of blocking calls and types; users add rows of their own.
struct mapping
{
    struct row
    {
        std::string from;
        std::string to; ///< with $object, $name and $args
    };

    std::vector<row> calls;
    std::vector<row> types;
};

/// One row a line: `call NAME = REPLACEMENT` or `type NAME = REPLACEMENT`; `#` begins a comment.
///
/// Errors: throws usage_error, with file and line, for anything else.
void read_mapping(const std::string& path, mapping& into);

/// The rows that hold without a file, for help.
std::string builtin_mapping();

/// A rewritten piece of code.
struct rewritten
{
    std::string text;
    bool awaits = false;
    bool tells = false;            ///< it gives its errors to a parameter `log`, and throws none
    std::vector<std::string> left; ///< what still blocks, with file and line
};

class rewriter
{
public:
    rewriter(const unit& in, const mapping& map) : in_(in), map_(map) {}

    /// Member functions, or parameters, that are coroutines by now: a call of them is awaited.
    void add_coroutine(std::string name) { coroutines_.insert(std::move(name)); }
    /// A name that stands for another one, such as a constructor's parameter for the member that keeps it.
    void add_name(std::string from, std::string to) { names_.emplace_back(std::move(from), std::move(to)); }

    /// The body of a function, braces included.
    rewritten body(const function& of);

    /// Likewise for a destructor: where it has several clean-ups, one that fails does not keep the next one
    /// from running, and each error goes to `log`.
    rewritten closing_body(const function& of);

    /// The body of a function that stays synchronous, with a comment at what blocks.
    rewritten marked_body(const function& of);

    /// True if the tree has a call that will be awaited.
    bool awaits(const function& of, const node& tree);

private:
    std::string render(const function& of, const node& at, shape parent);
    std::string as_statement(const function& of, const node& at);
    std::string render_parts(const function& of, const node& at);
    std::string render_attempt(const function& of, const node& at);
    void leave(const function& of, const node& at, std::string_view why);
    bool order_matters(const function& of, const node& at);
    std::string render_call(const function& of, const node& at, const std::string& replacement);
    /// What takes the place of a call, or an empty string; `left` says why a blocking call stays.
    std::string replacement_for(const function& of, const node& call, std::string& left) const;
    std::string type_of_object(const function& of, const node& object) const;

    const unit& in_;
    const mapping& map_;
    std::set<std::string> coroutines_;
    std::vector<std::pair<std::string, std::string>> names_;
    bool synchronous_ = false; ///< the function that is rendered stays one that returns
    rewritten result_;
};

} // namespace mishap::tools
