// SPDX-License-Identifier: MIT
// convert: a synchronous RAII class, or a function that lends to a callback, as an asynchronous manager.

#include "command.hpp"
#include "rewrite.hpp"
#include "scaffold.hpp"

#include "embedded.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <regex>
#include <set>

namespace mishap::tools {

namespace {

const std::vector<option> known_options = {
    {"--class", true, "the class whose constructor acquires and whose destructor cleans up"},
    {"--function", true, "a function that lends to a callback, in place of a class"},
    {"--map", true, "a file with rows of your own: call NAME = REPLACEMENT, type NAME = REPLACEMENT"},
    {"--namespace", true, "where the result stands (default: where the original does)"},
    {"--output", true, "the file to write (default: async_NAME.hpp)"},
    {"--compile-commands", true,
        "the folder of compile_commands.json (default: the nearest above the header)"},
    {"--dry-run", false, "print what would be written"},
    {"--list-map", false, "print the rows that hold without a file"},
    {"--help", false, "print this"},
};

std::string last_component(const std::string& name)
{
    const std::size_t at = name.rfind("::");
    return at == std::string::npos ? name : name.substr(at + 2);
}

std::string scope_of(const std::string& name)
{
    const std::size_t at = name.rfind("::");
    return at == std::string::npos ? "" : name.substr(0, at);
}

std::string without_trailing_space(std::string text)
{
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
        text.pop_back();
    return text;
}

std::string with_word(const std::string& text, const std::string& word, const std::string& by)
{
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const bool begins =
            at == 0 || (!std::isalnum(static_cast<unsigned char>(text[at - 1])) && text[at - 1] != '_');
        const std::size_t end = at + word.size();
        if (begins && text.compare(at, word.size(), word) == 0 &&
            (end >= text.size() ||
                (!std::isalnum(static_cast<unsigned char>(text[end])) && text[end] != '_'))) {
            out += by;
            at = end;
        } else {
            out += text[at++];
        }
    }
    return out;
}

/// The head of a member function, as text: what stands before its body, without a class name before its own.
struct head
{
    std::string before;     ///< template, specifiers and the result
    std::string parameters; ///< with brackets
    std::string after;      ///< const, noexcept, and a constructor's initialisers
};

head head_of(const unit& in, const function& of, unsigned end)
{
    const std::string& text = in.file_of(of).text();
    head made;
    made.before = text.substr(of.begin, of.where.offset - of.begin);
    unsigned open = of.where.offset;
    while (open < end && text[open] != '(')
        ++open;
    unsigned close = open;
    for (int depth = 0; close < end; ++close) {
        depth += text[close] == '(' ? 1 : text[close] == ')' ? -1 : 0;
        if (depth == 0)
            break;
    }
    made.parameters = text.substr(open, close + 1 - open);
    made.after = close + 1 < end ? text.substr(close + 1, end - close - 1) : "";
    return made;
}

/// `inline virtual int ` as an awaitable of int.
std::string awaitable_head(std::string before, const std::string& result)
{
    for (const char* const word : {"inline", "virtual", "constexpr", "static"})
        if (std::string(word) != "static")
            before = with_word(before, word, "");
    const std::size_t at = before.rfind(result.substr(0, 1) == "v" ? "void" : result);
    std::string specifiers = at == std::string::npos ? "" : before.substr(0, at);
    while (!specifiers.empty() && std::isspace(static_cast<unsigned char>(specifiers.front())))
        specifiers.erase(0, 1);
    return fmt::format("{}boost::asio::awaitable<{}> ", specifiers, result);
}

/// A coroutine's braces must have something of a coroutine between them.
std::string as_coroutine(const rewritten& body)
{
    if (body.awaits || body.text.find("co_return") != std::string::npos)
        return body.text;
    const std::size_t end = body.text.rfind('}');
    return without_trailing_space(body.text.substr(0, end)) + "\n        co_return;\n    }";
}

bool mentions(const node& tree, const std::string& name)
{
    bool found = false;
    walk(tree, [&](const node& below) {
        found = found || (below.kind == shape::name && below.name == name);
        return !found;
    });
    return found;
}

struct converted
{
    std::string text;
    std::vector<std::string> left;
};

/// The definition that belongs to a declaration, which may stand outside the class; null where there is none.
const function* definition_of(const unit& in, const function& declared)
{
    if (declared.defined)
        return &declared;
    for (const function& one : in.functions)
        if (one.defined && one.target == declared.target)
            return &one;
    return nullptr;
}

converted convert_class(const unit& in, const class_type& type, const mapping& map)
{
    converted made;
    const std::string name = last_component(type.name);
    const std::string wanted = "async_" + name;
    std::vector<const function*> members;
    for (const function& one : in.functions)
        if (one.owner == type.name && one.where.file == type.where.file && one.begin >= type.begin &&
            one.end <= type.end && !one.name.empty())
            members.push_back(&one);
    std::sort(members.begin(), members.end(),
        [](const function* a, const function* b) { return a->begin < b->begin; });

    // Members that await, and members that call those, until no more come.
    rewriter shared(in, map);
    std::set<std::string> waiting;
    for (bool more = true; more;) {
        more = false;
        for (const function* const one : members) {
            const function* const body = definition_of(in, *one);
            if (!body || one->constructor || one->destructor || waiting.contains(one->name) ||
                !shared.awaits(*body, body->body))
                continue;
            waiting.insert(one->name);
            shared.add_coroutine(one->name);
            more = true;
        }
    }

    const std::string& text = in.files.at(type.where.file).text();
    std::string out;
    unsigned from = type.begin;
    bool has_destructor = false;
    bool has_open = false;
    bool tells = false;
    std::set<std::string> openings;
    const auto note = [&](const rewritten& body) {
        made.left.insert(made.left.end(), body.left.begin(), body.left.end());
    };
    for (const function* const one : members) {
        const function* const body = definition_of(in, *one);
        if (!body)
            continue;
        rewriter here = shared;
        const head heads = head_of(in, *body, body->body.begin);
        std::string piece;
        if (one->destructor) {
            const rewritten closing = here.closing_body(*body);
            note(closing);
            // A class whose constructors wait for nothing is open at once.
            const bool any_opens = std::any_of(members.begin(), members.end(), [&](const function* other) {
                const function* const defined = definition_of(in, *other);
                return other->constructor && defined && shared.awaits(*defined, defined->body);
            });
            if (!any_opens)
                piece = "boost::asio::awaitable<void> open() { co_return; }\n\n    ";
            has_open = has_open || !any_opens;
            tells = closing.tells;
            piece += tells ? "template <class Log>\n    boost::asio::awaitable<void> close(Log log)\n    "
                           : "boost::asio::awaitable<void> close()\n    ";
            piece += as_coroutine(closing);
            has_destructor = true;
        } else if (!one->constructor ? !waiting.contains(one->name) : !shared.awaits(*body, body->body)) {
            // It waits for nothing, and stays as it is, unless something in it blocks for good.
            const rewritten marked = here.marked_body(*body);
            note(marked);
            if (marked.left.empty() || !one->defined)
                continue;
            piece = text.substr(one->begin, one->body.begin - one->begin) + marked.text;
        } else if (one->constructor) {
            // What the initialisers keep is read from where it is kept; the rest is passed to open() again.
            std::string parameters;
            for (const parameter& given : body->parameters) {
                if (given.name.empty() || !mentions(body->body, given.name))
                    continue;
                std::smatch kept;
                const std::regex keeps("(\\w+)\\s*[({]\\s*(?:std::move\\()?" + given.name + "\\)?\\s*[)}]");
                if (std::regex_search(heads.after, kept, keeps))
                    here.add_name(given.name, kept[1].str());
                else
                    parameters += (parameters.empty() ? "" : ", ") + given.type + " " + given.name;
            }
            const rewritten opening = here.body(*body);
            note(opening);
            const head declared = head_of(in, *one, one->defined ? one->body.begin : one->end);
            const std::string initialisers = with_word(without_trailing_space(heads.after), "noexcept", "");
            piece = fmt::format("{}{}{}{} {{}}", with_word(declared.before, "inline", ""), name,
                declared.parameters, initialisers);
            // Constructors that go on alike share their open().
            if (openings.insert(parameters).second)
                piece += fmt::format("\n\n    boost::asio::awaitable<void> open({})\n    {}", parameters,
                    as_coroutine(opening));
            for (const std::string_view verb : {"open(", "connect(", "lock(", "acquire(", "login("})
                if (heads.after.find(verb) != std::string::npos)
                    made.left.push_back(fmt::format(
                        "{}:{}: an initialiser calls {}): move it into the constructor's body first",
                        one->where.file, one->where.line, verb));
            has_open = true;
        } else {
            const rewritten done = here.body(*body);
            note(done);
            std::string after = with_word(heads.after, "noexcept", "");
            after = with_word(after, "override", "");
            // What stands in the class, with the parameters' names that the body uses.
            piece = awaitable_head(head_of(in, *one, one->end).before, one->result) + one->name +
                    heads.parameters + without_trailing_space(after) + "\n    " + as_coroutine(done);
        }
        out += text.substr(from, one->begin - from) + piece;
        from = one->end;
        // A declaration ends with a semicolon that a definition has not.
        if (!one->defined)
            while (from < type.end && (text[from] == ';' || text[from] == ' '))
                ++from;
    }
    out += text.substr(from, type.end - from);
    if (!has_destructor)
        made.left.push_back(
            fmt::format("{}:{}: {} has no destructor that is visible here: write close() by hand",
                type.where.file, type.where.line, name));
    if (!has_open)
        made.left.push_back(
            fmt::format("{}:{}: {} has no constructor with a body that is visible here: write open() by hand",
                type.where.file, type.where.line, name));
    out = with_word(out, name, wanted);
    std::string lends =
        std::regex_replace(std::string(scaffold_lend_converted), std::regex("@name@"), wanted);
    lends = std::regex_replace(lends, std::regex("@log@"), tells ? "log" : "");
    made.text = out + ";\n\n" + lends;
    return made;
}

converted convert_function(const unit& in, const function& of, const mapping& map)
{
    converted made;
    rewriter here(in, map);
    bool lends = false;
    for (const parameter& one : of.parameters) {
        bool called = false;
        walk(of.body, [&](const node& below) {
            called = called ||
                     (below.kind == shape::call && !below.parts.empty() &&
                         below.parts.front().kind == shape::name && below.parts.front().name == one.name);
            return !called;
        });
        if (called && !one.name.empty()) {
            here.add_coroutine(one.name);
            lends = true;
        }
    }
    if (!lends)
        made.left.push_back(fmt::format("{}:{}: {} calls none of its parameters: it lends to nobody",
            of.where.file, of.where.line, of.name));
    const rewritten body = here.body(of);
    made.left.insert(made.left.end(), body.left.begin(), body.left.end());
    const head heads = head_of(in, of, of.body.begin);
    made.text = awaitable_head(heads.before, of.result) + "async_" + of.name + heads.parameters + "\n" +
                as_coroutine(body) + "\n";
    return made;
}

} // namespace

int convert(const std::vector<std::string>& given)
{
    const arguments asked = parse_arguments(given, known_options);
    if (asked.has("--help")) {
        fmt::print("usage: mishap-tools convert --class NAME HEADER [options] [-- COMPILER FLAGS]\n"
                   "       mishap-tools convert --function NAME HEADER [options] [-- COMPILER FLAGS]\n\n"
                   "Writes the asynchronous form: open() for what the constructor did, close() for the "
                   "destructor, and a function\n"
                   "that lends it and closes it whatever happens. What cannot be converted stays, with a "
                   "comment, and is told.\n\n{}\n"
                   "Exit codes: 2 if any input was bad, 1 if something was left unconverted, else 0.\n",
            help_of(known_options));
        return all_well;
    }
    if (asked.has("--list-map")) {
        fmt::print("{}", builtin_mapping());
        return all_well;
    }
    if (asked.has("--class") == asked.has("--function") || asked.words.size() != 1)
        throw usage_error("convert needs --class NAME or --function NAME, and one header");
    mapping map;
    if (asked.has("--map"))
        read_mapping(asked.value("--map"), map);
    const std::string& header = asked.words.front();
    read_file(header);
    std::vector<std::string> flags =
        asked.rest.empty()
            ? arguments_for(header, find_commands(asked.value("--compile-commands"), header)).flags
            : portable_flags(asked.rest, "");
    flags.insert(flags.begin(), {"-x", "c++"});
    const unit in = read_unit(header, flags);
    for (const diagnostic& one : in.diagnostics)
        fmt::print(
            stderr, "{}:{}:{}: warning: {}\n", one.where.file, one.where.line, one.where.column, one.text);

    converted made;
    std::string name;
    std::string scope;
    if (asked.has("--class")) {
        const class_type* chosen = nullptr;
        for (const class_type& one : in.classes)
            if (one.name == asked.value("--class") || last_component(one.name) == asked.value("--class"))
                chosen = &one;
        if (!chosen)
            throw usage_error(fmt::format("there is no class '{}' in {}", asked.value("--class"), header));
        name = last_component(chosen->name);
        scope = scope_of(chosen->name);
        made = convert_class(in, *chosen, map);
    } else {
        const function* chosen = nullptr;
        for (const function& one : in.functions)
            if (one.defined && (one.name == asked.value("--function") ||
                                   one.scope + "::" + one.name == asked.value("--function")))
                chosen = &one;
        if (!chosen)
            throw usage_error(fmt::format(
                "there is no function '{}' with a body in {}", asked.value("--function"), header));
        name = chosen->name;
        scope = chosen->scope;
        made = convert_function(in, *chosen, map);
    }
    for (const mapping::row& row : map.types)
        made.text = with_word(made.text, row.from, row.to);
    // Elsewhere, what the original finds in its own namespace must be found, too.
    std::string also;
    if (asked.has("--namespace")) {
        if (!scope.empty())
            also = fmt::format("using namespace {};\n\n", scope);
        scope = asked.value("--namespace");
    }
    std::string text(scaffold_converted);
    const auto put = [&text](std::string_view mark, const std::string& by) {
        for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += by.size())
            text.replace(at, mark.size(), by);
    };
    put("@include@", fmt::format("#include \"{}\"", std::filesystem::path(header).filename().string()));
    put("@name@", name);
    put("@open_scope@", scope.empty() ? "" : fmt::format("namespace {} {{\n", scope));
    put("@close_scope@", scope.empty() ? "" : fmt::format("\n}} // namespace {}", scope));
    put("@text@", also + made.text);
    const std::string output =
        asked.has("--output") ? asked.value("--output") : fmt::format("async_{}.hpp", name);
    if (asked.has("--dry-run"))
        fmt::print("{}", text);
    else {
        write_new_file(output, text);
        fmt::print("wrote {}\n", output);
    }
    for (const std::string& one : made.left)
        fmt::print(stderr, "{}\n", one);
    if (!in.diagnostics.empty()) {
        fmt::print(stderr,
            "{} could not be read whole, so that what blocks may have been missed: give flags after "
            "`--`, and convert it again\n",
            header);
        return bad_input;
    }
    return made.left.empty() ? all_well : something_found;
}

} // namespace mishap::tools
