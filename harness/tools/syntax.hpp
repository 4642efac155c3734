// SPDX-License-Identifier: MIT
#pragma once
/// What the checks read: functions and classes as small trees, made from libclang's cursors. Macros,
/// templates and headers are clang's affair; nothing here depends on libclang's types.

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::tools {

/// A place in a source file; lines and columns count from one.
struct place
{
    std::string file;
    unsigned line = 0;
    unsigned column = 0;
    unsigned offset = 0;
};

enum class shape
{
    other,
    block,
    branch, ///< if: condition, then and perhaps else
    loop, ///< parts: what begins it and its condition, then the body last; `name` is for, while, do or range
    choice,    ///< switch: condition and body
    label,     ///< case or default; the statement it labels comes last
    attempt,   ///< try: the block, then its handlers
    handler,   ///< catch: the block; `name` is the type, "..." for any
    leave,     ///< return or co_return, perhaps with a value
    raise,     ///< throw, perhaps with a value
    declare,   ///< `name`, `type`, perhaps an initialiser
    lambda,    ///< its body; `name` holds the parameters' names, separated by commas
    call,      ///< parts: the callee (a name, a member or something else), then the arguments
    construct, ///< `type`, and the arguments
    await,
    yield,
    assign, ///< `name` is the operator: left, right
    step,   ///< ++ or --
    unary,
    binary,
    conditional,
    name,
    member, ///< `name`, and the object unless it is `this`
    literal,
    stop,     ///< break
    go_on,    ///< continue
    allocate, ///< new
    dispose,  ///< delete
};

struct node
{
    shape kind = shape::other;
    unsigned begin = 0; ///< offsets into the file of the function
    unsigned end = 0;
    std::string name;
    std::string type;
    /// What a call calls, as clang's unified symbol resolution names it; empty where it depends on a
    /// template.
    std::string target;
    /// The value of an expression that is constant without any template argument.
    std::optional<long long> constant;
    std::vector<node> parts;
};

struct parameter
{
    std::string name;
    std::string type;
};

struct function
{
    std::string name;
    std::string target; ///< see node::target
    std::string owner;  ///< the class's qualified name, or empty
    std::string scope;  ///< the enclosing namespace's or class's qualified name
    std::string result;
    std::vector<parameter> parameters;
    bool coroutine = false;
    bool generator = false; ///< it contains a co_yield
    bool constructor = false;
    bool destructor = false;
    bool nothrow = false;
    bool defined = false;
    bool is_public = true;
    bool is_static = false;
    bool is_template = false;
    bool is_const = false;
    place where;
    unsigned begin = 0; ///< offsets of the whole declaration; for a template, of its `template`
    unsigned end = 0;
    node body;
};

struct field
{
    std::string name;
    std::string type;
    std::string target; ///< see node::target
    bool is_public = true;
    place where;
};

struct class_type
{
    std::string name; ///< qualified
    std::vector<field> fields;
    std::vector<std::string> bases;
    bool has_destructor = false; ///< one that its author wrote
    bool is_template = false;
    place where;
    unsigned begin = 0;
    unsigned end = 0;
};

/// What the compiler said of a file.
struct diagnostic
{
    place where;
    std::string text;
    bool fatal = false;
};

/// The text of a file, and where its lines begin.
class source
{
public:
    source() = default;
    source(std::string path, std::string text);

    const std::string& path() const noexcept { return path_; }
    const std::string& text() const noexcept { return text_; }
    place at(unsigned offset) const;
    /// The line without its end; empty beyond the last.
    std::string_view line(unsigned number) const;
    unsigned lines() const noexcept { return static_cast<unsigned>(starts_.size()); }

private:
    std::string path_;
    std::string text_;
    std::vector<unsigned> starts_;
};

/// One translation unit: everything in it that is not in a system header.
struct unit
{
    std::string main_file;
    std::map<std::string, source> files;
    std::vector<function> functions;
    std::vector<class_type> classes;
    std::vector<diagnostic> diagnostics;
    /// Every file that was read, for caches.
    std::vector<std::string> includes;
    bool read = false; ///< false when the compiler gave up altogether

    const source& file_of(const function& in) const { return files.at(in.where.file); }
    /// Source text of a node, each run of white space made one blank.
    std::string text(const function& in, const node& of) const;
};

/// Parses a file with a compiler's arguments.
///
/// Errors: none are thrown for what is in the file. `read` is false, or `diagnostics` say what is wrong; what
/// could be understood is there.
unit read_unit(const std::string& file, const std::vector<std::string>& arguments);

/// The path by which an expression names an object: `session`, `made.connection`, `this.lock_` for a member.
/// The same for `x`, `*x`, `x.get()`, `std::move(x)` and `std::ref(x)`; empty for what names no object.
std::string object_path(const node& of);

/// The name of what a call calls, without qualification; empty for other nodes.
std::string_view callee(const node& call);

/// The object that a member call is made on, or null.
const node* object_of(const node& call);

/// True if a node of the kind is below, outside any lambda.
bool contains(const node& tree, shape kind);

/// Calls `visit(node)` for the node and everything below it, lambdas too; where it gives false, nothing below
/// is visited.
template <class Visit>
void walk(const node& tree, Visit&& visit)
{
    if (!visit(tree))
        return;
    for (const node& part : tree.parts)
        walk(part, visit);
}

} // namespace mishap::tools
