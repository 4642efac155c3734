// SPDX-License-Identifier: MIT
// Coroutines out of which nothing is thrown.

#include "flow.hpp"

#include <algorithm>

namespace mishap::tools {

const node& unwrapped(const node& value)
{
    const node* at = &value;
    while ((at->kind == shape::other || at->kind == shape::construct) && at->parts.size() == 1)
        at = &at->parts.front();
    return *at;
}

namespace {

/// True if whatever the tree throws stays in it.
bool stays_quiet(const finder& in, const function& of, const node& tree, int depth)
{
    if (tree.kind == shape::lambda)
        return true;
    if (tree.kind == shape::raise)
        return false;
    if (tree.kind == shape::attempt && !tree.parts.empty() && tree.parts.back().name == "...")
        return std::all_of(tree.parts.begin() + 1, tree.parts.end(),
            [&](const node& handler) { return stays_quiet(in, of, handler, depth); });
    if (tree.kind == shape::call &&
        (callee(tree) == "rethrow_exception" || callee(tree) == "throw_with_nested"))
        return false;
    if (tree.kind == shape::await && !tree.parts.empty()) {
        const std::string text = in.in().text(of, tree);
        if (text.find("this_coro::") != std::string::npos || text.find("redirect_error") != std::string::npos)
            return true;
        const node& operand = unwrapped(tree.parts.front());
        if (operand.kind != shape::call || depth > 3)
            return false;
        const auto called = in.callees(of, operand);
        return !called.empty() && std::all_of(called.begin(), called.end(),
                                      [&](const function* one) { return never_throws(in, *one, depth + 1); });
    }
    return std::all_of(tree.parts.begin(), tree.parts.end(),
        [&](const node& part) { return stays_quiet(in, of, part, depth); });
}

} // namespace

bool never_throws(const finder& in, const function& of, int depth)
{
    return of.defined && stays_quiet(in, of, of.body, depth);
}

} // namespace mishap::tools
