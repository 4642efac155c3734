// SPDX-License-Identifier: MIT
// What is wrong with a path, and which resources are followed at all.

#include "flow.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mishap::tools {

namespace {

std::string_view noun(family of)
{
    switch (of) {
    case family::lock:
        return "locked";
    case family::permit:
        return "taken";
    case family::transaction:
        return "in a transaction";
    case family::counter:
        return "counted up";
    case family::container:
        return "holding the entry";
    case family::session:
        return "logged in";
    case family::subscription:
        return "subscribed";
    default:
        return "open";
    }
}

bool is_leak_of_resource(family of)
{
    return of == family::lifetime || of == family::transaction || of == family::session ||
           of == family::subscription;
}

/// The line that switches cancellation off, before the statement of the function's own block that contains
/// `at`.
std::optional<edit> shield_before(
    const unit& in, const function& start, const function* where, const node& at)
{
    if (where != &start || start.body.kind != shape::block)
        return {};
    for (const node& statement : start.body.parts) {
        if (at.begin < statement.begin || at.end > statement.end)
            continue;
        const source& text = in.file_of(start);
        const place begins = text.at(statement.begin);
        const std::string_view line = text.line(begins.line);
        const std::string indent(line.substr(0, line.find_first_not_of(" \t")));
        if (indent.size() + 1 != begins.column)
            return {}; // something else stands before it in its line
        const bool standalone = start.result.starts_with("asio::") &&
                                text.text().find("boost/asio") == std::string::npos &&
                                text.text().find("namespace asio") == std::string::npos;
        const std::string asio = standalone ? "asio" : "boost::asio";
        return edit{text.path(), statement.begin - static_cast<unsigned>(indent.size()),
            statement.begin - static_cast<unsigned>(indent.size()),
            indent + "co_await " + asio + "::this_coro::reset_cancellation_state(" + asio +
                "::disable_cancellation());\n"};
    }
    return {};
}

/// `this.lock_` is how members are known here; people write `lock_`.
std::string shown(const std::string& path) { return path.starts_with("this.") ? path.substr(5) : path; }

} // namespace

bool walker::first(std::string_view check, const node* at)
{
    return said_.emplace(std::string(check), at).second;
}

note walker::note_at(spot where, std::string text) const
{
    return into_.note_at(*where.in, *where.at, std::move(text));
}

void walker::acquire(const node& at, frame& in, path_state& state)
{
    state.opened = {in.in, &at};
    state.close_threw = false;
    if (in.awaiting > 0) {
        state.pending_open = true;
        return;
    }
    state.resource = holding::open;
    state.open_failed = false;
    state.truth[resource_.path] = true;
}

void walker::clean_up(const node& at, frame& in, path_state& state, bool forced)
{
    if (std::none_of(cleanups_.begin(), cleanups_.end(), [&](const spot& known) { return known.at == &at; }))
        cleanups_.push_back({in.in, &at});
    if (!forced && state.resource != holding::gone)
        judge_cleanup(at, in, state);
    if (state.resource == holding::gone)
        return;
    state.resource = holding::closed;
    state.closed = {in.in, &at};
    state.closed_by = forced ? "" : plain_name(callee(at));
    state.close_threw = false;
}

/// True where the clean-up stands in a try whose handler falls back on force.
bool walker::falls_back_on_force(const frame& in) const
{
    if (!in.guard)
        return false;
    bool found = false;
    for (const node& part : in.guard->parts)
        if (part.kind == shape::handler)
            walk(part, [&](const node& below) {
                if (below.kind == shape::call && cleans_up(callee(below)) && mentions_resource(below, in))
                    found = true;
                return !found;
            });
    return found;
}

void walker::judge_cleanup(const node& at, frame& in, const path_state& state)
{
    const bool awaited = in.awaiting > 0;
    const std::string name = shown(resource_.path);
    const bool counts = resource_.of == family::lock || resource_.of == family::permit;
    if (is_io_object(resource_.type))
        return;
    if (state.resource == holding::closed && !state.close_threw && state.closed.at != &at &&
        (awaited || counts) && !state.closed_by.empty() && state.closed_by == plain_name(callee(at)) &&
        first("double-close", &at)) {
        finding& made = into_.add("double-close", *in.in, at,
            fmt::format("`{}` was cleaned up already on this path, and `{}` does so again",
                resource_.path == "this" ? start_.owner : name, callee(at)));
        made.path.push_back(note_at(state.closed, "here, and it succeeded"));
    }
    if (state.resource == holding::absent && state.open_failed && (awaited || counts) &&
        first("closes-uncreated", &at)) {
        finding& made = into_.add("closes-uncreated", *in.in, at,
            fmt::format("`{}` is cleaned up also when it was never {}", name,
                resource_.of == family::transaction ? "begun"
                : counts                            ? "acquired"
                                                    : "created"));
        if (state.opened.at)
            made.path.push_back(note_at(state.opened, "this may fail"));
        for (const auto& [error, where] : state.remembered)
            made.path.push_back(
                note_at(where, "the error is remembered here, and the path goes on to the clean-up"));
    }
    // Where the path knows that this was no cancellation, nothing is cancelled.
    const bool not_cancelled = std::any_of(state.truth.begin(), state.truth.end(), [](const auto& known) {
        return !known.second && (known.first.find("cancel") != std::string::npos ||
                                    known.first.find("abort") != std::string::npos);
    });
    const bool coroutine_of_asio = start_.result.find("awaitable") != std::string::npos;
    if (state.resource == holding::open && awaited && !state.remembered.empty() && !state.shielded &&
        !not_cancelled && !start_.generator && coroutine_of_asio && is_leak_of_resource(resource_.of) &&
        !role_of(callee(at)).ends_well && !falls_back_on_force(in) && first("unshielded-cleanup", &at)) {
        finding& made = into_.add("unshielded-cleanup", *in.in, at,
            fmt::format("after a cancellation this `co_await` throws at once, and `{}` stays {}", name,
                noun(resource_.of)));
        made.path.push_back(note_at(state.opened, "opened here"));
        for (const auto& [error, where] : state.remembered)
            made.path.push_back(note_at(where, "a cancellation is caught here, and stays in force"));
        if (std::optional<edit> shield = shield_before(into_.in(), start_, in.in, at))
            made.fix.push_back(std::move(*shield));
    }
}

void walker::judge_replaced_error(const path_state& state, spot by)
{
    if (start_.generator || state.remembered.empty() || !by.at || !first("close-replaces-error", by.at))
        return;
    finding& made = into_.add("close-replaces-error", *by.in, *by.at,
        "if this throws, the error that was caught before it is lost");
    for (const auto& [error, where] : state.remembered)
        made.path.push_back(note_at(where, fmt::format("`{}` is remembered here, and told to nobody yet",
                                               error.substr(error.rfind(':') + 1))));
}

void walker::judge_dropped_error(const path_state& state, spot by, const std::string& path)
{
    if (!first("swallowed-exception", by.at))
        return;
    finding& made = into_.add("swallowed-exception", *by.in, *by.at,
        fmt::format("the exception in `{}` is dropped, and nobody was told of it", shown(path)));
    made.path.push_back(note_at(state.remembered.at(path), "it was caught here"));
}

/// True if another member function of the class cleans the same member up.
bool walker::closed_by_others() const
{
    if (!resource_.path.starts_with("this.") || !is_leak_of_resource(resource_.of))
        return false;
    bool found = false;
    for (const function& other : into_.in().functions)
        if (&other != &start_ && other.defined && other.owner == start_.owner)
            walk(other.body, [&](const node& below) {
                if (below.kind == shape::call && cleans_up(callee(below)))
                    for (const node& part : below.parts)
                        walk(part, [&](const node& named) {
                            found = found || object_path(named) == resource_.path;
                            return !found;
                        });
                return !found;
            });
    return found;
}

void walker::judge_end(const outcome& end)
{
    if (end.how != outcome::kind::thrown || !end.from.at)
        return;
    if (end.why == cause::cleanup)
        judge_replaced_error(end.state, end.from);
    if (end.state.resource != holding::open || cleanups_.empty() || !end.state.opened.at)
        return;
    // Another path has cleaned up by now; the walker came here from the start of the function.
    const bool awaited_cleanup = std::any_of(cleanups_.begin(), cleanups_.end(), [&](const spot& one) {
        bool inside = false;
        walk(start_.body, [&](const node& below) {
            if (below.kind == shape::await && one.at->begin >= below.begin && one.at->end <= below.end)
                inside = true;
            return !inside;
        });
        return inside || one.in != &start_;
    });
    if (is_leak_of_resource(resource_.of)) {
        if (is_io_object(resource_.type) || closed_by_others())
            return;
        // A destructor that runs at the end of the function may do what needs no co_await.
        if (resource_.local && !awaited_cleanup)
            return;
        if (!first("cleanup-skipped", end.state.opened.at))
            return;
        finding& made = into_.add("cleanup-skipped", *end.from.in, *end.from.at,
            fmt::format("{}, `{}` stays {}: its clean-up is skipped",
                end.why == cause::await ? "if this throws" : "on a path that leaves here",
                shown(resource_.path), noun(resource_.of)));
        made.path.push_back(note_at(end.state.opened, "acquired here"));
        for (const spot& one : cleanups_)
            made.path.push_back(note_at(one, "the clean-up that this path does not come to"));
        return;
    }
    // Somebody else may take an entry out, whoever leaves by a throw of its own among them.
    if (resource_.of == family::container && end.why != cause::await)
        return;
    if (resource_.local || !first("permit-lost", end.state.opened.at))
        return;
    finding& made = into_.add("permit-lost", *end.from.in, *end.from.at,
        fmt::format("{}, `{}` stays {}: it is given back on other paths only",
            end.why == cause::await ? "if this throws" : "on a path that leaves here", shown(resource_.path),
            noun(resource_.of)));
    made.path.push_back(note_at(end.state.opened, "taken here"));
    for (const spot& one : cleanups_)
        made.path.push_back(note_at(one, "given back here, to which this path does not come"));
}

namespace {

/// Declarations and parameters, by name.
std::map<std::string, std::string> types_in(const function& of)
{
    std::map<std::string, std::string> types;
    for (const parameter& one : of.parameters)
        types[one.name] = one.type;
    walk(of.body, [&](const node& below) {
        if (below.kind == shape::declare)
            types[below.name] = below.type;
        return true;
    });
    return types;
}

std::set<std::string> locals_of(const node& body)
{
    std::set<std::string> names;
    walk(body, [&](const node& below) {
        if (below.kind == shape::declare && !below.type.ends_with("&"))
            names.insert(below.name);
        return below.kind != shape::lambda;
    });
    return names;
}

/// A coroutine: a function or a lambda in it, as a function of its own.
void follow_all(finder& into, const function& of)
{
    std::set<std::pair<std::string, family>> resources;
    walk(of.body, [&](const node& below) {
        if (below.kind == shape::call) {
            const role means = role_of(callee(below));
            const node* const object = object_of(below);
            if (means.does == part::cleans_up) {
                std::string path = object ? object_path(*object) : "";
                if (!object && below.parts.size() > 1)
                    path = object_path(below.parts[1]);
                const node& called = below.parts.front();
                if (below.parts.size() == 1 && called.kind == shape::member && called.parts.empty() &&
                    means.of == family::lock)
                    resources.emplace("this", means.of);
                if (!path.empty() && path != "this") {
                    resources.emplace(path, means.of);
                    // What a factory made has no family of its own.
                    if (means.of == family::permit)
                        resources.emplace(path, family::lifetime);
                }
            }
            const std::string_view name = callee(below);
            if (object && (name == "erase" || name == "remove" || name == "extract")) {
                const std::string path = object_path(*object);
                if (path.starts_with("this."))
                    resources.emplace(path, family::container);
            }
        }
        if ((below.kind == shape::step || below.kind == shape::assign) && !below.parts.empty() &&
            (below.name == "--" || below.name == "-=")) {
            const std::string path = object_path(below.parts[0]);
            if (!path.empty())
                resources.emplace(path, family::counter);
        }
        return true;
    });
    // One clean-up in a loop stands for many resources, which nobody can tell apart here.
    std::set<std::string> several;
    walk(of.body, [&](const node& loop) {
        if (loop.kind != shape::loop)
            return true;
        const std::set<std::string> own = locals_of(loop);
        walk(loop, [&](const node& below) {
            const role means = role_of(callee(below));
            if (below.kind == shape::call && means.does == part::cleans_up)
                for (const node& part : below.parts) {
                    const node* const object = object_of(below);
                    const std::string path =
                        object && &part == &below.parts.front() ? object_path(*object) : object_path(part);
                    if (!own.contains(path.substr(0, path.find('.'))))
                        several.insert(path);
                }
            return true;
        });
        return true;
    });
    const auto types = types_in(of);
    const auto locals = locals_of(of.body);
    for (const auto& [path, kind] : resources) {
        if (several.contains(path))
            continue;
        followed resource;
        resource.path = path;
        resource.of = kind;
        const std::string root = path.substr(0, path.find('.'));
        const auto type = types.find(root);
        if (kind == family::counter) {
            const std::string* first = nullptr;
            walk(of.body, [&](const node& below) {
                if ((below.kind == shape::step || below.kind == shape::assign) && !below.parts.empty() &&
                    !first && object_path(below.parts[0]) == path)
                    first = &below.name;
                return !first;
            });
            resource.counts_down = first && (*first == "--" || *first == "-=");
        }
        if (type != types.end())
            resource.type = type->second;
        else if (root == "this")
            if (const class_type* const owner = into.class_named(of.owner))
                for (const field& one : owner->fields)
                    if ("this." + one.name == path)
                        resource.type = one.type;
        resource.local = locals.contains(root);
        if ((kind == family::counter || kind == family::container) && resource.local)
            continue;
        walker(into, of, resource).run();
    }
}

} // namespace

void check_flow(finder& into)
{
    for (const function& of : into.in().functions)
        if (of.defined && of.coroutine)
            follow_all(into, of);
}

} // namespace mishap::tools
