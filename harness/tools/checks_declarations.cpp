// SPDX-License-Identifier: MIT
// Checks of destructors and classes.

#include "checks.hpp"
#include "roles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace mishap::tools {

/// The types of a function's locals, its parameters and its class's members: a use does not always carry its
/// type.
std::string type_of_object(const finder& in, const function& of, const node& object)
{
    if (!object.type.empty() && object.type != "auto" && object.type.find("dependent") == std::string::npos)
        return object.type;
    const std::string path = object_path(object);
    std::string found;
    for (const parameter& one : of.parameters)
        if (one.name == path)
            found = one.type;
    walk(of.body, [&](const node& below) {
        if (below.kind == shape::declare && below.name == path)
            found = below.type;
        return true;
    });
    if (const class_type* const owner = in.class_named(of.owner))
        for (const field& one : owner->fields)
            if ("this." + one.name == path || one.name == path)
                found = one.type;
    return found;
}

namespace {

bool has_type(const node* of, std::string_view part)
{
    if (!of)
        return false;
    const node* at = of;
    while (at->type.empty() && at->parts.size() == 1)
        at = &at->parts.front();
    return at->type.find(part) != std::string::npos;
}

/// True if every member function of the class, or of the one around it, is defined in this unit.
bool is_whole(const unit& in, const class_type& type)
{
    std::string owner = type.name;
    const bool has_private =
        std::any_of(type.fields.begin(), type.fields.end(), [](const field& one) { return !one.is_public; });
    if (!has_private) {
        const std::size_t end = owner.rfind("::");
        if (end == std::string::npos)
            return false;
        owner.erase(end);
    }
    std::set<std::string> declared;
    std::set<std::string> defined;
    for (const function& one : in.functions)
        if (one.owner == owner && !one.target.empty())
            (one.defined ? defined : declared).insert(one.target);
    return !defined.empty() &&
           std::includes(defined.begin(), defined.end(), declared.begin(), declared.end());
}

} // namespace

void check_destructors(finder& into)
{
    for (const function& of : into.in().functions) {
        if (!of.destructor || !of.defined)
            continue;
        walk(of.body, [&](const node& below) {
            if (below.kind == shape::lambda)
                return false;
            // Whatever is thrown inside a try that catches all stays there.
            if (below.kind == shape::attempt &&
                std::any_of(below.parts.begin(), below.parts.end(),
                    [](const node& one) { return one.kind == shape::handler && one.name == "..."; })) {
                for (const node& handler : below.parts)
                    if (handler.kind == shape::handler)
                        walk(handler, [&](const node& inside) {
                            if (inside.kind == shape::raise && of.nothrow)
                                into.add("throwing-destructor", of, inside,
                                    "an exception that leaves a destructor ends the program");
                            return inside.kind != shape::lambda;
                        });
                return false;
            }
            // What says `noexcept(false)` is a statement that throws at its end, and ends no program.
            if (below.kind == shape::raise && of.nothrow)
                into.add("throwing-destructor", of, below,
                    "an exception that leaves a destructor ends the program");
            if (below.kind != shape::call)
                return true;
            const std::string_view name = callee(below);
            const node* const object = object_of(below);
            if (role_of(name).ends_well)
                into.add("commit-in-destructor", of, below,
                    "a destructor runs on errors, too, and can tell nobody that the commit failed");
            const bool future = object && (name == "get" || name == "wait") &&
                                (has_type(object, "future<") ||
                                    type_of_object(into, of, *object).find("future<") != std::string::npos);
            const bool runs = object && (name == "run" || name == "run_one") &&
                              type_of_object(into, of, *object).find("io_context") != std::string::npos;
            if (future || runs || name == "sleep_for" || name == "sleep_until")
                into.add("blocking-destructor", of, below,
                    "this blocks the thread that the awaited work may need to run on");
            return true;
        });
    }
}

void check_classes(finder& into)
{
    for (const class_type& type : into.in().classes) {
        // A timeout that is stored and never looked at, beside others that are. Only where all code that may
        // look at it is here: the class's own, or that of the class which it is nested in.
        std::vector<const field*> unread;
        bool some_read = false;
        for (const field& one : type.fields) {
            if (!speaks_of_time(one.name))
                continue;
            bool read = false;
            for (const function& of : into.in().functions)
                walk(of.body, [&](const node& below) {
                    read = read || (below.kind == shape::member && below.name == one.name &&
                                       (below.target.empty() || below.target == one.target));
                    return !read;
                });
            some_read = some_read || read;
            if (!read)
                unread.push_back(&one);
        }
        if (some_read && is_whole(into.in(), type))
            for (const field* const one : unread) {
                function at;
                at.where = one->where;
                node mark;
                mark.begin = one->where.offset;
                mark.end = mark.begin + static_cast<unsigned>(one->name.size());
                into.add("unbounded-call", at, mark,
                    fmt::format(
                        "`{}` is never read, though its neighbours are: what it is for has no deadline",
                        one->name));
            }
        // A resource that is created and kept, and that nothing in the class ever closes.
        bool closes = type.has_destructor;
        const function* keeper = nullptr;
        const node* kept = nullptr;
        for (const function& of : into.in().functions) {
            if (of.owner != type.name || type.name.empty())
                continue;
            std::set<std::string> opened;
            walk(of.body, [&](const node& below) {
                if (below.kind == shape::await)
                    walk(below, [&](const node& inside) {
                        const role means = role_of(callee(inside));
                        if (inside.kind == shape::call && object_of(inside) && means.of == family::lifetime &&
                            means.does == part::acquires)
                            opened.insert(object_path(*object_of(inside)));
                        return true;
                    });
                if (below.kind == shape::call) {
                    const role means = role_of(callee(below));
                    closes = closes || means.does == part::forces ||
                             (means.does == part::cleans_up && means.of == family::lifetime);
                }
                if (below.kind == shape::assign && below.parts.size() == 2 &&
                    object_path(below.parts[0]).starts_with("this.") &&
                    opened.contains(object_path(below.parts[1]))) {
                    keeper = &of;
                    kept = &below;
                }
                return true;
            });
        }
        if (kept && !closes)
            into.add("never-closed", *keeper, *kept,
                fmt::format("`{}` is created and kept here, and nothing in the class ever closes it",
                    object_path(kept->parts[0]).substr(5)));
    }
}

} // namespace mishap::tools
