// SPDX-License-Identifier: MIT
// Expressions: what acquires, cleans up, throws, remembers an error or tells somebody of one.

#include "flow.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::tools {

namespace {

outcomes normally(path_state state) { return {{outcome::kind::normal, std::move(state)}}; }

bool is_null(const node& value)
{
    if (value.kind == shape::literal)
        return value.name == "nullptr";
    return (value.kind == shape::construct || value.kind == shape::other) && value.parts.empty();
}

bool mentions_call(const node& tree, std::string_view name)
{
    bool found = false;
    walk(tree, [&](const node& below) {
        found = found || (below.kind == shape::call && callee(below) == name);
        return !found;
    });
    return found;
}

bool holds_exception(std::string_view type) { return type.find("exception_ptr") != std::string_view::npos; }

bool is_container_insert(std::string_view name)
{
    return name == "insert" || name == "emplace" || name == "push_back" || name == "emplace_back" ||
           name == "push" || name == "push_front" || name == "emplace_front" || name == "try_emplace";
}

bool is_container_removal(std::string_view name)
{
    return name == "erase" || name == "remove" || name == "pop_back" || name == "pop_front" ||
           name == "pop" || name == "extract" || name == "clear" || name == "remove_if" || name == "erase_if";
}

/// Forgets what a path assumed of conditions that mention what changed.
void forget(path_state& state, const std::string& path)
{
    const std::string last = path.substr(path.rfind('.') + 1);
    std::erase_if(state.truth, [&](const auto& known) {
        return known.first == path ||
               (known.first.find('?') != std::string::npos && known.first.find(last) != std::string::npos);
    });
}

/// While a coroutine waits, others may change everything but its own variables.
void forget_what_others_change(path_state& state)
{
    std::erase_if(state.truth, [](const auto& known) {
        return known.first.starts_with("this.") || known.first.find_first_of(".(->") != std::string::npos;
    });
}

} // namespace

outcomes walker::evaluate_parts(
    const std::vector<node>& parts, std::size_t first, std::size_t last, frame& in, path_state from)
{
    outcomes ended;
    outcomes going = normally(std::move(from));
    for (std::size_t i = first; i < last; ++i) {
        outcomes next;
        for (outcome& one : going)
            for (outcome& after : parts[i].kind == shape::declare || parts[i].kind == shape::block
                                      ? execute(parts[i], in, std::move(one.state))
                                      : evaluate(parts[i], in, std::move(one.state)))
                (after.how == outcome::kind::normal ? next : ended).push_back(std::move(after));
        going = std::move(next);
    }
    std::move(going.begin(), going.end(), std::back_inserter(ended));
    return ended;
}

outcomes walker::evaluate(const node& expression, frame& in, path_state from)
{
    if (++steps_ > steps_max)
        throw too_many();
    switch (expression.kind) {
    case shape::lambda:
    case shape::name:
    case shape::literal:
        return normally(std::move(from));
    case shape::await:
    case shape::yield:
        return evaluate_await(expression, in, std::move(from));
    case shape::call:
        return evaluate_call(expression, in, std::move(from));
    case shape::assign:
        return assign(expression, in, std::move(from));
    case shape::raise:
        return execute(expression, in, std::move(from));
    case shape::step: {
        outcomes all = evaluate_parts(expression.parts, 0, expression.parts.size(), in, std::move(from));
        for (outcome& one : all)
            if (one.how == outcome::kind::normal && resource_.of == family::counter &&
                !expression.parts.empty() && is_resource(expression.parts[0], in)) {
                if ((expression.name == "++") != resource_.counts_down)
                    acquire(expression, in, one.state);
                else
                    clean_up(expression, in, one.state, false);
            }
        return all;
    }
    case shape::conditional: {
        if (expression.parts.size() != 3)
            break;
        outcomes ended;
        for (outcome& one : evaluate(expression.parts[0], in, std::move(from))) {
            if (one.how != outcome::kind::normal) {
                ended.push_back(std::move(one));
                continue;
            }
            for (const bool way : {true, false})
                for (path_state& state : assume(expression.parts[0], way, in, one.state))
                    for (outcome& after : evaluate(expression.parts[way ? 1 : 2], in, std::move(state)))
                        ended.push_back(std::move(after));
        }
        return ended;
    }
    case shape::binary: {
        // Operands of `||` on awaitables are both started; for conditions, the right one may be left out.
        if ((expression.name != "&&" && expression.name != "||") || expression.parts.size() != 2 ||
            in.awaiting > 0)
            break;
        outcomes ended;
        for (outcome& one : evaluate(expression.parts[0], in, std::move(from))) {
            if (one.how != outcome::kind::normal) {
                ended.push_back(std::move(one));
                continue;
            }
            if (!contains(expression.parts[1], shape::await) && !contains(expression.parts[1], shape::call)) {
                ended.push_back(std::move(one));
                continue;
            }
            const bool goes_on = expression.name == "&&";
            for (path_state& state : assume(expression.parts[0], !goes_on, in, one.state))
                ended.push_back({outcome::kind::normal, std::move(state)});
            for (path_state& state : assume(expression.parts[0], goes_on, in, one.state))
                for (outcome& after : evaluate(expression.parts[1], in, std::move(state)))
                    ended.push_back(std::move(after));
        }
        return ended;
    }
    case shape::construct: {
        outcomes all = evaluate_parts(expression.parts, 0, expression.parts.size(), in, std::move(from));
        for (outcome& one : all)
            for (const node& part : expression.parts)
                if (part.kind == shape::call && callee(part) == "move" && is_resource(part, in))
                    one.state.resource = holding::gone;
        return all;
    }
    default:
        break;
    }
    return evaluate_parts(expression.parts, 0, expression.parts.size(), in, std::move(from));
}

/// Awaiting what cannot fail: the coroutine's own state, an operation whose error goes elsewhere, or a
/// coroutine that catches everything.
bool walker::is_quiet(const node& operand, const frame& in) const
{
    // Waiver: what mishap's clients throw is told to mishap, and not to the adapter that runs them.
    if (operand.kind == shape::call &&
        operand.target.find("@mishap@S@environment@F@clients") != std::string::npos)
        return true;
    if (operand.kind == shape::call) {
        const auto called = into_.callees(*in.in, operand);
        if (!called.empty() && std::all_of(called.begin(), called.end(),
                                   [&](const function* one) { return never_throws(into_, *one); }))
            return true;
    }
    const std::string text = text_of(operand, in);
    for (const std::string_view word : {"this_coro::", "redirect_error", "as_tuple", "nothrow", "shield("})
        if (text.find(word) != std::string::npos)
            return true;
    return false;
}

outcomes walker::evaluate_await(const node& expression, frame& in, path_state from)
{
    if (expression.parts.empty())
        return normally(std::move(from));
    const node& operand = expression.parts.front();
    const std::string text = text_of(operand, in);
    if (text.find("reset_cancellation_state") != std::string::npos ||
        text.find("shield") != std::string::npos) {
        from.shielded = text.find("enable_") == std::string::npos;
        return normally(std::move(from));
    }
    if (text.find("throw_if_cancelled") != std::string::npos) {
        from.shielded = text.find("false") != std::string::npos;
        return normally(std::move(from));
    }
    // A coroutine that is called by name is followed itself, so that what it catches counts.
    const node* call = &operand;
    while (call->kind == shape::other && call->parts.size() == 1)
        call = &call->parts.front();
    if (call->kind == shape::call)
        if (std::optional<outcomes> followed = call_function(*call, in, from)) {
            for (outcome& one : *followed)
                forget_what_others_change(one.state);
            return std::move(*followed);
        }
    from.pending_open = false;
    const holding before = from.resource;
    ++in.awaiting;
    outcomes all = evaluate(operand, in, std::move(from));
    --in.awaiting;
    outcomes ended;
    for (outcome& one : all) {
        if (one.how != outcome::kind::normal) {
            one.state.pending_open = false;
            ended.push_back(std::move(one));
            continue;
        }
        forget_what_others_change(one.state);
        // What works by force cannot fail, and so replaces no error.
        const bool cleaned = before != holding::closed && one.state.resource == holding::closed &&
                             !one.state.closed_by.empty();
        if (!is_quiet(operand, in)) {
            outcome thrown{outcome::kind::thrown, one.state, cleaned ? cause::cleanup : cause::await,
                {in.in, &expression}};
            if (thrown.state.pending_open)
                thrown.state.open_failed = true;
            thrown.state.pending_open = false;
            if (cleaned)
                thrown.state.close_threw = true;
            ended.push_back(std::move(thrown));
        }
        if (one.state.pending_open) {
            one.state.pending_open = false;
            one.state.resource = holding::open;
            one.state.open_failed = false;
            one.state.truth[resource_.path] = true;
        }
        ended.push_back(std::move(one));
    }
    return ended;
}

outcomes walker::call_lambda(const node& lambda, frame& in, path_state from)
{
    if (lambda.parts.empty() || in.depth > 4)
        return normally(std::move(from));
    ++in.depth;
    outcomes all = execute(lambda.parts.back(), in, std::move(from));
    --in.depth;
    for (outcome& one : all)
        if (one.how == outcome::kind::returned)
            one.how = outcome::kind::normal;
    return all;
}

outcomes walker::evaluate_call(const node& call, frame& in, path_state from)
{
    const std::string_view name = callee(call);
    const node* const object = object_of(call);
    // A local lambda that is called by name.
    if (!call.parts.empty() && call.parts.front().kind == shape::name) {
        const auto known = in.lambdas.find(call.parts.front().name);
        if (known != in.lambdas.end())
            return call_lambda(*known->second, in, std::move(from));
    }
    if (in.awaiting == 0 || call.kind != shape::call)
        if (std::optional<outcomes> followed = call_function(call, in, from))
            return std::move(*followed);
    outcomes all = object ? evaluate(*object, in, std::move(from)) : normally(std::move(from));
    const bool spawns = name == "co_spawn" || name == "post" || name == "dispatch" || name == "defer";
    const bool leaves = (spawns || name.starts_with("async_")) && in.awaiting == 0;
    // Who is given several pieces of work decides by itself which of them runs when, and what is caught.
    std::size_t pieces = 0;
    bool about_it = false;
    for (std::size_t i = 1; i < call.parts.size(); ++i) {
        const node& argument = unwrapped(call.parts[i]);
        const auto named = argument.kind == shape::name ? in.lambdas.find(argument.name) : in.lambdas.end();
        const node* const work = argument.kind == shape::lambda ? &argument
                                 : named != in.lambdas.end()    ? named->second
                                                                : nullptr;
        pieces += work != nullptr;
        about_it = about_it || (work && mentions_resource(*work, in));
    }
    if (pieces > 1 && about_it)
        for (outcome& one : all)
            one.state.resource = holding::gone;
    for (std::size_t i = 1; i < call.parts.size(); ++i) {
        const node* argument = &unwrapped(call.parts[i]);
        if (argument->kind == shape::name && in.awaiting > 0)
            if (const auto named = in.lambdas.find(argument->name); named != in.lambdas.end())
                argument = named->second;
        if (pieces > 1 && argument->kind == shape::lambda)
            continue;
        outcomes next;
        for (outcome& one : all) {
            if (one.how != outcome::kind::normal) {
                next.push_back(std::move(one));
                continue;
            }
            if (argument->kind == shape::lambda && mentions_resource(*argument, in)) {
                if (in.awaiting > 0 && !leaves) {
                    std::ranges::move(
                        call_lambda(*argument, in, std::move(one.state)), std::back_inserter(next));
                    continue;
                }
                one.state.resource = holding::gone;
            } else if (leaves && mentions_resource(*argument, in)) {
                one.state.resource = holding::gone;
            }
            std::ranges::move(evaluate(*argument, in, std::move(one.state)), std::back_inserter(next));
        }
        all = std::move(next);
    }
    outcomes ended;
    for (outcome& one : all) {
        if (one.how != outcome::kind::normal)
            ended.push_back(std::move(one));
        else
            std::ranges::move(evaluate_known_call(call, in, std::move(one.state)), std::back_inserter(ended));
    }
    return ended;
}

/// Cleans up by a call, which may empty what it is given.
void walker::give_up(const node& call, frame& in, path_state& state, bool forced)
{
    clean_up(call, in, state, forced);
    for (std::size_t i = 1; i < call.parts.size(); ++i)
        if (const std::string path = path_of(call.parts[i], in); !path.empty())
            forget(state, path);
}

outcomes walker::evaluate_known_call(const node& call, frame& in, path_state from)
{
    const std::string_view name = callee(call);
    const node* const object = object_of(call);
    if (name == "rethrow_exception" || name == "throw_with_nested" || name == "throw_error" ||
        name == "throw_exception") {
        unsigned caught = 0;
        for (const node& part : call.parts)
            walk(part, [&](const node& below) {
                const auto known = from.remembered.find(path_of(below, in));
                if (known == from.remembered.end())
                    return true;
                caught = std::max(caught, known->second.at->begin);
                from.remembered.erase(known);
                return true;
            });
        // Throwing a later error while an earlier one is held and untold loses the earlier one.
        path_state lost = from;
        std::erase_if(lost.remembered,
            [&](const auto& held) { return held.second.in != in.in || held.second.at->begin >= caught; });
        if (in.in == &start_ && caught != 0)
            judge_replaced_error(lost, {in.in, &call});
        const bool anew = name != "rethrow_exception" && name != "throw_with_nested";
        return {
            {outcome::kind::thrown, std::move(from), anew ? cause::thrown : cause::rethrow, {in.in, &call}}};
    }
    if (name == "terminate" || name == "abort" || name == "exit" || name == "_Exit")
        if (!object)
            return {};
    if (is_own_call(call, in) || (object && is_resource(*object, in))) {
        if (resource_.of == family::container) {
            if (is_container_insert(name))
                acquire(call, in, from);
            else if (is_container_removal(name))
                clean_up(call, in, from, false);
        } else {
            const role means = role_of(name);
            if (means.does == part::acquires && means.of == resource_.of)
                acquire(call, in, from);
            else if (means.does == part::forces ||
                     (means.does == part::cleans_up && means.of == resource_.of))
                give_up(call, in, from, means.does == part::forces);
            else if (name == "reset" || name == "swap")
                from.resource = holding::gone;
        }
        return normally(std::move(from));
    }
    // close(session), and what else is given the resource.
    for (std::size_t i = 1; i < call.parts.size(); ++i) {
        const node& argument = call.parts[i];
        if (is_resource(argument, in)) {
            const role means = role_of(name);
            const bool moved = argument.kind == shape::call && callee(argument) == "move";
            const bool mine =
                means.of == resource_.of || (resource_.of == family::lifetime && means.of == family::permit);
            if (i == 1 && means.does == part::acquires && means.of == resource_.of &&
                resource_.of != family::transaction)
                acquire(call, in, from);
            else if (i == 1 && (means.does == part::forces || (means.does == part::cleans_up && mine)))
                clean_up(call, in, from, means.does == part::forces);
            else if (moved || is_container_insert(name) || name == "exchange" || name == "swap")
                from.resource = holding::gone;
        }
        // Whoever is given the error is told of it.
        if (in.asking == 0)
            walk(argument, [&](const node& below) {
                if (below.kind == shape::name)
                    from.remembered.erase(path_of(below, in));
                return true;
            });
    }
    return normally(std::move(from));
}

/// A member function that is called on the followed object itself, where that is `this`.
bool walker::is_own_call(const node& call, const frame& in) const
{
    if (resource_.path != "this" || call.kind != shape::call || call.parts.empty() ||
        in.in->owner != start_.owner)
        return false;
    const node& called = call.parts.front();
    return called.kind == shape::member && (called.parts.empty() || object_path(called.parts[0]) == "this") &&
           call.parts.size() == 1 && role_of(called.name).of == resource_.of;
}

bool walker::touches_resource(const function& of, int depth) const
{
    bool found = false;
    walk(of.body, [&](const node& below) {
        found = found || object_path(below) == resource_.path;
        if (!found && below.kind == shape::call && depth < 3)
            for (const function* const called : into_.callees(of, below))
                found = found ||
                        (called != &of && called->owner == of.owner && touches_resource(*called, depth + 1));
        return !found;
    });
    return found;
}

std::optional<outcomes> walker::call_function(const node& call, frame& in, const path_state& from)
{
    if (call.kind != shape::call || in.depth > 2)
        return {};
    const node* const object = object_of(call);
    bool concerns = false;
    for (std::size_t i = 1; i < call.parts.size(); ++i)
        concerns = concerns || is_resource(call.parts[i], in);
    const bool own =
        !object && !call.parts.empty() && resource_.path.starts_with("this.") && !in.in->owner.empty();
    if (is_own_call(call, in))
        return {};
    // Counters and lines are shared by the members of a class: a member that touches one may well settle it.
    if (resource_.of == family::counter || resource_.of == family::container) {
        if (own)
            for (const function* const called : into_.callees(*in.in, call))
                if (called->owner == start_.owner && touches_resource(*called, 0)) {
                    path_state settled = from;
                    settled.resource = holding::gone;
                    return outcomes{{outcome::kind::normal, settled},
                        {outcome::kind::thrown, settled, cause::await, {in.in, &call}}};
                }
        return {};
    }
    if ((!concerns && !own) || (object && object_path(*object) != "this"))
        return {};
    for (const function* const called : into_.callees(*in.in, call)) {
        if (!called->defined || entered_.contains(called) ||
            called->parameters.size() + 1 < call.parts.size())
            continue;
        if (own && !concerns && called->owner != in.in->owner)
            continue;
        bool takes_work = false; // a body or an operation: what it does is known at the call only
        for (std::size_t i = 1; i < call.parts.size(); ++i) {
            takes_work = takes_work || unwrapped(call.parts[i]).kind == shape::lambda;
        }
        if (takes_work)
            return {};
        bool given_away = false;
        for (std::size_t i = 1; i < call.parts.size(); ++i)
            given_away =
                given_away || (callee(unwrapped(call.parts[i])) == "move" && is_resource(call.parts[i], in));
        outcomes all = normally(from);
        for (std::size_t i = 1; i < call.parts.size(); ++i) {
            outcomes next;
            for (outcome& one : all)
                std::ranges::move(
                    evaluate(call.parts[i], in, std::move(one.state)), std::back_inserter(next));
            all = std::move(next);
        }
        frame inside;
        inside.in = called;
        inside.depth = in.depth + 1;
        inside.guard = in.guard;
        inside.prefix = fmt::format("{}{}@{}:", in.prefix, called->name, call.begin);
        for (std::size_t i = 1; i < call.parts.size(); ++i) {
            const std::string path = path_of(call.parts[i], in);
            if (!path.empty() && !called->parameters[i - 1].name.empty())
                inside.alias[called->parameters[i - 1].name] = path;
        }
        entered_.insert(called);
        outcomes ended;
        for (outcome& one : all) {
            if (one.how != outcome::kind::normal) {
                ended.push_back(std::move(one));
                continue;
            }
            for (outcome& after : execute(called->body, inside, std::move(one.state))) {
                if (after.how == outcome::kind::returned)
                    after.how = outcome::kind::normal;
                // What the callee remembered for itself is its own affair.
                std::erase_if(after.state.remembered,
                    [&](const auto& held) { return held.first.starts_with(inside.prefix); });
                std::erase_if(after.state.truth,
                    [&](const auto& known) { return known.first.starts_with(inside.prefix); });
                if (after.how == outcome::kind::normal && given_away && after.state.resource == holding::open)
                    after.state.resource = holding::gone;
                if (after.how == outcome::kind::thrown && after.from.in != in.in &&
                    after.why != cause::cleanup)
                    after.from = {in.in, &call};
                ended.push_back(std::move(after));
            }
        }
        entered_.erase(called);
        return ended;
    }
    return {};
}

outcomes walker::assign(const node& expression, frame& in, path_state from)
{
    if (expression.parts.size() != 2)
        return evaluate_parts(expression.parts, 0, expression.parts.size(), in, std::move(from));
    const node& left = expression.parts[0];
    const node& right = expression.parts[1];
    const std::string path = path_of(left, in);
    outcomes all = evaluate(right, in, std::move(from));
    for (outcome& one : all) {
        if (one.how != outcome::kind::normal)
            continue;
        path_state& state = one.state;
        if (path == resource_.path && resource_.of == family::counter) {
            if (expression.name == (resource_.counts_down ? "-=" : "+="))
                acquire(expression, in, state);
            else if (expression.name == "+=" || expression.name == "-=")
                clean_up(expression, in, state, false);
            continue;
        }
        if (!path.empty() && path != resource_.path && is_resource(right, in))
            state.resource = holding::gone; // somebody else has it now
        if (path.empty())
            continue;
        const auto held = state.remembered.find(path);
        const bool known = held != state.remembered.end();
        forget(state, path);
        if (mentions_call(right, "current_exception")) {
            state.truth[path] = true;
            state.remembered[path] = {in.in, &expression};
        } else if (is_null(right)) {
            if (known && holds_exception(left.type) && in.in == &start_)
                judge_dropped_error(state, {in.in, &expression}, path);
            state.remembered.erase(path);
            state.truth[path] = false;
            if (path == resource_.path)
                state.resource = holding::gone;
        } else {
            state.remembered.erase(path);
            if (right.kind == shape::literal && right.constant)
                state.truth[path] = *right.constant != 0;
            if (path == resource_.path) {
                if (right.kind == shape::await && resource_.of == family::lifetime)
                    acquire(expression, in, state);
                else if (resource_.of == family::lifetime)
                    state.resource = holding::gone;
            }
        }
    }
    return all;
}

outcomes walker::declare(const node& statement, frame& in, path_state from)
{
    const std::string path = in.prefix + statement.name;
    in.alias.erase(statement.name);
    const node* value = statement.parts.empty() ? nullptr : &statement.parts.back();
    while (value && (value->kind == shape::other) && value->parts.size() == 1)
        value = &value->parts.front();
    if (value && value->kind == shape::lambda) {
        in.lambdas[statement.name] = value;
        return normally(std::move(from));
    }
    const std::string of = value ? path_of(*value, in) : "";
    if (!of.empty() && statement.type.ends_with("&")) {
        in.alias[statement.name] = of;
        return normally(std::move(from));
    }
    const holding before = from.resource;
    outcomes all = evaluate_parts(statement.parts, 0, statement.parts.size(), in, std::move(from));
    for (outcome& one : all) {
        if (one.how != outcome::kind::normal) {
            one.state.open_failed = one.state.open_failed || path == resource_.path;
            continue;
        }
        path_state& state = one.state;
        forget(state, path);
        state.remembered.erase(path);
        if (holds_exception(statement.type)) {
            const bool caught = value && mentions_call(*value, "current_exception");
            if (caught)
                state.remembered[path] = {in.in, &statement};
            if (caught || !value || is_null(*value))
                state.truth[path] = caught;
        } else if (value && value->kind == shape::literal && value->constant) {
            state.truth[path] = *value->constant != 0;
        } else if ((value && is_null(*value) && statement.type.ends_with("*")) ||
                   statement.type.find("std::optional<") != std::string::npos ||
                   statement.type.find("_ptr<") != std::string::npos) {
            if (!value || is_null(*value))
                state.truth[path] = false;
        }
        // What an acquisition returned is there for as long as nobody cleaned up.
        if (before != holding::open && state.resource == holding::open && path != resource_.path &&
            statement.type.find("error") == std::string::npos)
            state.truth[path] = true;
        if (path == resource_.path && value && value->kind == shape::await &&
            (resource_.of == family::lifetime || resource_.of == family::permit))
            acquire(statement, in, state);
        if (!value || state.resource == holding::gone || path == resource_.path)
            continue;
        // Something else takes care of it: a guard with a clean-up inside, or an object that is given it.
        if (lambda_cleans_up(*value, in))
            state.resource = holding::gone;
        if (value->kind == shape::construct || value->kind == shape::other)
            for (const node& part : value->parts)
                if (is_resource(part, in))
                    state.resource = holding::gone;
        if (is_resource(*value, in) && (value->kind == shape::call || !statement.type.ends_with("&")) &&
            resource_.of == family::lifetime && state.resource == holding::open && value->kind == shape::call)
            state.resource = holding::gone;
    }
    return all;
}

} // namespace mishap::tools
