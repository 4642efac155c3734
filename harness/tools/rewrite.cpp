// SPDX-License-Identifier: MIT
#include "rewrite.hpp"

#include "command.hpp"
#include "roles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace mishap::tools {

namespace {

/// Verbs that wait for something outside the program, where the object's type is the user's own.
constexpr std::string_view blocking_verbs[] = {"accept", "acquire", "begin", "borrow", "close", "commit",
    "connect", "create", "disconnect", "execute", "fetch", "flush", "give_back", "lock", "login", "log_in",
    "logout", "log_out", "open", "ping", "query", "read", "receive", "release", "roll_back", "rollback",
    "send", "shut_down", "shutdown", "start", "stop", "subscribe", "unlock", "unsubscribe", "wait", "write"};

constexpr std::string_view asio_verbs[] = {"accept", "connect", "handshake", "read_some", "receive",
    "resolve", "send", "shutdown", "wait", "write_some"};

/// Functions that block, and have no asynchronous form that could be put in their place.
constexpr std::string_view blocking_functions[] = {"accept", "close", "connect", "fclose", "fflush", "flock",
    "fopen", "fread", "fsync", "fwrite", "getaddrinfo", "nanosleep", "open", "poll", "read", "recv", "select",
    "send", "sleep", "usleep", "waitpid", "write"};

template <class List>
bool is_in(const List& list, std::string_view name)
{
    return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

std::string replaced(std::string text, std::string_view from, std::string_view to)
{
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

std::string trimmed(std::string_view text)
{
    const std::size_t begin = text.find_first_not_of(" \t");
    return begin == std::string_view::npos
               ? ""
               : std::string(text.substr(begin, text.find_last_not_of(" \t") + 1 - begin));
}

} // namespace

void read_mapping(const std::string& path, mapping& into)
{
    std::istringstream in(read_file(path));
    int number = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        line = trimmed(line);
        if (line.empty() || line.front() == '#')
            continue;
        const std::size_t equals = line.find(" = ");
        const bool call = line.starts_with("call ");
        if (equals == std::string::npos || (!call && !line.starts_with("type ")))
            throw usage_error(
                fmt::format("{}:{}: '{}' is no row; write 'call NAME = REPLACEMENT' with $object, $name and "
                            "$args, or 'type NAME = REPLACEMENT'",
                    path, number, line));
        (call ? into.calls : into.types)
            .push_back({trimmed(line.substr(5, equals - 5)), trimmed(line.substr(equals + 3))});
    }
}

std::string builtin_mapping()
{
    std::string verbs;
    for (const std::string_view one : blocking_verbs)
        verbs += (verbs.empty() ? "" : " ") + std::string(one);
    std::string asio;
    for (const std::string_view one : asio_verbs)
        asio += (asio.empty() ? "" : " ") + std::string(one);
    return fmt::format(
        "On types of your own, whose asynchronous form has the same names: co_await $object.$name($args) "
        "for\n"
        "  {}\nOn types of Asio: co_await $object.async_$name($args, boost::asio::use_awaitable) for\n  {}\n"
        "std::this_thread::sleep_for: a timer of Asio.\n",
        verbs, asio);
}

std::string rewriter::type_of_object(const function& of, const node& object) const
{
    if (!object.type.empty())
        return object.type;
    const std::string path = object_path(object);
    for (const class_type& type : in_.classes)
        if (type.name == of.owner)
            for (const field& one : type.fields)
                if (path == "this." + one.name || path == one.name)
                    return one.type;
    for (const parameter& one : of.parameters)
        if (one.name == path)
            return one.type;
    return {};
}

std::string rewriter::replacement_for(const function& of, const node& call, std::string& left) const
{
    const std::string name(callee(call));
    const node* const object = object_of(call);
    for (const mapping::row& row : map_.calls)
        if (row.from == name)
            return row.to;
    const bool own = !object || object_path(*object) == "this";
    if (own && coroutines_.contains(name))
        return "co_await $callee($args)";
    if (name == "sleep_for")
        return "co_await boost::asio::steady_timer(co_await boost::asio::this_coro::executor, $args)"
               ".async_wait(boost::asio::use_awaitable)";
    if (!object) {
        // A plain function of the system's, by its name alone and not by a member's.
        if (!call.parts.empty() && call.parts.front().kind == shape::name &&
            is_in(blocking_functions, name) && of.owner.find(name) == std::string::npos)
            left = fmt::format("{}() blocks, and no row of the table says what to call in its place", name);
        return {};
    }
    if (own)
        return {};
    std::string type = type_of_object(of, *object);
    if (is_io_object(type))
        return is_in(asio_verbs, name) ? "co_await $object.async_$name($args, boost::asio::use_awaitable)"
                                       : "";
    const std::string plain = plain_name(name);
    if (!is_in(blocking_verbs, plain) && name != "join" && name != "get")
        return {};
    for (const mapping::row& row : map_.types)
        if (type.find(row.from) != std::string::npos)
            return "co_await $object.$name($args)";
    const bool standard = type.find("std::") != std::string::npos;
    if (standard || name == "join" || name == "get") {
        if (!standard || (name == "get" && type.find("future") == std::string::npos))
            return {};
        left = fmt::format("{}() of {} blocks, and has no asynchronous form", name, type);
        return {};
    }
    // A type that depends on a template, or a class of the user's own.
    return "co_await $object.$name($args)";
}

bool rewriter::awaits(const function& of, const node& tree)
{
    bool found = false;
    walk(tree, [&](const node& below) {
        std::string left;
        if (below.kind == shape::call && !replacement_for(of, below, left).empty())
            found = true;
        return !found && below.kind != shape::lambda;
    });
    return found;
}

rewritten rewriter::body(const function& of)
{
    result_ = {};
    result_.text = render(of, of.body, shape::other);
    return std::move(result_);
}

rewritten rewriter::closing_body(const function& of)
{
    result_ = {};
    // A destructor has to swallow what its clean-up throws; here somebody can be told.
    if (of.body.parts.size() == 1 && of.body.parts[0].kind == shape::attempt &&
        of.body.parts[0].parts.size() == 2) {
        const node& handler = of.body.parts[0].parts[1];
        if (handler.name == "..." && !handler.parts.empty() && handler.parts.back().parts.empty()) {
            result_.text = render(of, of.body.parts[0].parts[0], shape::other);
            return std::move(result_);
        }
    }
    std::size_t waits = 0;
    for (const node& statement : of.body.parts)
        waits += awaits(of, statement);
    if (waits < 2)
        return body(of);
    result_ = {};
    result_.tells = true;
    std::string text = "{\n";
    for (const node& statement : of.body.parts) {
        const std::string done = as_statement(of, statement);
        if (!awaits(of, statement))
            text += "        " + done + "\n";
        else
            text += "        try {\n            " + done +
                    "\n        } catch (...) {\n            log(std::current_exception());\n        }\n";
    }
    result_.text = text + "    }";
    return std::move(result_);
}

rewritten rewriter::marked_body(const function& of)
{
    synchronous_ = true;
    rewritten made = body(of);
    synchronous_ = false;
    return made;
}

void rewriter::leave(const function& of, const node& at, std::string_view why)
{
    result_.left.push_back(fmt::format("{}:{}: {}", of.where.file, in_.file_of(of).at(at.begin).line, why));
}

/// True where several parts wait, and the language does not say which of them goes first.
bool rewriter::order_matters(const function& of, const node& at)
{
    const bool fixed = at.name == "&&" || at.name == "||" || at.name == ",";
    if ((at.kind != shape::binary || fixed) && at.kind != shape::call)
        return false;
    std::size_t waiting = 0;
    for (std::size_t i = at.kind == shape::call ? 1 : 0; i < at.parts.size(); ++i)
        waiting += awaits(of, at.parts[i]);
    return waiting > 1;
}

/// Rendered, with the semicolon that an expression's extent lacks.
std::string rewriter::as_statement(const function& of, const node& at)
{
    std::string text = render(of, at, shape::block);
    if (!text.ends_with('}') && !text.ends_with(';'))
        text += ';';
    return text;
}

std::string rewriter::render_parts(const function& of, const node& at)
{
    const std::string& text = in_.file_of(of).text();
    std::vector<const node*> parts;
    for (const node& part : at.parts)
        if (part.begin >= at.begin && part.end <= at.end && part.end > part.begin)
            parts.push_back(&part);
    std::sort(parts.begin(), parts.end(), [](const node* a, const node* b) { return a->begin < b->begin; });
    std::string out;
    unsigned from = at.begin;
    for (const node* const part : parts) {
        if (part->begin < from)
            continue;
        out += text.substr(from, part->begin - from);
        out += render(of, *part, at.kind);
        from = part->end;
    }
    return out + text.substr(from, at.end > from ? at.end - from : 0);
}

std::string rewriter::render_call(const function& of, const node& at, const std::string& replacement)
{
    const node* const object = object_of(at);
    std::string arguments;
    for (std::size_t i = 1; i < at.parts.size(); ++i)
        if (at.parts[i].end > at.parts[i].begin)
            arguments += (arguments.empty() ? "" : ", ") + render(of, at.parts[i], shape::call);
    std::string text = replacement;
    if (arguments.empty())
        text = replaced(replaced(std::move(text), "$args, ", ""), ", $args", "");
    text = replaced(std::move(text), "$args", arguments);
    text = replaced(std::move(text), "$object", object ? render(of, *object, shape::call) : "");
    text = replaced(std::move(text), "$name", callee(at));
    text = replaced(std::move(text), "$callee",
        at.parts.empty() ? std::string(callee(at)) : render(of, at.parts[0], shape::call));
    // `p->close()` stays `p->close()`.
    if (object && object->end < in_.file_of(of).text().size()) {
        const std::string& source = in_.file_of(of).text();
        if (source.compare(object->end, 2, "->") == 0) {
            const std::string shown = render(of, *object, shape::call);
            text = replaced(std::move(text), shown + "." + std::string(callee(at)),
                shown + "->" + std::string(callee(at)));
            text = replaced(std::move(text), shown + ".async_" + std::string(callee(at)),
                shown + "->async_" + std::string(callee(at)));
        }
    }
    return text;
}

/// A catch block cannot wait: what it awaits comes after it, with the exception remembered.
std::string rewriter::render_attempt(const function& of, const node& at)
{
    const node& handler = at.parts[1];
    const node& block = handler.parts.back();
    const bool rethrows =
        !block.parts.empty() && block.parts.back().kind == shape::raise && block.parts.back().parts.empty();
    const std::string& source = in_.file_of(of).text();
    const std::size_t line = source.rfind('\n', at.begin) + 1;
    const std::size_t code = source.find_first_not_of(" \t", line);
    const std::string outer = source.substr(line, std::min<std::size_t>(code, at.begin) - line);
    const std::string inner = outer + "    ";
    // Braces of its own, since the next one of its kind has a `first_error`, too.
    std::string text = "{\n" + inner + "std::exception_ptr first_error;\n" + inner + "try ";
    text += render(of, at.parts[0], shape::attempt);
    text += " catch (...) {\n" + inner + "    first_error = std::current_exception();\n" + inner + "}\n";
    text += inner + "if (first_error) {\n" + inner +
            "    co_await boost::asio::this_coro::reset_cancellation_state("
            "boost::asio::disable_cancellation());\n";
    for (std::size_t i = 0; i + (rethrows ? 1 : 0) < block.parts.size(); ++i)
        text += inner + "    try {\n" + inner + "        " + as_statement(of, block.parts[i]) + "\n" + inner +
                "    } catch (...) {\n" + inner + "        // The first error is the caller's.\n" + inner +
                "    }\n";
    if (rethrows)
        text += inner + "    std::rethrow_exception(first_error);\n";
    result_.awaits = true;
    return text + inner + "}\n" + outer + "}";
}

std::string rewriter::render(const function& of, const node& at, shape parent)
{
    const std::string& source = in_.file_of(of).text();
    if (at.kind == shape::attempt) {
        bool waits_in_handler = false;
        for (const node& part : at.parts)
            waits_in_handler = waits_in_handler || (part.kind == shape::handler && awaits(of, part));
        if (waits_in_handler && at.parts.size() == 2 && at.parts[1].name == "..." &&
            !at.parts[1].parts.empty())
            return render_attempt(of, at);
        if (waits_in_handler)
            leave(of, at, "a catch block blocks, and cannot wait: write it by hand");
    }
    if (at.kind == shape::leave && at.name == "return" && !synchronous_)
        return "co_" + render_parts(of, at);
    if (at.kind == shape::lambda)
        return source.substr(at.begin, at.end - at.begin); // runs elsewhere, and stays as it is
    if (at.kind == shape::name)
        for (const auto& [from, to] : names_)
            if (at.name == from)
                return to;
    const bool unordered = order_matters(of, at);
    if (unordered)
        leave(of, at,
            "several calls wait in one expression, in an order that is the compiler's choice: name "
            "their results first");
    const std::string mark = unordered ? "/* mishap: in which order? */ " : "";
    if (at.kind == shape::call) {
        std::string left;
        const std::string replacement = replacement_for(of, at, left);
        if (!replacement.empty()) {
            result_.awaits = true;
            const std::string text = mark + render_call(of, at, replacement);
            return parent == shape::member || parent == shape::binary || parent == shape::unary
                       ? "(" + text + ")"
                       : text;
        }
        if (!left.empty()) {
            leave(of, at, left);
            return "/* mishap: still blocks */ " + render_parts(of, at);
        }
    }
    return mark + render_parts(of, at);
}

} // namespace mishap::tools
