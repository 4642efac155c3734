// SPDX-License-Identifier: MIT
// validate: files in parallel, a cache for what did not change, allowances, a baseline, and the outputs.

#include "cache.hpp"
#include "command.hpp"
#include "output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

namespace mishap::tools {

namespace fs = std::filesystem;

namespace {

const std::vector<option> known_options = {
    {"--compile-commands", true, "the folder of compile_commands.json (default: the nearest above the file)"},
    {"--root", true, "findings in files outside this folder are left out (default: here)"},
    {"--sarif", true, "write a SARIF 2.1.0 log to this file"},
    {"--github", false, "print annotations for GitHub Actions, too"},
    {"--lsp-diagnostics", false, "print publishDiagnostics parameters, one file a line, in place of text"},
    {"--fix", false, "mend what can be mended for certain"},
    {"--baseline", true, "findings in this file are known and do not count"},
    {"--write-baseline", true, "write all findings to this file, and end with 0"},
    {"--checks", true, "only these checks, or all but those: a,b or -a,-b"},
    {"--list-checks", false, "print the names of the checks"},
    {"--reference", false, "print every check with wrong and right code, in Markdown"},
    {"--jobs", true, "the number of files read at once (default: as many as there are processors)"},
    {"--cache", true, "keep results in this folder (default: mishap-tools in the user's cache)"},
    {"--no-cache", false, "read every file anew"},
    {"--help", false, "print this"},
};

std::string default_cache()
{
    if (const char* const home = std::getenv("XDG_CACHE_HOME"); home && *home)
        return std::string(home) + "/mishap-tools";
    if (const char* const home = std::getenv("HOME"); home && *home)
        return std::string(home) + "/.cache/mishap-tools";
    return {};
}

// --- one file

/// Paths are shown as a person in the current folder would write them.
std::string shown(const std::string& file)
{
    std::error_code error;
    const fs::path absolute = fs::absolute(file, error).lexically_normal();
    const fs::path here = fs::current_path(error);
    const fs::path relative = absolute.lexically_relative(here);
    return relative.empty() || relative.native().starts_with("..") ? absolute.string() : relative.string();
}

result read_one(
    const std::string& file, const std::vector<std::string>& flags, const std::string& flags_source)
{
    const unit in = read_unit(file, flags);
    result found;
    found.reads = in.includes;
    found.reads.push_back(file);
    if (const auto main = in.files.find(file); main != in.files.end())
        found.lines = main->second.lines();
    std::size_t told = 0;
    for (const diagnostic& one : in.diagnostics) {
        // The first few are enough: the others mostly follow from them.
        if (++told > 3)
            continue;
        place at = one.where;
        if (!at.file.empty())
            at.file = shown(at.file);
        found.complaints.push_back({at, fmt::format("{} (flags from {}{})", one.text, flags_source,
                                            in.read ? "; what could be read is checked" : "")});
    }
    if (told > 3)
        found.complaints.push_back(
            {{shown(file), 1, 1, 0}, fmt::format("and {} more errors in this file", told - 3)});
    for (finding& one : run_checks(in)) {
        judged made;
        made.line = in.files.at(one.where.file).line(one.where.line);
        one.where.file = shown(one.where.file);
        for (note& step : one.path)
            step.where.file = shown(step.where.file);
        for (edit& change : one.fix)
            change.file = shown(change.file);
        made.what = std::move(one);
        found.findings.push_back(std::move(made));
    }
    return found;
}

// --- allowances: // mishap: allow(check) reason

struct allowance
{
    std::string check;
    std::string reason;
};

std::vector<allowance> allowances_in(std::string_view line)
{
    std::vector<allowance> found;
    // The comment itself, and not a string that looks like one.
    constexpr std::string_view mark = "mishap: allow(";
    bool quoted = false;
    std::size_t comment = 0;
    for (; comment + 1 < line.size(); ++comment) {
        if (line[comment] == '"' && (comment == 0 || line[comment - 1] != '\\'))
            quoted = !quoted;
        if (!quoted && line[comment] == '/' && line[comment + 1] == '/')
            break;
    }
    const std::size_t begin = line.find_first_not_of(" /", comment);
    if (begin == std::string_view::npos || comment + 1 >= line.size() ||
        line.substr(begin, mark.size()) != mark)
        return found;
    const std::size_t names = begin + mark.size();
    const std::size_t end = line.find(')', names);
    if (end == std::string_view::npos)
        return found;
    std::string reason(line.substr(end + 1));
    reason.erase(0, reason.find_first_not_of(" \t"));
    std::istringstream in{std::string(line.substr(names, end - names))};
    for (std::string name; std::getline(in, name, ',');) {
        std::erase(name, ' ');
        found.push_back({name, reason});
    }
    return found;
}

bool is_known_check(std::string_view name)
{
    return std::any_of(checks().begin(), checks().end(), [&](const check& one) { return one.name == name; });
}

std::string all_check_names()
{
    std::string names;
    for (const check& one : checks())
        names += (names.empty() ? "" : ", ") + std::string(one.name);
    return names;
}

/// Looks at a finding's own line and at the comment lines right above it.
void allow(judged& one, const source& in, std::vector<complaint>& complaints)
{
    for (unsigned line = one.what.where.line; line > 0; --line) {
        const std::string_view text = in.line(line);
        const std::size_t first = text.find_first_not_of(" \t");
        const bool only_comment = first != std::string_view::npos && text.substr(first).starts_with("//");
        if (line != one.what.where.line && !only_comment)
            return;
        for (const allowance& given : allowances_in(text)) {
            if (given.check != one.what.check)
                continue;
            if (given.reason.empty()) {
                complaints.push_back({{one.what.where.file, line, 1, 0},
                    fmt::format("allow({}) needs a reason after it: `// mishap: allow({}) reason`",
                        given.check, given.check)});
                continue;
            }
            one.stands = standing::allowed;
            one.reason = given.reason;
            return;
        }
    }
}

void complain_of_unknown_allowances(const source& in, std::vector<complaint>& complaints)
{
    for (unsigned line = 1; line <= in.lines(); ++line)
        for (const allowance& given : allowances_in(in.line(line)))
            if (!is_known_check(given.check))
                complaints.push_back({{in.path(), line, 1, 0},
                    fmt::format("allow({}) names no check; known: {}", given.check, all_check_names())});
}

// --- the baseline: check, file and line text, so that it survives lines that move

std::string trimmed(std::string_view line)
{
    const std::size_t begin = line.find_first_not_of(" \t");
    return begin == std::string_view::npos
               ? ""
               : std::string(line.substr(begin, line.find_last_not_of(" \t") + 1 - begin));
}

std::string baseline_entry(const judged& one)
{
    return fmt::format("{}\t{}\t{}", one.what.check, escape(one.what.where.file), escape(trimmed(one.line)));
}

constexpr std::string_view baseline_title = "# mishap-tools baseline 1: check, file, line";

std::map<std::string, int> read_baseline(const std::string& path)
{
    std::istringstream in(read_file(path));
    std::string line;
    if (!std::getline(in, line) || line != baseline_title)
        throw usage_error(fmt::format("{}:1: is no baseline, which begins with '{}'", path, baseline_title));
    std::map<std::string, int> entries;
    for (int number = 2; std::getline(in, line); ++number) {
        if (fields_of(line).size() < 2)
            throw usage_error(fmt::format(
                "{}:{}: '{}' is no entry; write the file anew with --write-baseline", path, number, line));
        ++entries[line];
    }
    return entries;
}

// --- fixes

/// Applies what does not overlap; gives how many files changed.
std::size_t apply_fixes(std::vector<judged>& all, std::vector<complaint>& complaints)
{
    std::map<std::string, std::vector<edit>> by_file;
    for (const judged& one : all)
        if (one.stands == standing::fresh)
            for (const edit& change : one.what.fix)
                by_file[change.file].push_back(change);
    std::size_t files = 0;
    for (auto& [file, edits] : by_file) {
        std::string text = read_file(file);
        std::sort(edits.begin(), edits.end(), [](const edit& a, const edit& b) { return a.begin > b.begin; });
        edits.erase(std::unique(edits.begin(), edits.end(),
                        [](const edit& a, const edit& b) { return a.begin == b.begin && a.text == b.text; }),
            edits.end());
        unsigned limit = static_cast<unsigned>(text.size());
        bool changed = false;
        for (const edit& one : edits) {
            if (one.end > limit || one.begin > one.end) {
                complaints.push_back({{file, 1, 1, 0}, "two fixes overlap here; run --fix again"});
                continue;
            }
            text.replace(one.begin, one.end - one.begin, one.text);
            limit = one.begin;
            changed = true;
        }
        if (changed) {
            write_file(file, text);
            ++files;
        }
    }
    return files;
}

/// The checks that an option chooses.
std::set<std::string, std::less<>> chosen_checks(const std::string& list)
{
    std::set<std::string, std::less<>> chosen;
    if (list.empty() || list.starts_with('-'))
        for (const check& one : checks())
            chosen.insert(std::string(one.name));
    std::istringstream in(list);
    for (std::string name; std::getline(in, name, ',');) {
        const bool out = name.starts_with('-');
        if (out)
            name.erase(0, 1);
        if (!is_known_check(name))
            throw usage_error(
                fmt::format("--checks: there is no check '{}'; known: {}", name, all_check_names()));
        if (out)
            chosen.erase(name);
        else
            chosen.insert(name);
    }
    return chosen;
}

} // namespace

int validate(const std::vector<std::string>& given)
{
    const arguments asked = parse_arguments(given, known_options);
    if (asked.has("--help")) {
        fmt::print("usage: mishap-tools validate FILE... [options] [-- COMPILER FLAGS]\n\n"
                   "Checks C++ code that owns resources, without running it. Without files, all of "
                   "compile_commands.json.\n\n{}\n"
                   "Exit codes: 2 if any input was bad (the rest is still checked), else 1 if anything was "
                   "found, else 3 if\n"
                   "nothing was checked, else 0. `// mishap: allow(check) reason` on a line, or above it, "
                   "allows a finding.\n",
            help_of(known_options));
        return all_well;
    }
    if (asked.has("--reference")) {
        fmt::print("{}", reference());
        return all_well;
    }
    if (asked.has("--list-checks")) {
        for (const check& one : checks())
            fmt::print("{}\n", one.name);
        return all_well;
    }
    const auto chosen = chosen_checks(asked.value("--checks"));
    std::vector<std::string> files = asked.words;
    const std::string commands_option = asked.value("--compile-commands");
    if (files.empty()) {
        const std::string folder = find_commands(commands_option, "./.");
        if (folder.empty())
            throw usage_error(
                "validate needs FILE..., or a compile_commands.json (--compile-commands FOLDER)");
        files = files_in_commands(folder);
    }
    unsigned jobs = std::max(std::thread::hardware_concurrency(), 1u);
    if (asked.has("--jobs")) {
        const auto wanted = number(asked.value("--jobs"));
        if (!wanted || *wanted == 0)
            throw usage_error(fmt::format("--jobs: '{}' is no number from 1 on", asked.value("--jobs")));
        jobs = *wanted;
    }
    std::map<std::string, int> baseline;
    if (asked.has("--baseline"))
        baseline = read_baseline(asked.value("--baseline"));
    const cache kept(asked.has("--no-cache") ? ""
                     : asked.has("--cache")  ? asked.value("--cache")
                                             : default_cache());

    std::vector<result> results(files.size());
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < files.size(); i = next++) {
            try {
                read_file(files[i]);
                compile_arguments flags;
                if (asked.rest.empty())
                    flags = arguments_for(files[i], find_commands(commands_option, files[i]));
                else
                    flags = {portable_flags(asked.rest, ""), "the command line"};
                if (!asked.rest.empty() &&
                    std::find(flags.flags.begin(), flags.flags.end(), "-x") == flags.flags.end())
                    flags.flags.insert(flags.flags.begin(), {"-x", "c++"});
                if (std::optional<result> known = kept.find(files[i], flags.flags)) {
                    results[i] = std::move(*known);
                    continue;
                }
                results[i] = read_one(files[i], flags.flags, flags.source);
                kept.keep(files[i], flags.flags, results[i]);
            } catch (const usage_error& error) {
                results[i].complaints.push_back({{}, error.what()});
            }
        }
    };
    std::vector<std::thread> others;
    for (unsigned i = 1; i < std::min<std::size_t>(jobs, files.size()); ++i)
        others.emplace_back(work);
    work();
    for (std::thread& one : others)
        one.join();

    // The same header is read with many files; each finding is told once.
    std::set<std::string> given_files;
    for (const std::string& file : files)
        given_files.insert(shown(file));
    const std::string root = shown(asked.has("--root") ? asked.value("--root") : ".");
    const auto is_ours = [&](const std::string& file) {
        return given_files.contains(file) ||
               (root == "." ? !file.starts_with('/') : file.starts_with(root + "/"));
    };
    std::vector<judged> all;
    std::vector<complaint> complaints;
    std::size_t read = 0;
    std::map<std::string, source> sources;
    const auto source_of = [&](const std::string& file) -> const source& {
        auto known = sources.find(file);
        if (known == sources.end()) {
            std::string text;
            try {
                text = read_file(file);
            } catch (const usage_error&) {
                // It was there a moment ago; its comments allow nothing any more.
            }
            known = sources.emplace(file, source(file, text)).first;
        }
        return known->second;
    };
    for (result& one : results) {
        read += !one.reads.empty();
        std::ranges::move(one.complaints, std::back_inserter(complaints));
        for (judged& found : one.findings)
            if (chosen.contains(found.what.check) && is_ours(found.what.where.file))
                all.push_back(std::move(found));
    }
    std::stable_sort(
        all.begin(), all.end(), [](const judged& a, const judged& b) { return a.what < b.what; });
    all.erase(std::unique(
                  all.begin(), all.end(), [](const judged& a, const judged& b) { return a.what == b.what; }),
        all.end());
    for (judged& one : all)
        allow(one, source_of(one.what.where.file), complaints);
    for (const std::string& file : given_files)
        complain_of_unknown_allowances(source_of(file), complaints);

    if (asked.has("--write-baseline")) {
        std::string text(baseline_title);
        text += '\n';
        for (const judged& one : all)
            if (one.stands == standing::fresh)
                text += baseline_entry(one) + '\n';
        write_file(asked.value("--write-baseline"), text);
    }
    std::size_t counts[3] = {};
    for (judged& one : all) {
        if (one.stands == standing::fresh)
            if (const auto known = baseline.find(baseline_entry(one));
                known != baseline.end() && known->second > 0) {
                --known->second;
                one.stands = standing::known;
            }
        ++counts[static_cast<int>(one.stands)];
    }
    std::size_t mended = 0;
    if (asked.has("--fix"))
        mended = apply_fixes(all, complaints);

    if (asked.has("--lsp-diagnostics")) {
        const std::vector<std::string> list(given_files.begin(), given_files.end());
        fmt::print("{}", as_lsp(all, list));
    } else {
        for (const judged& one : all)
            if (one.stands == standing::fresh)
                fmt::print("{}", as_text(one));
    }
    if (asked.has("--github"))
        for (const judged& one : all)
            if (one.stands == standing::fresh)
                fmt::print("{}", as_annotation(one));
    if (asked.has("--sarif"))
        write_file(asked.value("--sarif"), as_sarif(all, complaints));
    for (const complaint& one : complaints) {
        if (!one.where.file.empty())
            fmt::print(stderr, "{}:{}:{}: ", one.where.file, one.where.line, one.where.column);
        fmt::print(stderr, "error: {}\n", one.text);
    }
    fmt::print(stderr, "{} finding{} in {} file{}", counts[0], counts[0] == 1 ? "" : "s", read,
        read == 1 ? "" : "s");
    if (counts[1] + counts[2] != 0)
        fmt::print(stderr, " ({} allowed, {} in the baseline)", counts[1], counts[2]);
    if (asked.has("--fix"))
        fmt::print(stderr, ", {} file{} mended", mended, mended == 1 ? "" : "s");
    fmt::print(stderr, "\n");
    if (!complaints.empty())
        return bad_input;
    if (asked.has("--write-baseline"))
        return all_well;
    if (counts[0] != 0)
        return something_found;
    return read == 0 ? nothing_done : all_well;
}

} // namespace mishap::tools
