// SPDX-License-Identifier: MIT
// Checks of single statements and blocks.

#include "checks.hpp"
#include "roles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace mishap::tools {

namespace {

bool is_timer_wait(const finder& in, const function& of, const node& tree, int depth = 0)
{
    bool found = false;
    walk(tree, [&](const node& below) {
        if (found || below.kind != shape::call)
            return !found;
        const node* const object = object_of(below);
        if (callee(below) == "async_wait" && object) {
            const std::string type = type_of_object(in, of, *object);
            found = type.find("timer") != std::string::npos ||
                    object_path(*object).find("timer") != std::string::npos;
        } else if (depth < 2 && !object) {
            // A coroutine that does nothing but wait, and perhaps complains afterwards.
            for (const function* const called : in.callees(of, below)) {
                std::size_t awaits = 0;
                walk(called->body, [&](const node& inside) {
                    const std::string text =
                        inside.kind == shape::await ? in.in().text(*called, inside) : std::string();
                    if (!text.empty() && text.find("this_coro") == std::string::npos)
                        ++awaits;
                    return true;
                });
                found = found || (awaits == 1 && is_timer_wait(in, *called, called->body, depth + 1));
            }
        }
        return !found;
    });
    return found;
}

/// True if the tree, or what it calls, speaks of a deadline.
bool is_bounded(const finder& in, const function& of, const node& tree, int depth = 0)
{
    bool found = false;
    walk(tree, [&](const node& below) {
        if (found)
            return false;
        if (below.kind == shape::name || below.kind == shape::member || below.kind == shape::call ||
            below.kind == shape::declare)
            found = speaks_of_time(below.name) || below.type.find("timer") != std::string::npos ||
                    below.name == "or_left_after" || below.name.starts_with("expires_");
        if (!found && below.kind == shape::call && depth < 3)
            for (const function* const called : in.callees(of, below))
                found = found || is_bounded(in, *called, called->body, depth + 1);
        return !found;
    });
    return found;
}

bool awaits_clean_up(const finder& in, const function& of, const node& tree, int depth = 0)
{
    bool found = false;
    walk(tree, [&](const node& below) {
        if (below.kind == shape::await && !below.parts.empty())
            walk(below.parts[0], [&](const node& inside) {
                const role means = role_of(callee(inside));
                found = found || (inside.kind == shape::call && means.does == part::cleans_up &&
                                     means.of == family::lifetime);
                return !found;
            });
        if (!found && below.kind == shape::call && depth < 2)
            for (const function* const called : in.callees(of, below))
                found = found || awaits_clean_up(in, *called, called->body, depth + 1);
        return !found;
    });
    return found;
}

void check_or_timeout(finder& into, const function& of, const node& await)
{
    walk(await.parts.front(), [&](const node& below) {
        if (below.kind == shape::lambda || below.kind == shape::await)
            return false;
        if (below.kind != shape::binary || below.name != "||" || below.parts.size() != 2)
            return true;
        const bool left = is_timer_wait(into, of, below.parts[0]);
        const bool right = is_timer_wait(into, of, below.parts[1]);
        if (left == right)
            return true;
        const node& operation = below.parts[left ? 1 : 0];
        into.add("or-as-timeout", of, below,
                "`||` is no timeout: when the operation throws, it waits for the timer, and a result that "
                "comes late "
                "is dropped")
            .path.push_back(into.note_at(of, operation, "the operation that is to have a timeout"));
        return false;
    });
}

bool is_effect_free(const node& block)
{
    bool effect = false;
    walk(block, [&](const node& below) {
        switch (below.kind) {
        case shape::call:
        case shape::construct:
        case shape::raise:
        case shape::assign:
        case shape::step:
        case shape::await:
        case shape::dispose:
            effect = true;
            break;
        case shape::leave:
            effect = effect || !below.parts.empty();
            break;
        default:
            break;
        }
        return !effect;
    });
    return !effect;
}

/// True if the block only cleans up, or only looks at what an exception is.
bool is_clean_up_or_look(const node& block)
{
    bool looks = false;
    bool other = false;
    bool any = false;
    walk(block, [&](const node& below) {
        if (below.kind != shape::call)
            return true;
        looks = looks || callee(below) == "rethrow_exception";
        any = true;
        other = other || !cleans_up(callee(below));
        return below.kind != shape::lambda;
    });
    return looks || (any && !other);
}

void check_swallowed(finder& into, const function& of, const node& attempt)
{
    if (attempt.parts.empty() || !contains(attempt.parts.front(), shape::await) ||
        is_clean_up_or_look(attempt.parts.front()))
        return;
    for (const node& handler : attempt.parts)
        if (handler.kind == shape::handler && handler.name == "..." && is_effect_free(handler))
            into.add("swallowed-exception", of, handler,
                "whatever is thrown is dropped here, a cancellation and `std::bad_alloc` too");
}

bool is_scoped_lock(const node& declared)
{
    for (const std::string_view type : {"std::lock_guard<", "std::unique_lock<", "std::scoped_lock<",
             "std::shared_lock<", "boost::lock_guard<", "boost::unique_lock<"})
        if (declared.type.find(type) == 0)
            return true;
    return false;
}

void check_locks(finder& into, const function& of, const node& block)
{
    for (std::size_t i = 0; i < block.parts.size(); ++i) {
        const node& lock = block.parts[i];
        if (lock.kind != shape::declare || !is_scoped_lock(lock))
            continue;
        bool held = true;
        const node* where = nullptr;
        for (std::size_t j = i + 1; j < block.parts.size() && held && !where; ++j)
            walk(block.parts[j], [&](const node& below) {
                if (below.kind == shape::lambda || where)
                    return false;
                if (below.kind == shape::call && (callee(below) == "unlock" || callee(below) == "release") &&
                    object_of(below) && object_path(*object_of(below)) == lock.name)
                    held = false;
                if (held && (below.kind == shape::await || below.kind == shape::yield) &&
                    into.in().text(of, below).find("this_coro::") == std::string::npos)
                    where = &below;
                return held;
            });
        if (where)
            into.add("lock-across-await", of, *where,
                    fmt::format("the thread's lock `{}` is held while the coroutine is suspended", lock.name))
                .path.push_back(into.note_at(of, lock, "locked here"));
    }
}

void check_detached(finder& into, const function& of, const node& call)
{
    if (callee(call) != "co_spawn" || call.parts.size() < 4)
        return;
    // co_spawn(executor, work, token); what defaults may follow is none of the author's.
    bool detached = false;
    walk(call.parts[3], [&](const node& below) {
        detached = detached || (below.kind == shape::name && below.name == "detached");
        return !detached;
    });
    const node& work = call.parts[2];
    if (detached && awaits_clean_up(into, of, work) && !is_bounded(into, of, work))
        into.add("detached-cleanup", of, call,
            "this clean-up has no deadline and nobody waits for it: it may outlive what it uses");
}

/// True for a `std::unique_ptr` with a deleter of its own, over the object that the function is a member of.
/// Such a guard holds a reference that the object counts; releasing it hands the reference to pending work.
bool guards_this(const function& of, const std::string& type)
{
    const std::size_t begin = std::string_view("std::unique_ptr<").size();
    const std::size_t comma = type.find(',', begin);
    if (of.owner.empty() || comma == std::string::npos)
        return false;
    const auto last_name = [](const std::string& name) {
        const std::size_t at = name.rfind("::");
        return at == std::string::npos ? name : name.substr(at + 2);
    };
    return type.find("std::default_delete<", comma) == std::string::npos &&
           last_name(type.substr(begin, comma - begin)) == last_name(of.owner);
}

void check_discarded_release(finder& into, const function& of, const node& block)
{
    for (const node& statement : block.parts) {
        if (statement.kind != shape::call || callee(statement) != "release" || statement.parts.size() != 1)
            continue;
        const node* const object = object_of(statement);
        const std::string type = object ? type_of_object(into, of, *object) : std::string();
        if (!type.starts_with("std::unique_ptr<") || guards_this(of, type))
            continue;
        // Whoever was given the bare pointer owns it now.
        const std::string path = object_path(*object);
        bool given = path.empty();
        walk(of.body, [&](const node& below) {
            if (below.kind == shape::call && callee(below) == "get" && object_of(below))
                given = given || object_path(*object_of(below)) == path;
            if ((below.kind == shape::call || below.kind == shape::construct) && &below != &statement)
                for (std::size_t i = below.kind == shape::call ? 1 : 0; i < below.parts.size(); ++i)
                    given = given || object_path(below.parts[i]) == path;
            return !given;
        });
        if (!given)
            into.add("discarded-release", of, statement,
                fmt::format(
                    "`release()` gives ownership away and frees nothing: what `{}` points to leaks", path));
    }
}

std::set<std::string> assigned_in(const node& tree)
{
    std::set<std::string> paths;
    walk(tree, [&](const node& below) {
        if ((below.kind == shape::assign || below.kind == shape::step) && !below.parts.empty())
            paths.insert(object_path(below.parts[0]));
        if (below.kind == shape::declare)
            paths.insert(below.name);
        return true;
    });
    return paths;
}

void check_restarted(finder& into, const function& of, const node& loop)
{
    if (loop.name != "while" && loop.name != "do")
        return;
    const std::set<std::string> changed = assigned_in(loop);
    const auto never_changes = [&](const node& timeout) {
        const std::string path = object_path(timeout);
        return !path.empty() && !changed.contains(path) && speaks_of_time(path);
    };
    walk(loop, [&](const node& below) {
        if (below.kind == shape::lambda)
            return false;
        if (below.kind != shape::call)
            return true;
        const node* const object = object_of(below);
        if (!object)
            return true;
        const bool condition =
            callee(below) == "wait_for" && below.parts.size() == 3 &&
            type_of_object(into, of, *object).find("condition_variable") != std::string::npos;
        const bool timer = callee(below) == "expires_after" && below.parts.size() == 2 && of.coroutine &&
                           contains(loop, shape::await) && !contains(loop, shape::attempt);
        if ((condition && never_changes(below.parts[2])) ||
            (timer && never_changes(below.parts[1]) && !loop.parts[0].constant))
            into.add("timeout-restarted", of, below,
                "each round of the loop waits for the whole timeout again: wake-ups put the deadline off "
                "for ever");
        return true;
    });
}

bool is_handler_name(std::string_view name)
{
    const std::string plain = plain_name(name);
    for (const std::string_view word :
        {"handler", "callback", "cb", "completion", "on_complete", "on_done", "done"})
        if (plain == word || plain.ends_with("_" + std::string(word)))
            return true;
    return false;
}

/// The own object that a statement cleans up, or an empty path.
std::string cleaned_member(const node& statement)
{
    if (statement.kind == shape::step && statement.name == "--" && !statement.parts.empty()) {
        const std::string path = object_path(statement.parts[0]);
        return path.starts_with("this.") ? path : "";
    }
    if (statement.kind != shape::call || !object_of(statement))
        return "";
    const std::string path = object_path(*object_of(statement));
    const bool removes = callee(statement) == "erase" || callee(statement) == "pop_front";
    return path.starts_with("this.") && (removes || cleans_up(callee(statement))) ? path : "";
}

void check_early_handler(finder& into, const function& of, const node& block)
{
    for (std::size_t i = 0; i + 1 < block.parts.size(); ++i) {
        const node& statement = block.parts[i];
        if (statement.kind != shape::call || statement.parts.empty())
            continue;
        const node& called = statement.parts.front();
        std::string path = object_path(called);
        if (called.kind == shape::member && !called.parts.empty())
            continue; // a method of something else
        if (path.empty() || !is_handler_name(path.substr(path.rfind('.') + 1)))
            continue;
        for (std::size_t j = i + 1; j < block.parts.size(); ++j) {
            const std::string member = cleaned_member(block.parts[j]);
            if (member.empty())
                continue;
            into.add("handler-before-cleanup", of, statement,
                    fmt::format("`{}` is called while `{}` is not cleaned up yet: it may come back and find "
                                "it in use, "
                                "or destroy this object",
                        path.substr(path.rfind('.') + 1), member.substr(5)))
                .path.push_back(into.note_at(of, block.parts[j], "the clean-up comes only here"));
            break;
        }
    }
}

void check_late_validation(finder& into, const function& of)
{
    if (of.body.kind != shape::block || !of.coroutine)
        return;
    const node* created = nullptr;
    for (const node& statement : of.body.parts) {
        if (!created) {
            walk(statement, [&](const node& below) {
                if (below.kind == shape::await && !created)
                    walk(below, [&](const node& inside) {
                        if (inside.kind == shape::call && role_of(callee(inside)).does == part::acquires)
                            created = &below;
                        return !created;
                    });
                return !created && below.kind != shape::lambda;
            });
            continue;
        }
        if (statement.kind != shape::branch || statement.parts.size() != 2)
            continue;
        const node* raise = nullptr;
        walk(statement.parts[1], [&](const node& below) {
            if (below.kind == shape::raise)
                raise = &below;
            return !raise;
        });
        if (!raise || into.in().text(of, *raise).find("invalid_argument") == std::string::npos)
            continue;
        bool only_parameters = true;
        walk(statement.parts[0], [&](const node& below) {
            if (below.kind == shape::name && below.target.find('@') != std::string::npos)
                only_parameters =
                    only_parameters && std::any_of(of.parameters.begin(), of.parameters.end(),
                                           [&](const parameter& one) { return one.name == below.name; });
            if (below.kind == shape::member && below.parts.empty())
                only_parameters = false;
            return only_parameters;
        });
        if (only_parameters)
            into.add("validates-late", of, statement,
                    "what the caller passed is checked only after something was created")
                .path.push_back(into.note_at(of, *created, "created here"));
    }
}

void check_lent_twice(finder& into, const function& of, const node& block)
{
    const node* yielded = nullptr;
    std::set<std::string> awaited;
    for (const node& statement : block.parts) {
        if (statement.kind == shape::yield && of.result.find("context<") != std::string::npos) {
            if (yielded)
                into.add("lends-twice", of, statement,
                        "this lends a second time, and the body would run twice")
                    .path.push_back(into.note_at(of, *yielded, "lent here first"));
            yielded = &statement;
        }
        if (statement.kind != shape::await || statement.parts.empty() ||
            statement.parts[0].kind != shape::call)
            continue;
        const std::string_view name = callee(statement.parts[0]);
        const bool is_parameter = std::any_of(of.parameters.begin(), of.parameters.end(),
            [&](const parameter& one) { return one.name == name; });
        if (is_parameter && (name == "body" || name == "work" || name == "action") &&
            !awaited.insert(std::string(name)).second)
            into.add("lends-twice", of, statement, fmt::format("`{}` runs a second time", name));
    }
}

void check_waiters(finder& into, const function& of)
{
    const node* inserted = nullptr;
    std::string line;
    bool waits = false;
    bool leaves = false;
    walk(of.body, [&](const node& below) {
        if (below.kind == shape::lambda)
            return false;
        if (below.kind == shape::await && inserted &&
            into.in().text(of, below).find("async_wait") != std::string::npos)
            waits = true;
        if (below.kind != shape::call)
            return true;
        const node* const object = object_of(below);
        const std::string_view name = callee(below);
        const bool inserts =
            name == "push_back" || name == "insert" || name == "emplace_back" || name == "push";
        if (object && !inserted && inserts && object_path(*object).starts_with("this."))
            for (std::size_t i = 1; i < below.parts.size(); ++i) {
                const node& argument = below.parts[i];
                if (argument.kind != shape::unary || argument.name != "&" || argument.parts.empty() ||
                    argument.parts[0].kind != shape::name)
                    continue;
                const class_type* const type = into.class_named(type_of_object(into, of, argument.parts[0]));
                if (type && type->has_destructor)
                    continue;
                inserted = &below;
                line = object_path(*object);
            }
        if (inserted && (name == "erase" || name == "remove" || name == "erase_if" || name == "remove_if" ||
                            name == "extract" || name == "pop_front" || name == "pop_back"))
            for (const node& part : below.parts)
                walk(part, [&](const node& inside) {
                    leaves = leaves || object_path(inside) == line;
                    return !leaves;
                });
        return true;
    });
    if (inserted && waits && !leaves)
        into.add("waiter-keeps-place", of, *inserted,
            fmt::format("who is cancelled, or gives up, stays in `{}`: the next wake-up is lost on it",
                line.substr(5)));
}

void check_unbounded(finder& into, const function& of)
{
    walk(of.body, [&](const node& below) {
        if (below.kind != shape::await || below.parts.empty() || below.parts[0].kind != shape::call)
            return true;
        const node& call = below.parts[0];
        const node* const object = object_of(call);
        if (!object || callee(call) != "async_shutdown" ||
            type_of_object(into, of, *object).find("ssl::stream") == std::string::npos ||
            is_bounded(into, of, of.body))
            return true;
        into.add(
            "unbounded-call", of, below, "a peer that never answers keeps this shutdown waiting for ever");
        return true;
    });
    for (const parameter& one : of.parameters) {
        if (!speaks_of_time(one.name) || of.name.empty())
            continue;
        bool used = false;
        walk(of.body, [&](const node& below) {
            used = used || (below.kind == shape::name && below.name == one.name);
            return !used;
        });
        if (!used) {
            node at;
            at.begin = of.where.offset;
            at.end = of.where.offset + static_cast<unsigned>(of.name.size());
            into.add("unbounded-call", of, at,
                fmt::format("`{}` is never used: what waits here has no deadline", one.name));
        }
    }
}

} // namespace

void check_coroutines(finder& into)
{
    for (const function& of : into.in().functions) {
        if (!of.defined)
            continue;
        walk(of.body, [&](const node& below) {
            if (below.kind == shape::block) {
                check_discarded_release(into, of, below);
                check_early_handler(into, of, below);
                if (of.coroutine) {
                    check_locks(into, of, below);
                    check_lent_twice(into, of, below);
                }
            }
            if (below.kind == shape::await && !below.parts.empty())
                check_or_timeout(into, of, below);
            if (below.kind == shape::attempt && !of.destructor)
                check_swallowed(into, of, below);
            if (below.kind == shape::call)
                check_detached(into, of, below);
            if (below.kind == shape::loop)
                check_restarted(into, of, below);
            return true;
        });
        if (of.coroutine) {
            check_late_validation(into, of);
            check_waiters(into, of);
            check_unbounded(into, of);
        }
    }
}

} // namespace mishap::tools
