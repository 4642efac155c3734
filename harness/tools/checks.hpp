// SPDX-License-Identifier: MIT
#pragma once
/// The checks: one table, from which the reference, the list of names and the rules of a SARIF log come.

#include "syntax.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::tools {

/// One check as a person reads of it.
struct check
{
    std::string_view name;
    std::string_view sentence;
    std::string_view wrong;
    std::string_view right;
    /// The rule of mishap that blames the same mistake when it happens in a run.
    std::string_view invariant;
    /// What --fix does, or empty.
    std::string_view fix = {};
};

std::span<const check> checks();

/// A step on the way to what was found.
struct note
{
    place where;
    std::string text;
};

/// Text that takes the place of another.
struct edit
{
    std::string file;
    unsigned begin = 0;
    unsigned end = 0;
    std::string text;
};

struct finding
{
    std::string check;
    place where;
    unsigned length = 1; ///< of what the caret underlines, in the line
    std::string text;
    std::vector<note> path;
    std::vector<edit> fix;

    friend bool operator<(const finding& a, const finding& b);
    friend bool operator==(const finding& a, const finding& b);
};

/// Runs every check over a unit. Sorted, each place and check once.
std::vector<finding> run_checks(const unit& in);

/// What the parts of run_checks share.
class finder
{
public:
    explicit finder(const unit& in) : in_(in) {}

    const unit& in() const noexcept { return in_; }
    /// Adds a finding and gives it, so that notes and a fix can be added; the caret stands under `at`.
    finding& add(std::string_view check, const function& of, const node& at, std::string text);
    note note_at(const function& of, const node& at, std::string text) const;
    std::vector<finding> take() && { return std::move(found_); }

    /// The functions that a call may mean: by clang's resolution, else by name and number of arguments in the
    /// same class or namespace.
    std::vector<const function*> callees(const function& of, const node& call) const;
    /// The type that an object was declared with, without const and reference; empty where it is unknown.
    std::string declared_type(const function& of, const node& object) const;
    const class_type* class_named(std::string_view name) const;

private:
    const unit& in_;
    std::vector<finding> found_;
};

/// What the object of an expression was declared as: a use does not always carry its type.
std::string type_of_object(const finder& in, const function& of, const node& object);

/// Follows each coroutine along its paths, exceptions included.
void check_flow(finder& into);
/// What shows in a single statement or block.
void check_coroutines(finder& into);
void check_destructors(finder& into);
void check_classes(finder& into);

} // namespace mishap::tools
