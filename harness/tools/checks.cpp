// SPDX-License-Identifier: MIT
// Runs the checks, and what they share.

#include "checks.hpp"

#include <algorithm>
#include <tuple>

namespace mishap::tools {

namespace {

auto order(const finding& of) { return std::tie(of.where.file, of.where.offset, of.check); }

} // namespace

bool operator<(const finding& a, const finding& b) { return order(a) < order(b); }
bool operator==(const finding& a, const finding& b) { return order(a) == order(b); }

finding& finder::add(std::string_view check, const function& of, const node& at, std::string text)
{
    finding made;
    made.check = check;
    const source& in = in_.file_of(of);
    made.where = in.at(at.begin);
    const auto line = static_cast<unsigned>(in.line(made.where.line).size());
    const unsigned rest = line + 1 > made.where.column ? line + 1 - made.where.column : 1;
    made.length = std::clamp(at.end > at.begin ? at.end - at.begin : 1, 1u, std::max(rest, 1u));
    made.text = std::move(text);
    found_.push_back(std::move(made));
    return found_.back();
}

note finder::note_at(const function& of, const node& at, std::string text) const
{
    return {in_.file_of(of).at(at.begin), std::move(text)};
}

const class_type* finder::class_named(std::string_view name) const
{
    if (name.empty())
        return nullptr;
    const class_type* close = nullptr;
    for (const class_type& one : in_.classes) {
        if (one.name == name)
            return &one;
        const std::string_view last = std::string_view(one.name).substr(one.name.rfind(':') + 1);
        const std::string_view wanted = name.substr(0, name.find('<'));
        if (wanted.substr(wanted.rfind(':') + 1) == last)
            close = &one;
    }
    return close;
}

std::string finder::declared_type(const function& of, const node& object) const
{
    const std::string path = object_path(object);
    std::string type = object.type;
    if (type.empty() || type == "auto" || type.find("dependent") != std::string::npos) {
        for (const parameter& one : of.parameters)
            if (one.name == path)
                type = one.type;
        walk(of.body, [&](const node& below) {
            if (below.kind == shape::declare && below.name == path)
                type = below.type;
            return true;
        });
    }
    for (const std::string_view word : {"const ", "class ", "struct "})
        if (type.starts_with(word))
            type.erase(0, word.size());
    while (!type.empty() && (type.back() == '&' || type.back() == '*' || type.back() == ' '))
        type.pop_back();
    return type;
}

std::vector<const function*> finder::callees(const function& of, const node& call) const
{
    std::vector<const function*> found;
    if (!call.target.empty())
        for (const function& one : in_.functions)
            if (one.defined && one.target == call.target)
                found.push_back(&one);
    if (!found.empty())
        return found;
    const std::size_t given = call.parts.empty() ? 0 : call.parts.size() - 1;
    const node* const object = object_of(call);
    if (object && object_path(*object) != "this") {
        // In a template the object's type may still be known by name: `pool<Connection>&`.
        if (const class_type* const type = class_named(declared_type(of, *object)))
            for (const function& one : in_.functions)
                if (one.defined && one.owner == type->name && one.name == callee(call))
                    found.push_back(&one);
        return found;
    }
    for (const function& one : in_.functions) {
        if (!one.defined || one.name != callee(call) || one.parameters.size() < given || one.name.empty())
            continue;
        const bool same_class = !of.owner.empty() && one.owner == of.owner;
        const bool same_namespace =
            one.owner.empty() && !one.scope.empty() && of.scope.starts_with(one.scope);
        if (same_class || same_namespace)
            found.push_back(&one);
    }
    return found;
}

std::vector<finding> run_checks(const unit& in)
{
    finder all(in);
    check_flow(all);
    check_coroutines(all);
    check_destructors(all);
    check_classes(all);
    std::vector<finding> found = std::move(all).take();
    std::stable_sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

} // namespace mishap::tools
