// SPDX-License-Identifier: MIT
// Statements: where a path goes on, forks, throws or ends.

#include "flow.hpp"

#include <algorithm>

namespace mishap::tools {

namespace {

constexpr std::size_t outcomes_max = 160;

/// Drops outcomes that say the same.
void merge(outcomes& all)
{
    std::set<std::tuple<outcome::kind, cause, const node*, decltype(path_state().key())>> seen;
    std::erase_if(all, [&](const outcome& one) {
        return !seen.emplace(one.how, one.why, one.from.at, one.state.key()).second;
    });
}

void append(outcomes& into, outcomes more) { std::move(more.begin(), more.end(), std::back_inserter(into)); }

bool catches_all(const node& handler) { return handler.name == "..."; }

bool catches_standard(const node& handler)
{
    return handler.name.find("std::exception") != std::string::npos &&
           handler.name.find("exception_ptr") == std::string::npos;
}

/// True if an entry is taken out of some container here.
bool removes_entry(const node& tree)
{
    bool found = false;
    walk(tree, [&](const node& below) {
        found = found ||
                (below.kind == shape::call &&
                    (callee(below) == "erase" || callee(below) == "remove" || callee(below) == "extract"));
        return !found;
    });
    return found;
}

} // namespace

walker::walker(finder& into, const function& start, followed resource)
    : into_(into), start_(start), resource_(std::move(resource))
{}

void walker::run()
{
    frame in;
    in.in = &start_;
    entered_.insert(&start_);
    try {
        outcomes ends = execute(start_.body, in, {});
        // Of several ways to lose the same thing, the plainest is told.
        constexpr cause plainest[] = {
            cause::await, cause::rethrow, cause::thrown, cause::cleanup, cause::none};
        for (const cause why : plainest)
            for (const outcome& end : ends)
                if (end.why == why)
                    judge_end(end);
    } catch (const too_many&) {
        // What was found so far stands: each finding is about a path that was followed whole.
    }
}

outcomes walker::execute(const node& statement, frame& in, path_state from)
{
    if (++steps_ > steps_max)
        throw too_many();
    switch (statement.kind) {
    case shape::block:
        return execute_block(statement.parts, 0, in, std::move(from));
    case shape::branch:
        return execute_branch(statement, in, std::move(from));
    case shape::loop:
        return execute_loop(statement, in, std::move(from));
    case shape::choice:
        return execute_choice(statement, in, std::move(from));
    case shape::attempt:
        return execute_attempt(statement, in, std::move(from));
    case shape::declare:
        return declare(statement, in, std::move(from));
    case shape::label:
        return statement.parts.empty() ? outcomes{{outcome::kind::normal, std::move(from)}}
                                       : execute(statement.parts.back(), in, std::move(from));
    case shape::stop:
        return {{outcome::kind::stopped, std::move(from)}};
    case shape::go_on:
        return {{outcome::kind::went_on, std::move(from)}};
    case shape::leave: {
        outcomes all = evaluate_parts(statement.parts, 0, statement.parts.size(), in, std::move(from));
        for (outcome& one : all) {
            if (one.how != outcome::kind::normal)
                continue;
            one.how = outcome::kind::returned;
            for (const node& part : statement.parts) {
                if (is_resource(part, in))
                    one.state.resource = holding::gone;
                one.state.remembered.erase(path_of(part, in));
            }
        }
        return all;
    }
    case shape::raise: {
        outcomes all = evaluate_parts(statement.parts, 0, statement.parts.size(), in, std::move(from));
        for (outcome& one : all)
            if (one.how == outcome::kind::normal) {
                one.how = outcome::kind::thrown;
                one.why = statement.parts.empty() ? cause::rethrow : cause::thrown;
                one.from = {in.in, &statement};
            }
        return all;
    }
    default:
        return evaluate(statement, in, std::move(from));
    }
}

outcomes walker::execute_block(
    const std::vector<node>& statements, std::size_t first, frame& in, path_state from)
{
    outcomes ended;
    outcomes going{{outcome::kind::normal, std::move(from)}};
    for (std::size_t i = first; i < statements.size() && !going.empty(); ++i) {
        outcomes next;
        for (outcome& one : going)
            for (outcome& after : execute(statements[i], in, std::move(one.state)))
                (after.how == outcome::kind::normal ? next : ended).push_back(std::move(after));
        merge(next);
        if (next.size() + ended.size() > outcomes_max) {
            merge(ended);
            if (next.size() + ended.size() > outcomes_max)
                throw too_many();
        }
        going = std::move(next);
    }
    append(ended, std::move(going));
    merge(ended);
    return ended;
}

outcomes walker::execute_branch(const node& statement, frame& in, path_state from)
{
    if (statement.parts.size() < 2)
        return {{outcome::kind::normal, std::move(from)}};
    const node& condition = statement.parts[0];
    outcomes ended;
    ++in.asking;
    outcomes asked = evaluate(condition, in, std::move(from));
    --in.asking;
    for (outcome& one : asked) {
        if (one.how != outcome::kind::normal) {
            ended.push_back(std::move(one));
            continue;
        }
        for (path_state& yes : assume(condition, true, in, one.state))
            append(ended, execute(statement.parts[1], in, std::move(yes)));
        // Who takes an entry out only sometimes knows when others have done so.
        const bool taken_out = resource_.of == family::container && removes_entry(statement.parts[1]);
        for (path_state& no : assume(condition, false, in, one.state)) {
            if (taken_out)
                no.resource = holding::gone;
            if (statement.parts.size() > 2)
                append(ended, execute(statement.parts[2], in, std::move(no)));
            else
                ended.push_back({outcome::kind::normal, std::move(no)});
        }
    }
    merge(ended);
    return ended;
}

outcomes walker::execute_loop(const node& statement, frame& in, path_state from)
{
    if (statement.parts.empty())
        return {{outcome::kind::normal, std::move(from)}};
    const node& body = statement.parts.back();
    const bool has_condition = statement.name == "while" || statement.name == "do";
    const node* const condition =
        has_condition && statement.parts.size() >= 2 ? &statement.parts[statement.parts.size() - 2] : nullptr;
    const bool for_ever =
        statement.name == "for ever" || (condition && condition->constant && *condition->constant != 0);
    outcomes ended;
    outcomes going{{outcome::kind::normal, std::move(from)}};
    // What begins the loop, a `for`'s step and a range's variable are evaluated once; that is enough for what
    // they do to a resource.
    outcomes begun;
    for (outcome& one : going)
        for (outcome& after :
            evaluate_parts(statement.parts, 0, statement.parts.size() - 1, in, std::move(one.state)))
            (after.how == outcome::kind::normal ? begun : ended).push_back(std::move(after));
    going = std::move(begun);
    for (int round = 0; round < 2 && !going.empty(); ++round) {
        outcomes next;
        for (outcome& one : going) {
            std::vector<path_state> entering;
            if (condition && (statement.name != "do" || round > 0)) {
                entering = assume(*condition, true, in, one.state);
                for (path_state& no : assume(*condition, false, in, one.state))
                    ended.push_back({outcome::kind::normal, std::move(no)});
            } else {
                entering.push_back(one.state);
                if (!for_ever && statement.name != "do")
                    ended.push_back({outcome::kind::normal, one.state});
            }
            for (path_state& enters : entering)
                for (outcome& after : execute(body, in, std::move(enters)))
                    switch (after.how) {
                    case outcome::kind::normal:
                    case outcome::kind::went_on:
                        after.how = outcome::kind::normal;
                        next.push_back(std::move(after));
                        break;
                    case outcome::kind::stopped:
                        after.how = outcome::kind::normal;
                        ended.push_back(std::move(after));
                        break;
                    default:
                        ended.push_back(std::move(after));
                    }
        }
        merge(next);
        going = std::move(next);
        if (going.size() + ended.size() > outcomes_max)
            throw too_many();
    }
    if (!for_ever)
        append(ended, std::move(going));
    merge(ended);
    return ended;
}

outcomes walker::execute_choice(const node& statement, frame& in, path_state from)
{
    if (statement.parts.empty() || statement.parts.back().kind != shape::block)
        return {{outcome::kind::normal, std::move(from)}};
    const std::vector<node>& cases = statement.parts.back().parts;
    outcomes ended;
    bool has_default = false;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        if (cases[i].kind != shape::label)
            continue;
        has_default = has_default || cases[i].name == "default";
        append(ended, execute_block(cases, i, in, from));
    }
    if (!has_default)
        ended.push_back({outcome::kind::normal, std::move(from)});
    for (outcome& one : ended)
        if (one.how == outcome::kind::stopped)
            one.how = outcome::kind::normal;
    merge(ended);
    return ended;
}

outcomes walker::execute_attempt(const node& statement, frame& in, path_state from)
{
    if (statement.parts.empty())
        return {{outcome::kind::normal, std::move(from)}};
    const std::vector<node>& parts = statement.parts;
    const node* const outer = std::exchange(in.guard, &statement);
    outcomes tried = execute(parts.front(), in, std::move(from));
    in.guard = outer;
    const bool any_catches_all =
        std::any_of(parts.begin() + 1, parts.end(), [](const node& one) { return catches_all(one); });
    outcomes ended;
    for (outcome& one : tried) {
        if (one.how != outcome::kind::thrown) {
            ended.push_back(std::move(one));
            continue;
        }
        // An older error that was declared inside is lost when the clean-up's error ends its scope.
        const auto declared_inside = [&](const auto& held) {
            return held.second.in == in.in && held.second.at->begin > statement.begin &&
                   held.second.at->begin < parts.front().end;
        };
        if (one.why == cause::cleanup &&
            std::any_of(one.state.remembered.begin(), one.state.remembered.end(), declared_inside))
            judge_replaced_error(one.state, one.from);
        std::erase_if(one.state.remembered, declared_inside);
        bool caught = false;
        for (std::size_t i = 1; i < parts.size() && !caught; ++i) {
            const node& handler = parts[i];
            caught = catches_all(handler) || (catches_standard(handler) && !any_catches_all);
            for (const node& block : handler.parts)
                for (outcome& after : execute(block, in, one.state)) {
                    // `throw;` says where the exception came from.
                    if (after.how == outcome::kind::thrown && after.why == cause::rethrow &&
                        after.from.at->kind == shape::raise) {
                        after.why = one.why;
                        if (one.why == cause::cleanup)
                            after.from = one.from;
                    }
                    ended.push_back(std::move(after));
                }
        }
        if (!caught)
            ended.push_back(std::move(one));
    }
    merge(ended);
    if (ended.size() > outcomes_max)
        throw too_many();
    return ended;
}

std::vector<path_state> walker::assume(const node& condition, bool wanted, frame& in, path_state from)
{
    if (condition.constant)
        return (*condition.constant != 0) == wanted ? std::vector<path_state>{std::move(from)}
                                                    : std::vector<path_state>{};
    if (condition.kind == shape::unary && condition.name == "!" && condition.parts.size() == 1)
        return assume(condition.parts[0], !wanted, in, std::move(from));
    if (condition.kind == shape::binary && condition.parts.size() == 2 &&
        (condition.name == "&&" || condition.name == "||")) {
        // Both must be true for `a && b`, both false for `!(a || b)`; else one is enough.
        const bool both = (condition.name == "&&") == wanted;
        std::vector<path_state> all;
        for (path_state& left : assume(condition.parts[0], wanted, in, from)) {
            if (!both)
                all.push_back(std::move(left));
            else
                for (path_state& right : assume(condition.parts[1], wanted, in, std::move(left)))
                    all.push_back(std::move(right));
        }
        if (!both)
            for (path_state& left : assume(condition.parts[0], !wanted, in, from))
                for (path_state& right : assume(condition.parts[1], wanted, in, std::move(left)))
                    all.push_back(std::move(right));
        return all;
    }
    const node* tested = &condition;
    bool positive = wanted;
    if (condition.kind == shape::binary && condition.parts.size() == 2 &&
        (condition.name == "==" || condition.name == "!=")) {
        const bool null = condition.parts[1].kind == shape::literal && condition.parts[1].name == "nullptr";
        if (null) {
            tested = &condition.parts[0];
            positive = (condition.name == "!=") == wanted;
        }
    } else if (condition.kind == shape::call && callee(condition) == "has_value" && object_of(condition)) {
        tested = object_of(condition);
    }
    std::string about = path_of(*tested, in);
    if (about.empty())
        about = in.prefix + "?" + text_of(*tested, in);
    const auto known = from.truth.find(about);
    if (known != from.truth.end())
        return known->second == positive ? std::vector<path_state>{std::move(from)}
                                         : std::vector<path_state>{};
    from.truth[about] = positive;
    return {std::move(from)};
}

std::string walker::path_of(const node& of, const frame& in) const
{
    std::string path = object_path(of);
    if (path.empty() || path.starts_with("this.") || path == "this")
        return path;
    const std::size_t dot = path.find('.');
    const std::string first = path.substr(0, dot);
    const auto known = in.alias.find(first);
    if (known != in.alias.end())
        return dot == std::string::npos ? known->second : known->second + path.substr(dot);
    return in.prefix + path;
}

std::string walker::text_of(const node& of, const frame& in) const { return into_.in().text(*in.in, of); }

bool walker::mentions_resource(const node& tree, const frame& in) const
{
    bool found = false;
    walk(tree, [&](const node& below) {
        if (!found && (below.kind == shape::name || below.kind == shape::member))
            found = is_resource(below, in);
        return !found;
    });
    return found;
}

bool walker::lambda_cleans_up(const node& tree, const frame& in) const
{
    bool found = false;
    walk(tree, [&](const node& below) {
        if (below.kind == shape::lambda)
            walk(below, [&](const node& inside) {
                if (inside.kind == shape::call && cleans_up(callee(inside)) && mentions_resource(inside, in))
                    found = true;
                if (inside.kind == shape::step && resource_.of == family::counter && !inside.parts.empty() &&
                    is_resource(inside.parts[0], in))
                    found = true;
                return !found;
            });
        return !found;
    });
    return found;
}

} // namespace mishap::tools
