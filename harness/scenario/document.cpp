// SPDX-License-Identifier: MIT
#include "document.hpp"

#include <mishap/scenario.hpp>

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

namespace mishap::detail {

namespace {

/// What YAML refuses, in words that say more than its own where those hide the mistake.
scenario_error no_yaml(const std::string& text, const std::string& file, const YAML::Exception& e)
{
    file_place at{file, std::max(e.mark.line, 0) + 1, std::max(e.mark.column, 0) + 1};
    std::istringstream lines(text);
    std::string line;
    for (int i = 0; i < at.line; ++i)
        std::getline(lines, line);
    const auto tab = line.find('\t');
    if (tab != std::string::npos && line.find_first_not_of(" \t") > tab) {
        // The commonest mistake of all.
        at.column = static_cast<int>(tab) + 1;
        return {at, "no YAML: a tab is no indentation in YAML: use spaces"};
    }
    if (dynamic_cast<const YAML::DeepRecursion*>(&e))
        return {at, "no YAML: lists and maps are nested too deeply here"};
    constexpr std::size_t shown = 40;
    const std::string rest =
        line.substr(std::min(line.size(), static_cast<std::size_t>(at.column) - 1), shown);
    return {at, fmt::format("no YAML: {}{}", e.msg, rest.empty() ? "" : fmt::format(", at '{}'", rest))};
}

/// Notes where documents begin, and nothing else.
class document_starts : public YAML::EventHandler
{
public:
    std::vector<YAML::Mark> marks;

    void OnDocumentStart(const YAML::Mark& mark) override { marks.push_back(mark); }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
    void OnSequenceStart(
        const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override
    {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override
    {}
    void OnMapEnd() override {}
};

/// Refuses a second document, and what yaml-cpp takes for documents without end: `YAML::LoadAll` reads a
/// stray comma or closing bracket between documents as an empty document, again and again, until memory is
/// used up.
void expect_one_document(const std::string& text, const std::string& file)
{
    std::istringstream in(text);
    YAML::Parser parser(in);
    document_starts starts;
    while (starts.marks.size() < 2 && parser.HandleNextDocument(starts)) {
    }
    for (const YAML::Mark& mark : starts.marks) {
        const auto at = static_cast<std::size_t>(std::max(mark.pos, 0));
        if (at < text.size() && std::string_view(",]}").find(text[at]) != std::string_view::npos)
            throw scenario_error({file, mark.line + 1, mark.column + 1},
                fmt::format("no YAML: the '{}' belongs to no list or map", text[at]));
    }
    if (starts.marks.size() > 1)
        throw scenario_error({file, starts.marks[1].line + 1, starts.marks[1].column + 1},
            "a second document begins here, but one file is one test: split it at '---'");
}

} // namespace

YAML::Node parse_document(const std::string& text, const std::string& file)
{
    const auto is_blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
    if (std::all_of(text.begin(), text.end(), is_blank))
        throw scenario_error({file, 1, 1}, "the file is empty: a scenario begins with 'mishap: 1'");
    if (text.size() > file_size_max)
        throw scenario_error({file, 1, 1},
            fmt::format("the file has {} bytes; a scenario has at most {}", text.size(), file_size_max));
    if (const auto zero = text.find('\0'); zero != std::string::npos)
        throw scenario_error({file, 1, 1}, fmt::format("byte {} is zero: this is no text file", zero + 1));
    try {
        expect_one_document(text, file);
        const YAML::Node document = YAML::Load(text);
        if (document.IsNull())
            throw scenario_error({file, 1, 1}, "the file is empty: a scenario begins with 'mishap: 1'");
        return document;
    } catch (const YAML::Exception& e) {
        throw no_yaml(text, file, e);
    }
}

} // namespace mishap::detail
