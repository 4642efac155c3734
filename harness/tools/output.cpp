// SPDX-License-Identifier: MIT
#include "output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>

namespace mishap::tools {

namespace {

std::string uri(const std::string& file)
{
    std::string path = std::filesystem::path(file).generic_string();
    std::string escaped;
    for (const char c : path)
        if (std::isalnum(static_cast<unsigned char>(c)) ||
            std::string_view("/._-~").find(c) != std::string_view::npos)
            escaped += c;
        else
            escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return path.starts_with('/') ? "file://" + escaped : escaped;
}

std::string region(const place& at, unsigned length)
{
    return fmt::format(
        R"({{"startLine":{},"startColumn":{},"endColumn":{}}})", at.line, at.column, at.column + length);
}

std::string location(const place& at, unsigned length, std::string_view message = {})
{
    std::string text = fmt::format(R"({{"physicalLocation":{{"artifactLocation":{{"uri":{}}},"region":{}}})",
        json_string(uri(at.file)), region(at, length));
    if (!message.empty())
        text += fmt::format(R"(,"message":{{"text":{}}})", json_string(message));
    return text + "}";
}

std::string sarif_rule(const check& one)
{
    return fmt::format(R"({{"id":{},"shortDescription":{{"text":{}}},"help":{{"text":{},"markdown":{}}},)"
                       R"("properties":{{"invariant":{}}},"defaultConfiguration":{{"level":"warning"}}}})",
        json_string(one.name), json_string(one.sentence),
        json_string(fmt::format("{}\n\nWrong:\n{}\n\nRight:\n{}\n\nIn a run: {}", one.sentence, one.wrong,
            one.right, one.invariant)),
        json_string(fmt::format("{}\n\nWrong:\n```cpp\n{}\n```\n\nRight:\n```cpp\n{}\n```\n\nIn a run: `{}`",
            one.sentence, one.wrong, one.right, one.invariant)),
        json_string(one.invariant));
}

std::string sarif_fix(const finding& of)
{
    std::string changes;
    for (const edit& one : of.fix)
        changes += fmt::format(R"({}{{"artifactLocation":{{"uri":{}}},"replacements":[{{"deletedRegion":)"
                               R"({{"charOffset":{},"charLength":{}}},"insertedContent":{{"text":{}}}}}]}})",
            changes.empty() ? "" : ",", json_string(uri(one.file)), one.begin, one.end - one.begin,
            json_string(one.text));
    return fmt::format(R"({{"artifactChanges":[{}]}})", changes);
}

std::string sarif_result(const judged& one)
{
    const finding& of = one.what;
    const auto all = checks();
    const auto rule =
        std::find_if(all.begin(), all.end(), [&](const check& c) { return c.name == of.check; });
    std::string text = fmt::format(
        R"({{"ruleId":{},"ruleIndex":{},"level":"warning","message":{{"text":{}}},"locations":[{}])",
        json_string(of.check), rule - all.begin(), json_string(of.text), location(of.where, of.length));
    if (!of.path.empty()) {
        std::string steps;
        for (const note& step : of.path)
            steps += fmt::format(
                R"({}{{"location":{}}})", steps.empty() ? "" : ",", location(step.where, 1, step.text));
        steps += fmt::format(R"(,{{"location":{}}})", location(of.where, of.length, of.text));
        text += fmt::format(R"(,"codeFlows":[{{"threadFlows":[{{"locations":[{}]}}]}}])", steps);
    }
    if (!of.fix.empty())
        text += fmt::format(R"(,"fixes":[{}])", sarif_fix(of));
    text += fmt::format(R"(,"partialFingerprints":{{"checkAndLine/v1":"{:016x}"}})",
        std::hash<std::string>()(of.check + '\n' + one.line));
    if (one.stands == standing::allowed)
        text += fmt::format(
            R"(,"suppressions":[{{"kind":"inSource","justification":{}}}])", json_string(one.reason));
    else if (one.stands == standing::known)
        text += R"(,"suppressions":[{"kind":"external","justification":"in the baseline"}])";
    return text + "}";
}

std::string lsp_range(const place& at, unsigned length)
{
    return fmt::format(R"({{"start":{{"line":{},"character":{}}},"end":{{"line":{},"character":{}}}}})",
        at.line - 1, at.column - 1, at.line - 1, at.column - 1 + length);
}

std::string absolute_uri(const std::string& file)
{
    return uri(std::filesystem::absolute(file).lexically_normal().string());
}

} // namespace

std::string json_string(std::string_view text)
{
    std::string quoted = "\"";
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c == '"' || c == '\\') {
            quoted += '\\';
            quoted += static_cast<char>(c);
        } else if (c == '\n') {
            quoted += "\\n";
        } else if (c < 0x20) {
            quoted += fmt::format("\\u{:04x}", c);
        } else if (c < 0x80) {
            quoted += static_cast<char>(c);
        } else {
            // A JSON text is UTF-8; a byte that is none becomes the replacement character.
            const std::size_t more = c >= 0xF0 && c < 0xF5 ? 3 : c >= 0xE0 ? 2 : c >= 0xC2 ? 1 : 0;
            bool valid = more != 0 && i + more < text.size() && c < 0xF5;
            for (std::size_t k = 1; valid && k <= more; ++k)
                valid = (static_cast<unsigned char>(text[i + k]) & 0xC0) == 0x80;
            if (valid) {
                quoted += text.substr(i, more + 1);
                i += more;
            } else {
                quoted += "\\ufffd";
            }
        }
    }
    return quoted + '"';
}

std::string as_text(const judged& one)
{
    const finding& of = one.what;
    std::string text = fmt::format(
        "{}:{}:{}: warning: {} [{}]\n", of.where.file, of.where.line, of.where.column, of.text, of.check);
    if (!one.line.empty()) {
        // Tabs stay, so that the caret stands where the terminal puts the text.
        std::string indent;
        for (unsigned i = 0; i + 1 < of.where.column && i < one.line.size(); ++i)
            indent += one.line[i] == '\t' ? '\t' : ' ';
        const std::string marks(std::max(of.length, 1u) - 1, '~');
        text += fmt::format("{:5} | {}\n      | {}^{}\n", of.where.line, one.line, indent, marks);
    }
    for (const note& step : of.path)
        text += fmt::format(
            "{}:{}:{}: note: {}\n", step.where.file, step.where.line, step.where.column, step.text);
    if (!of.fix.empty())
        text +=
            fmt::format("{}:{}:{}: note: --fix mends this\n", of.where.file, of.where.line, of.where.column);
    return text;
}

std::string as_annotation(const judged& one)
{
    const auto escape = [](std::string_view text, bool property) {
        std::string out;
        for (const char c : text)
            if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
                out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
            else
                out += c;
        return out;
    };
    return fmt::format("::warning file={},line={},col={},title={}::{}\n", escape(one.what.where.file, true),
        one.what.where.line, one.what.where.column, escape("mishap " + one.what.check, true),
        escape(one.what.text, false));
}

std::string as_sarif(std::span<const judged> all, std::span<const complaint> complaints)
{
    std::string rules;
    for (const check& one : checks())
        rules += (rules.empty() ? "" : ",\n") + sarif_rule(one);
    std::string results;
    for (const judged& one : all)
        results += (results.empty() ? "" : ",\n") + sarif_result(one);
    std::string notes;
    for (const complaint& one : complaints) {
        std::string where;
        if (!one.where.file.empty())
            where = fmt::format(R"(,"locations":[{}])",
                location(
                    {one.where.file, std::max(one.where.line, 1u), std::max(one.where.column, 1u), 0}, 1));
        notes += fmt::format(R"({}{{"level":"error","message":{{"text":{}}}{}}})", notes.empty() ? "" : ",\n",
            json_string(one.text), where);
    }
    return fmt::format(
        R"({{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{{)"
        R"("tool":{{"driver":{{)"
        R"("name":"mishap-tools","rules":[{}
]}}}},"invocations":[{{"executionSuccessful":{},"toolExecutionNotifications":[{}]}}],
"columnKind":"utf16CodeUnits","results":[
{}]}}]}}
)",
        rules, complaints.empty() ? "true" : "false", notes, results);
}

std::string as_lsp(std::span<const judged> all, std::span<const std::string> files)
{
    std::map<std::string, std::string> by_file;
    for (const std::string& file : files)
        by_file[absolute_uri(file)]; // an empty list clears what was there
    for (const judged& one : all) {
        if (one.stands != standing::fresh)
            continue;
        std::string related;
        for (const note& step : one.what.path)
            related += fmt::format(R"({}{{"location":{{"uri":{},"range":{}}},"message":{}}})",
                related.empty() ? "" : ",", json_string(absolute_uri(step.where.file)),
                lsp_range(step.where, 1), json_string(step.text));
        std::string& list = by_file[absolute_uri(one.what.where.file)];
        list += fmt::format(R"({}{{"range":{},"severity":2,"code":{},"source":"mishap-tools","message":{},)"
                            R"("relatedInformation":[{}]}})",
            list.empty() ? "" : ",", lsp_range(one.what.where, one.what.length), json_string(one.what.check),
            json_string(one.what.text), related);
    }
    std::string text;
    for (const auto& [file, list] : by_file)
        text += fmt::format(R"({{"uri":{},"diagnostics":[{}]}})", json_string(file), list) + "\n";
    return text;
}

std::string reference()
{
    std::string text =
        "# Checks of mishap-tools validate\n\n| check | what is wrong | in a run |\n|---|---|---|\n";
    for (const check& one : checks())
        text += fmt::format("| [`{0}`](#{0}) | {1} | `{2}` |\n", one.name, one.sentence, one.invariant);
    for (const check& one : checks()) {
        text += fmt::format("\n## {}\n\n{}\n\nWrong:\n\n```cpp\n{}\n```\n\nRight:\n\n```cpp\n{}\n```\n\nA "
                            "run blames it by `{}`.\n",
            one.name, one.sentence, one.wrong, one.right, one.invariant);
        if (!one.fix.empty())
            text += fmt::format("`--fix` {}.\n", one.fix);
    }
    return text;
}

} // namespace mishap::tools
