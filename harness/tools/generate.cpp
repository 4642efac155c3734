// SPDX-License-Identifier: MIT
// generate: from a class or a signature to a test that builds and holds.

#include "command.hpp"
#include "scaffold.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace mishap::tools {

namespace {

namespace fs = std::filesystem;

const std::vector<option> known_options = {
    {"--resource", true, "the class, as app::session; the words are the header that has it"},
    {"--from", true, "a signature, as 'awaitable<session> connect(config, duration)', in place of a class"},
    {"--manager", true, "a function that manages it already: only fake, adapter and contract are written"},
    {"--name", true, "what the resource is called in plans (default: the class's name)"},
    {"--style", true, "awaitable, token, result or synchronous (default: what most operations are)"},
    {"--output", true, "the folder to write (default: with_NAME)"},
    {"--compile-commands", true,
        "the folder of compile_commands.json (default: the nearest above the header)"},
    {"--dry-run", false, "print what would be written"},
    {"--help", false, "print this"},
};

style style_named(const std::string& name)
{
    if (name == "awaitable")
        return style::awaitable;
    if (name == "token")
        return style::token;
    if (name == "result")
        return style::result;
    if (name == "synchronous" || name == "sync")
        return style::synchronous;
    throw usage_error(
        fmt::format("--style: there is no style '{}'; known: awaitable, token, result, synchronous", name));
}

unit read_header(const arguments& asked)
{
    if (asked.words.size() != 1)
        throw usage_error("generate --resource CLASS needs one header: mishap-tools generate --resource "
                          "app::session session.hpp");
    const std::string& header = asked.words.front();
    read_file(header);
    std::vector<std::string> flags =
        asked.rest.empty()
            ? arguments_for(header, find_commands(asked.value("--compile-commands"), header)).flags
            : portable_flags(asked.rest, "");
    flags.insert(flags.begin(), {"-x", "c++"});
    unit in = read_unit(header, flags);
    for (const diagnostic& one : in.diagnostics)
        fmt::print(
            stderr, "{}:{}:{}: warning: {}\n", one.where.file, one.where.line, one.where.column, one.text);
    return in;
}

existing_manager find_manager(const unit& in, const std::string& name, const std::string& header)
{
    const function* chosen = nullptr;
    for (const function& one : in.functions) {
        const std::string qualified = one.scope.empty() ? one.name : one.scope + "::" + one.name;
        if (!one.name.empty() && (one.name == name || qualified == name))
            chosen = &one;
    }
    if (!chosen)
        throw usage_error(fmt::format("--manager: there is no function '{}' in {}", name, header));
    if (!chosen->is_template)
        throw usage_error(
            fmt::format("--manager: {} is no template, so that a fake cannot take its resource's place; make "
                        "the resource's type a template parameter, or let it take a factory",
                name));
    return {chosen->scope.empty() ? chosen->name : chosen->scope + "::" + chosen->name,
        fmt::format("#include \"{}\"\n", fs::absolute(header).lexically_normal().string()),
        chosen->parameters};
}

} // namespace

void write_files(const std::string& folder, const std::vector<written_file>& files, bool dry_run)
{
    if (dry_run) {
        for (const written_file& one : files)
            fmt::print("--- {}/{}\n{}\n", folder, one.name, one.text);
        return;
    }
    std::error_code ignored;
    for (const written_file& one : files)
        if (fs::exists(fs::symlink_status(fs::path(folder) / one.name, ignored)))
            throw usage_error(fmt::format(
                "{}/{} is there already, and nothing is overwritten: choose another folder with --output",
                folder, one.name));
    for (const written_file& one : files) {
        write_new_file((fs::path(folder) / one.name).string(), one.text);
        fmt::print("wrote {}/{}\n", folder, one.name);
    }
}

int generate(const std::vector<std::string>& given)
{
    const arguments asked = parse_arguments(given, known_options);
    if (asked.has("--help")) {
        fmt::print(
            "usage: mishap-tools generate --resource CLASS HEADER [options] [-- COMPILER FLAGS]\n"
            "       mishap-tools generate --from SIGNATURE [options]\n\n"
            "Writes a fake (one line for each operation), a manager, an adapter with a contract, scenarios "
            "and CMake\n"
            "lines. What is only guessed from names is marked `guessed`. Nothing is ever overwritten.\n\n{}",
            help_of(known_options));
        return all_well;
    }
    if (asked.has("--resource") == asked.has("--from"))
        throw usage_error("generate needs either --resource CLASS HEADER or --from SIGNATURE");
    resource_model model;
    existing_manager existing;
    if (asked.has("--from")) {
        if (!asked.words.empty() || asked.has("--manager"))
            throw usage_error("--from is a signature alone: files and --manager go with --resource");
        model = model_of_signature(asked.value("--from"));
    } else {
        const unit in = read_header(asked);
        model = model_of(in, asked.value("--resource"));
        if (asked.has("--manager"))
            existing = find_manager(in, asked.value("--manager"), asked.words.front());
    }
    if (asked.has("--name"))
        model.name = asked.value("--name");
    if (asked.has("--style")) {
        const style chosen = style_named(asked.value("--style"));
        for (operation& one : model.operations)
            one.how = chosen;
        for (operation& one : model.operations)
            if (chosen == style::result && one.whole.find("result<") == std::string::npos)
                one.whole = fmt::format("boost::system::result<{}>", one.value.empty() ? "void" : one.value);
        model.how = chosen;
    }
    const std::string folder = asked.has("--output") ? asked.value("--output") : "with_" + model.name;
    write_files(
        folder, scaffold(model, asked.has("--manager") ? &existing : nullptr), asked.has("--dry-run"));
    if (!asked.has("--dry-run"))
        fmt::print(
            "\nBuild it and run its scenarios:\n"
            "  cmake -S {0} -B {0}/build && cmake --build {0}/build && {0}/build/with_{1}_mishaps run\n",
            folder, model.name);
    return all_well;
}

} // namespace mishap::tools
