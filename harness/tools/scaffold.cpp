// SPDX-License-Identifier: MIT
#include "scaffold.hpp"

#include "command.hpp"
#include "roles.hpp"

#include "embedded.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

namespace mishap::tools {

namespace {

std::string replaced(std::string text, std::string_view from, std::string_view to)
{
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

std::string trimmed(std::string_view text)
{
    const std::size_t begin = text.find_first_not_of(" \t\n");
    return begin == std::string_view::npos
               ? ""
               : std::string(text.substr(begin, text.find_last_not_of(" \t\n") + 1 - begin));
}

std::string last_component(const std::string& name)
{
    const std::size_t at = name.rfind("::");
    return at == std::string::npos ? name : name.substr(at + 2);
}

std::string snake(std::string_view name)
{
    std::string plain = plain_name(name);
    std::erase_if(plain, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)) && c != '_'; });
    return plain.empty() ? "resource" : plain;
}

std::string template_head(std::size_t ignored, std::string_view more)
{
    std::string list;
    for (std::size_t i = 0; i < ignored; ++i)
        list += fmt::format("{}class A{}", list.empty() ? "" : ", ", i + 1);
    if (!more.empty())
        list += fmt::format("{}class {}", list.empty() ? "" : ", ", more);
    return list.empty() ? "" : fmt::format("    template <{}>\n", list);
}

std::string ignored_parameters(const operation& of)
{
    std::string list;
    for (std::size_t i = 0; i < of.parameters.size(); ++i)
        list += fmt::format("{}const A{}&", list.empty() ? "" : ", ", i + 1);
    return list;
}

std::string_view role_word(duty does)
{
    switch (does) {
    case duty::create:
        return "create";
    case duty::close:
        return "close";
    case duty::maintain:
        return "maintenance";
    case duty::begin:
        return "begin";
    case duty::commit:
        return "commit";
    case duty::rollback:
        return "rollback";
    case duty::acquire:
        return "acquire";
    case duty::release:
        return "release";
    default:
        return "use";
    }
}

/// How a plan names the operation, after its kind.
std::string plan_name(const operation& of)
{
    return of.does == duty::use || of.does == duty::maintain ? of.name : std::string(role_word(of.does));
}

std::string fake_operation(const operation& of)
{
    const std::string comment = of.guessed ? fmt::format(" // guessed: {}",
                                                 of.does == duty::use       ? "a use"
                                                 : of.does == duty::observe ? "no operation, but a look at it"
                                                                            : role_word(of.does))
                                           : "";
    const std::string list = ignored_parameters(of);
    const std::string value = of.value.empty() ? "" : of.value + "{}";
    // A clean-up that cannot fail is one by force, as far as a plan is concerned.
    const bool certain = of.how == style::synchronous && of.nothrow;
    if (of.does == duty::force_close || (certain && of.does == duty::close && of.value.empty()))
        return fmt::format("{}    void {}({}) noexcept {{ resource_.force_close(); }}{}\n",
            template_head(of.parameters.size(), ""), of.name, list, comment);
    // What cannot fail has nothing that a plan could change, but for clean-ups and what begins or settles.
    if (of.does == duty::observe || (certain && of.does == duty::use))
        return fmt::format("{}    {} {}({}) const {{ return {}; }}{}\n",
            template_head(of.parameters.size(), ""), of.value.empty() ? "void" : of.value, of.name, list,
            of.value == "bool" ? "resource_.usable()" : value, comment);
    switch (of.how) {
    case style::awaitable: {
        if (!value.empty() && of.does == duty::use)
            return fmt::format(
                "{}    mishap::awaitable<{}> {}({}) {{ return resource_.use(\"{}\", {}); }}{}\n",
                template_head(of.parameters.size(), ""), of.value, of.name, list, of.name, value, comment);
        const std::string call = of.does == duty::use        ? fmt::format("use(\"{}\")", of.name)
                                 : of.does == duty::maintain ? fmt::format("maintain(\"{}\")", of.name)
                                                             : fmt::format("{}()", role_word(of.does));
        if (value.empty())
            return fmt::format("{}    mishap::awaitable<void> {}({}) {{ return resource_.{}; }}{}\n",
                template_head(of.parameters.size(), ""), of.name, list, call, comment);
        return fmt::format("{}    mishap::awaitable<{}> {}({}){}\n    {{\n        co_await resource_.{};\n   "
                           "     co_return {};\n    }}\n",
            template_head(of.parameters.size(), ""), of.value, of.name, list, comment, call, value);
    }
    case style::token:
        return fmt::format("{}    auto {}({}{}Token&& token){}\n    {{\n        return "
                           "resource_.async<void(boost::system::error_code{})>(\n"
                           "            mishap::role::{}, \"{}\", std::forward<Token>(token){});\n    }}\n",
            template_head(of.parameters.size(), "Token"), of.name, list, list.empty() ? "" : ", ", comment,
            of.value.empty() ? "" : ", " + of.value, role_word(of.does), plan_name(of),
            value.empty() ? "" : ", " + value);
    case style::result:
        return fmt::format(
            "{}    auto {}({}) {{ return resource_.result(mishap::role::{}, \"{}\", {}({})); }}{}\n",
            template_head(of.parameters.size(), ""), of.name, list, role_word(of.does), plan_name(of),
            of.whole, value, comment);
    case style::synchronous:
        if (of.nothrow)
            return fmt::format(
                "{}    {} {}({}) noexcept{}\n    {{\n        boost::system::error_code ignored;\n"
                "        resource_.now(mishap::role::{}, \"{}\", ignored);\n{}    }}\n",
                template_head(of.parameters.size(), ""), of.value.empty() ? "void" : of.value, of.name, list,
                comment, role_word(of.does), plan_name(of),
                value.empty() ? "" : fmt::format("        return {};\n", value));
        return fmt::format(
            "{}    {} {}({}){}\n    {{\n        resource_.now(mishap::role::{}, \"{}\");\n{}    }}\n",
            template_head(of.parameters.size(), ""), of.value.empty() ? "void" : of.value, of.name, list,
            comment, role_word(of.does), plan_name(of),
            value.empty() ? "" : fmt::format("        return {};\n", value));
    }
    return {};
}

const operation* find(const resource_model& of, duty does)
{
    for (const operation& one : of.operations)
        if (one.does == does)
            return &one;
    return nullptr;
}

/// `session.open(a, b)` in a coroutine of that style, as a statement without its semicolon.
///
/// A result is named before it is asked: GCC 12 does not find the type of `(co_await f()).value()` in a
/// template.
std::string called(const operation& of, std::string_view object, std::string_view arguments)
{
    const std::string list(arguments);
    switch (of.how) {
    case style::awaitable:
        return fmt::format("co_await {}.{}({})", object, of.name, list);
    case style::token:
        return fmt::format(
            "co_await {}.{}({}{}asio::use_awaitable)", object, of.name, list, list.empty() ? "" : ", ");
    case style::result:
        return fmt::format("auto done = co_await {}.{}({}); done.value()", object, of.name, list);
    default:
        return fmt::format("{}.{}({})", object, of.name, list);
    }
}

std::string manager_text(const resource_model& of)
{
    const operation& create = *find(of, duty::create);
    const operation* const close = find(of, duty::close);
    std::string parameters;
    std::string types;
    std::string arguments;
    for (std::size_t i = 0; i < create.parameters.size(); ++i) {
        std::string name =
            snake(create.parameters[i].empty() ? fmt::format("argument_{}", i + 1) : create.parameters[i]);
        if (name == of.name || name == "body" || name == "log" || name == "timeout")
            name += "_given";
        types += fmt::format(", class A{}", i + 1);
        parameters += fmt::format(", const A{}& {}", i + 1, name);
        arguments += (arguments.empty() ? "" : ", ") + name;
    }
    const bool waits = of.how != style::synchronous;
    std::string text =
        waits ? std::string(scaffold_manager_asynchronous) : std::string(scaffold_manager_synchronous);
    text = replaced(std::move(text), "@create@", called(create, "resource", arguments));
    if (close) {
        text = replaced(std::move(text), "@close@", called(*close, "resource", ""));
    } else {
        // Its destructor closes it: there is nothing to do but to let go.
        const std::size_t begin = text.find("@clean_up@");
        const std::size_t end = text.find("@end_of_clean_up@");
        text.erase(begin, end - begin);
    }
    text = replaced(std::move(text), "@clean_up@\n", "");
    text = replaced(std::move(text), "@end_of_clean_up@\n", "");
    text = replaced(std::move(text), "@types@", types);
    text = replaced(std::move(text), "@parameters@", parameters);
    return replaced(std::move(text), "@name@", of.name);
}

std::string fake_text(const resource_model& of)
{
    std::string operations;
    for (const operation& one : of.operations)
        operations += fake_operation(one);
    if (!find(of, duty::close))
        operations +=
            fmt::format("\n    fake_{0}() = default;\n    fake_{0}(fake_{0}&&) = default;\n"
                        "    ~fake_{0}() {{ resource_.force_close(); }} // guessed: no operation closes it\n",
                of.name);
    std::string text(scaffold_fake);
    text = replaced(std::move(text), "@operations@", operations);
    text = replaced(std::move(text), "@stands_for@", of.named);
    return replaced(std::move(text), "@name@", of.name);
}

std::string adapter_text(const resource_model& of, const existing_manager* existing)
{
    const bool waits = of.how != style::synchronous;
    const operation* const use = find(of, duty::use);
    std::string arguments;
    for (std::size_t i = 0; use && i < use->parameters.size(); ++i)
        arguments += (arguments.empty() ? "" : ", ") + std::string("0");
    const std::string work = use ? called(*use, "lent", arguments) + ";" : "(void)lent;";
    const std::string body =
        waits ? fmt::format("env.body([](fake_{}& lent) -> mishap::awaitable<void> {{ {}{} }})", of.name,
                    work, use ? "" : " co_return;")
              : fmt::format("[](fake_{}& lent) {{ {} }}", of.name, work);
    std::string call;
    std::string include = fmt::format("#include \"with_{}.hpp\"\n", of.name);
    if (!existing) {
        std::string values;
        for (std::size_t i = 0; i < find(of, duty::create)->parameters.size(); ++i)
            values += ", 0";
        call = fmt::format("app::with_{}(resource{}, work{}, log)", of.name, values, waits ? ", 30s" : "");
    } else {
        include = existing->include;
        std::string given;
        for (const parameter& one : existing->parameters) {
            const std::string name = plain_name(one.name + " " + one.type);
            const auto has = [&](std::string_view word) { return name.find(word) != std::string::npos; };
            const std::string what = has("log") || has("report")                                   ? "log"
                                     : has("body") || has("work") || has("callback") || has("use") ? "work"
                                     : speaks_of_time(name) || has("duration") || has("chrono")    ? "30s"
                                     : has("create") || has("connect") || has("factory") || has("make")
                                         ? fmt::format("&open_fake_{}", of.name)
                                     : has("executor") ? "env.executor()"
                                     : has(snake(of.name)) || has("session") || has("resource") || has("&")
                                         ? "resource"
                                         : "{}";
            given += (given.empty() ? "" : ", ") + what;
        }
        call = fmt::format("{}({})", existing->name, given);
    }
    std::string text(waits ? scaffold_adapter_asynchronous : scaffold_adapter_synchronous);
    text = replaced(std::move(text), "@include@\n", include);
    text = replaced(std::move(text), "@call@", call);
    text = replaced(std::move(text), "@body@", body);
    return replaced(std::move(text), "@name@", of.name);
}

written_file example(const resource_model& of, bool own)
{
    const operation* const use = find(of, duty::use);
    const operation* const close = find(of, duty::close);
    std::string text = fmt::format("mishap: 1\nmanager: with_{}\n", of.name);
    const bool close_fails = close && !close->nothrow;
    if (own && use && close_fails && !(use->nothrow && of.how == style::synchronous))
        text +=
            fmt::format("about: The caller sees the work's error; the close error goes to the log.\nfaults:\n"
                        "  {0}.{1}: fail io_error\n  {0}.close: fail connection_reset\nexpect:\n  outcome: "
                        "throws io_error\n"
                        "  reports: [connection_reset]\n  events: [{0}.create, {0}.{1}, {0}.close]\n",
                of.name, use->name);
    else
        text += fmt::format(
            "about: What was never created is not closed.\nfaults:\n  {0}.create: fail io_error\nexpect:\n"
            "  outcome: throws io_error\n  events: [{0}.create]\n",
            of.name);
    return {"scenarios/one_example.yaml", text};
}

} // namespace

duty guess(std::string_view name, bool is_const)
{
    const std::string plain = plain_name(name);
    const role means = role_of(name);
    if (means.does == part::forces)
        return duty::force_close;
    switch (means.of) {
    case family::lifetime:
        return means.does == part::acquires ? duty::create : duty::close;
    case family::lock:
    case family::permit:
    case family::subscription:
    case family::session:
        return means.does == part::acquires ? duty::acquire : duty::release;
    case family::transaction:
        return means.does == part::acquires ? duty::begin : means.ends_well ? duty::commit : duty::rollback;
    default:
        break;
    }
    for (const std::string_view word :
        {"ping", "check", "probe", "is_alive", "health", "keep_alive", "renew", "reset_session"})
        if (plain == word || plain.starts_with(std::string(word) + "_"))
            return duty::maintain;
    return is_const ? duty::observe : duty::use;
}

std::string inner_type(const std::string& type)
{
    for (const std::string_view wrapper :
        {"awaitable<", "result<", "expected<", "task<", "future<", "outcome<"}) {
        const std::size_t at = type.find(wrapper);
        if (at == std::string::npos)
            continue;
        const std::size_t begin = at + wrapper.size();
        int depth = 0;
        for (std::size_t i = begin; i < type.size(); ++i) {
            depth += type[i] == '<' ? 1 : type[i] == '>' ? -1 : 0;
            if (depth < 0 || (depth == 0 && type[i] == ','))
                return trimmed(std::string_view(type).substr(begin, i - begin));
        }
    }
    return type;
}

namespace {

/// Exactly one operation creates and at most one closes; what comes after the first is a use.
void settle(resource_model& of)
{
    const auto has = [&](duty does) { return find(of, does) != nullptr; };
    if (!has(duty::create) && has(duty::acquire) && has(duty::release))
        for (operation& one : of.operations)
            one.does = one.does == duty::acquire   ? duty::create
                       : one.does == duty::release ? duty::close
                                                   : one.does;
    bool created = false;
    bool closed = false;
    for (operation& one : of.operations) {
        if (one.does == duty::create && std::exchange(created, true))
            one.does = duty::use;
        if (one.does == duty::close && std::exchange(closed, true))
            one.does = duty::use;
    }
    std::size_t counts[4] = {};
    for (const operation& one : of.operations)
        if (one.does != duty::observe && one.does != duty::force_close)
            ++counts[static_cast<int>(one.how)];
    of.how = static_cast<style>(std::max_element(std::begin(counts), std::end(counts)) - std::begin(counts));
    if (!created) {
        operation open;
        open.name = of.how == style::token ? "async_open" : "open";
        open.does = duty::create;
        open.how = of.how;
        open.whole = "boost::system::result<void>";
        of.operations.insert(of.operations.begin(), open);
    }
}

std::string value_of(const std::string& type)
{
    std::string inner = type;
    for (std::string next; (next = inner_type(inner)) != inner;)
        inner = next;
    return inner == "void" ? "" : inner;
}

} // namespace

resource_model model_of(const unit& in, const std::string& resource)
{
    const class_type* chosen = nullptr;
    for (const class_type& one : in.classes)
        if (one.name == resource || last_component(one.name) == resource)
            chosen = &one;
    if (!chosen) {
        std::string known;
        for (const class_type& one : in.classes)
            known += (known.empty() ? "" : ", ") + one.name;
        throw usage_error(fmt::format("there is no class '{}' in {}; there are: {}", resource, in.main_file,
            known.empty() ? "none" : known));
    }
    resource_model made;
    made.named = chosen->name;
    made.name = snake(last_component(chosen->name));
    std::set<std::string> seen;
    for (const function& one : in.functions) {
        if (one.owner != chosen->name || !one.is_public || one.is_static || one.destructor ||
            one.name.empty() || one.name == last_component(chosen->name) ||
            one.name.starts_with(last_component(chosen->name) + "<") || one.name.starts_with("operator") ||
            !seen.insert(one.name).second)
            continue;
        operation op;
        op.name = one.name;
        op.whole = one.result;
        op.nothrow = one.nothrow;
        for (const parameter& given : one.parameters)
            op.parameters.push_back(given.name);
        const bool waits = one.result.find("awaitable<") != std::string::npos;
        const bool holds = one.result.find("result<") != std::string::npos ||
                           one.result.find("expected<") != std::string::npos;
        if (one.is_template && !one.parameters.empty() && !waits && one.name.starts_with("async_")) {
            op.how = style::token;
            op.parameters.pop_back();
        } else {
            op.how = holds && waits ? style::result : waits ? style::awaitable : style::synchronous;
            op.value = value_of(one.result);
            if (op.how == style::result)
                op.whole = inner_type(one.result);
        }
        op.does = guess(one.name, one.is_const && op.how == style::synchronous && !op.value.empty());
        made.operations.push_back(std::move(op));
    }
    if (made.operations.empty())
        throw usage_error(
            fmt::format("{} has no public operation that a fake could stand in for", chosen->name));
    settle(made);
    return made;
}

resource_model model_of_signature(const std::string& signature)
{
    const std::size_t open = signature.find('(');
    const std::size_t close = signature.rfind(')');
    const std::string example = "awaitable<session> connect(config, duration)";
    if (open == std::string::npos || close == std::string::npos || close < open)
        throw usage_error(fmt::format("--from: '{}' is no signature, such as '{}'", signature, example));
    std::string head = trimmed(std::string_view(signature).substr(0, open));
    const std::size_t space = head.find_last_of(" >&*");
    if (space == std::string::npos || space + 1 >= head.size())
        throw usage_error(
            fmt::format("--from: '{}' lacks a result or a name; write it as '{}'", signature, example));
    const std::string result = trimmed(head.substr(0, space + 1));
    const std::string type = value_of(result);
    resource_model made;
    made.named = type.empty() ? "resource" : type;
    made.name = snake(last_component(made.named));
    operation create;
    create.name = trimmed(head.substr(space + 1));
    create.does = duty::create;
    create.guessed = false;
    const bool waits = result.find("awaitable<") != std::string::npos;
    create.how = !waits                                        ? style::synchronous
                 : result.find("result<") != std::string::npos ? style::result
                                                               : style::awaitable;
    create.whole = "boost::system::result<void>";
    int depth = 0;
    std::string one;
    for (const char c : signature.substr(open + 1, close - open - 1) + ",") {
        depth += c == '<' || c == '(' ? 1 : c == '>' || c == ')' ? -1 : 0;
        if (depth == 0 && c == ',') {
            if (const std::string given = trimmed(one); !given.empty() && given != "void") {
                const std::size_t name = given.find_last_of(" &*:>");
                create.parameters.push_back(
                    name == std::string::npos || name + 1 >= given.size() ? given : given.substr(name + 1));
            }
            one.clear();
        } else {
            one += c;
        }
    }
    operation use = create;
    use.name = "use";
    use.does = duty::use;
    use.guessed = true;
    use.parameters.clear();
    operation done = use;
    done.name = "close";
    done.does = duty::close;
    made.operations = {create, use, done};
    made.how = create.how;
    return made;
}

std::vector<written_file> scaffold(const resource_model& of, const existing_manager* existing)
{
    std::vector<written_file> files;
    files.push_back({"fake.hpp", fake_text(of)});
    if (!existing) {
        files.push_back({fmt::format("with_{}.hpp", of.name), manager_text(of)});
        if (of.how != style::synchronous)
            files.push_back(deadline_header());
    }
    files.push_back({"adapter.cpp", adapter_text(of, existing)});
    files.push_back(sweep_scenario("with_" + of.name));
    files.push_back(example(of, !existing));
    files.push_back(cmake_file("with_" + of.name));
    return files;
}

written_file cmake_file(const std::string& name)
{
    return {"CMakeLists.txt", replaced(std::string(scaffold_cmake), "@name@", name)};
}

written_file sweep_scenario(const std::string& name)
{
    return {"scenarios/any_two_mishaps.yaml", replaced(std::string(scaffold_sweep), "@name@", name)};
}

written_file deadline_header()
{
    return {"shared/with_deadline.hpp", replaced(std::string(catalogue_with_deadline), "catalogue", "app")};
}

} // namespace mishap::tools
