// SPDX-License-Identifier: MIT
#pragma once

#include <mishap/explore.hpp>
#include <mishap/input_error.hpp>
#include <mishap/run.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mishap::network {
struct setup;
}

namespace mishap {

/// A place in a file that somebody wrote. Lines and columns count from 1.
struct file_place
{
    std::string file;
    int line = 1;
    int column = 1;
};

/// `file:line:column`.
std::string to_string(const file_place&);

/// A scenario file that cannot be used, and where in it.
class scenario_error : public input_error
{
public:
    scenario_error(file_place where, const std::string& message);
    /// All that is wrong with a file, a line each, in the file's order. Preconditions: there is one at least.
    explicit scenario_error(std::vector<scenario_error> several);

    /// The first place.
    const file_place& where() const noexcept { return where_; }

private:
    file_place where_;
};

/// What a scenario says must come of an example. What is left out is not looked at.
struct expectation
{
    std::optional<std::string> outcome;
    std::optional<std::vector<std::string>> reports;
    std::optional<std::vector<operation_id>> events;
    /// Invariants that must break; empty means that all must hold.
    std::vector<std::string> violates;
};

/// One scenario file: an example (faults and what to expect) or an exploration.
struct scenario
{
    /// Where its test is reported.
    file_place where;
    std::string manager;
    std::string about;
    /// The manager that it is compared with; then nothing but `equivalent` is judged. Empty where there is
    /// none.
    std::string equivalent_to;
    fault_plan plan;
    /// Where each perturbation of the plan was written, and each of its settings.
    std::vector<file_place> written_at;
    std::map<std::string, file_place, std::less<>> settings_at;
    mishap::contract contract;
    /// The terms that this file replaces, as YAML; empty where it replaces none.
    std::string contract_terms;
    /// What is judged, besides what always is; empty means all invariants.
    std::vector<std::string> invariants;
    expectation expect;
    /// As in `sweep_options`.
    std::vector<std::string> require;
    std::optional<sweep_options> sweep;
    std::optional<random_options> random;
    mishap::limits limits;
    /// The network that it describes, which its manager runs in; null where it describes none.
    std::shared_ptr<const network::setup> network;
};

/// Reads a scenario file.
///
/// Errors: throws `scenario_error` with the places of whatever is wrong. A file may not be readable, not
/// regular, empty, no YAML, no map or several documents. A key may be duplicate, unknown, misplaced or idle.
/// A manager, operation form, fault, error, invariant or unit may be unknown. A contract may contradict
/// itself.
scenario load_scenario(const std::string& file);

/// Reads a scenario from text, which `file` names in messages.
scenario parse_scenario(const std::string& text, const std::string& file);

enum class scenario_status
{
    held,    ///< what the scenario says is so
    failed,  ///< it is not
    invalid, ///< it tests nothing: a fault never fired
};

struct scenario_result
{
    scenario_status status = scenario_status::held;
    /// Line of the file at which to report a failure.
    int line = 1;
    std::uint64_t runs = 0;
    /// Invariants that broke, expected or not.
    std::vector<std::string> broken;
    /// One line: what was found.
    std::string summary;
    /// The report of what failed; empty when it held.
    std::string failure;
    /// What became of the counterexamples that were saved before, a line each.
    std::string saved_before;
};

/// A JSON Schema (draft 2020-12) of scenario files, with the managers, errors and invariants of this program.
std::string scenario_schema();

/// How a scenario's failure is written down.
struct scenario_options
{
    /// As in `report_options`.
    std::string replay_command = {};
    /// Where counterexamples are saved; empty saves none.
    std::string save_to = "mishap-failures";
};

/// Runs a scenario.
///
/// Errors: throws `scenario_error` with the place where the run misused mishap: a setting that nobody asked
/// for or that does not read, an adapter that serves nobody or twice. As `run` for anything else.
scenario_result run_scenario(const scenario&, const scenario_options& = {});

/// The scenario files at or below a path, sorted, those in folders `regressions` first; a file stands for
/// itself. Symbolic links are followed. A folder that cannot be read, or that a link in it leads back to,
/// stands for itself, too: `load_scenario` says why.
///
/// Errors: throws `input_error` when nothing is there.
std::vector<std::string> find_scenarios(const std::string& path);

/// What is wrong with the name of a scenario file, or an empty string: names are `[a-z0-9_]+.yaml`, since
/// they become test names.
std::string check_file_name(const std::string& file);

namespace detail {

/// Folders that a program's GoogleTest face runs, registered by `mishap_add_scenarios`.
std::vector<std::string>& scenario_folders();

struct scenario_folder
{
    explicit scenario_folder(const char* path) { scenario_folders().emplace_back(path); }
};

} // namespace detail
} // namespace mishap
