// SPDX-License-Identifier: MIT
#include "page.hpp"

#include "file.hpp"

#include <mishap/input_error.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <utility>

namespace mishap::detail {

namespace {

thread_local page_section* current = nullptr;

/// What a program has collected. It is never destroyed, since exit handlers use it.
struct book
{
    std::mutex mutex;
    std::string file; ///< empty: nothing is collected
    std::string replay_command;
    std::string sections; ///< of a JSON array, without its brackets
    bool written = false;
    bool in_folder() const { return file.ends_with('/'); }
};

book& the_book()
{
    static book* const one = [] {
        auto* made = new book;
        if (const char* file = std::getenv("MISHAP_HTML"); file && *file)
            made->file = file;
        if (!made->file.empty())
            std::atexit([] {
                try {
                    write_page();
                } catch (const std::exception& e) {
                    std::fprintf(stderr, "mishap: error: %s\n", e.what());
                }
            });
        return made;
    }();
    return *one;
}

std::string section_json(std::string_view name, std::string_view where, bool as_expected,
    std::string_view summary, const json_builder& parts)
{
    return json_builder::object()
        .add("name", name)
        .add("where", where)
        .add("as_expected", as_expected)
        .add("summary", summary)
        .add("parts", parts)
        .str();
}

void add_section(std::string_view name, bool as_expected, const std::string& section)
{
    book& all = the_book();
    const std::scoped_lock lock(all.mutex);
    if (!all.in_folder()) {
        all.sections.append(all.sections.empty() ? "" : ",\n").append(section);
        all.written = false;
    } else if (!as_expected) {
        write_whole_file(std::filesystem::path(all.file) / (word_for_file(name) + ".html"),
            page_of('[' + section + ']'), "the HTML report");
    }
}

json_builder run_data(
    const run_result& run, const std::vector<counterexample>& broken, const report_options& options)
{
    json_builder one = json_builder::object();
    one.add("manager", run.manager.empty() ? "this manager" : run.manager);
    one.add("holds", run.holds()).add("covered", "one run");
    json_builder counterexamples = json_builder::array();
    for (const counterexample& c : broken)
        counterexamples.push(page_data(c, options));
    one.add("counterexamples", counterexamples);
    if (broken.empty())
        one.add("run", page_data(run)).add("replay", replay_line(run, options.replay_command));
    return one;
}

} // namespace

std::string page_of(std::string_view sections)
{
    std::string page;
    page.reserve(page_html.size() + page_css.size() + page_js.size() + sections.size());
    std::string_view left = page_html;
    for (const auto& [mark, text] :
        {std::pair("@style@", page_css), std::pair("@data@", sections), std::pair("@script@", page_js)}) {
        const std::size_t at = left.find(mark);
        page.append(left.substr(0, at)).append(text);
        left.remove_prefix(at + std::string_view(mark).size());
    }
    return page.append(left);
}

void collect_page(const std::string& file, const std::string& replay_command)
{
    if (file.empty())
        throw input_error("--html needs the name of a file, such as --html report.html");
    book& all = the_book();
    const std::scoped_lock lock(all.mutex);
    all.file = file;
    all.replay_command = replay_command;
}

bool collects_page() { return !the_book().file.empty(); }

void add_to_page(const campaign_result& result)
{
    if (!collects_page())
        return;
    report_options options{.replay_command = the_book().replay_command};
    if (current)
        return current->add(page_data(result, current->options()));
    const std::string name = result.manager.empty() ? "this manager" : result.manager;
    add_section(name, result.holds(),
        section_json(name, "", result.holds(), "", json_builder::array().push(page_data(result, options))));
}

void add_to_page(const run_result& run, const std::vector<counterexample>& broken)
{
    if (!collects_page())
        return;
    if (current)
        return current->add(run_data(run, broken, current->options()));
    const std::string name = run.manager.empty() ? "this manager" : run.manager;
    add_section(name, run.holds(),
        section_json(name, "", run.holds(), "",
            json_builder::array().push(
                run_data(run, broken, {.replay_command = the_book().replay_command}))));
}

page_section::page_section(std::string name, std::string where, report_options options)
    : name_(std::move(name)), where_(std::move(where)), options_(std::move(options)), outer_(current)
{
    current = this;
}

page_section::~page_section() { current = outer_; }

void page_section::end(bool as_expected, const std::string& summary)
{
    if (collects_page())
        add_section(name_, as_expected, section_json(name_, where_, as_expected, summary, parts_));
}

void begin_page_anew()
{
    book& all = the_book();
    const std::scoped_lock lock(all.mutex);
    all.sections.clear();
    all.written = false;
}

std::string write_page()
{
    book& all = the_book();
    const std::scoped_lock lock(all.mutex);
    if (all.file.empty() || all.in_folder() || all.written)
        return all.file;
    write_whole_file(all.file, page_of('[' + all.sections + ']'), "the HTML report");
    all.written = true;
    return all.file;
}

} // namespace mishap::detail

namespace mishap {

std::string to_html(const campaign_result& result, const report_options& options)
{
    const std::string name = result.manager.empty() ? "this manager" : result.manager;
    const auto part = detail::json_builder::array().push(detail::page_data(result, options));
    return detail::page_of(
        '[' + detail::section_json(name, options.location, result.holds(), "", part) + ']');
}

} // namespace mishap
