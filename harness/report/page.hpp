// SPDX-License-Identifier: MIT
#pragma once
/// The page of HTML that `--html` and `MISHAP_HTML` ask for: it collects what a program runs, and is written
/// when that ends.

#include "page_data.hpp"

#include <mishap/report.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace mishap::detail {

/// The page's parts, made of the files in `page/` when mishap is built.
extern const std::string_view page_html;
extern const std::string_view page_css;
extern const std::string_view page_js;

/// The page with these sections, a JSON array.
std::string page_of(std::string_view sections);

/// From now on campaigns and scenarios of this program are collected for that file. A name that ends with `/`
/// is a folder: each campaign or scenario that is not as it should be gets a file of its own in it.
///
/// Errors: throws `input_error` for an empty name.
void collect_page(const std::string& file, const std::string& replay_command);

/// Whether anything is collected. Reads `MISHAP_HTML` when it is first called.
bool collects_page();

/// Adds a campaign, unless it belongs to a scenario: then to that. Thread safety: any thread may.
void add_to_page(const campaign_result&);

/// Adds one run, likewise, with each violation as a counterexample.
void add_to_page(const run_result&, const std::vector<counterexample>&);

/// While it lives, what this thread adds to the page belongs to one scenario.
class page_section
{
public:
    page_section(std::string name, std::string where, report_options options);
    ~page_section();
    page_section(const page_section&) = delete;
    page_section& operator=(const page_section&) = delete;

    void add(const json_builder& part) { parts_.push(part); }
    const report_options& options() const noexcept { return options_; }

    /// Puts it on the page. Errors: as `write_page`, where each section has a file of its own.
    void end(bool as_expected, const std::string& summary);

private:
    std::string name_, where_;
    report_options options_;
    json_builder parts_ = json_builder::array();
    page_section* outer_;
};

/// Forgets what was collected, for who runs everything again.
void begin_page_anew();

/// Writes what was collected; what a program did not write is written when it exits.
///
/// Returns the file, or an empty string where nothing is collected. Errors: throws `std::runtime_error` with
/// the reason when it cannot be written.
std::string write_page();

} // namespace mishap::detail
