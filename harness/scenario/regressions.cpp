// SPDX-License-Identifier: MIT
#include "regressions.hpp"

#include "explore/conductor.hpp"
#include "network/setup.hpp"
#include "report/json_lines.hpp"
#include "report/saved.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <utility>

namespace mishap::detail {

namespace {

namespace fs = std::filesystem;

bool same_network(const scenario& one, const scenario& other)
{
    const auto described = [](const scenario& s) { return s.network ? to_yaml(*s.network) : std::string(); };
    return described(one) == described(other);
}

bool belongs_to(const scenario& saved, const scenario& exploration)
{
    const auto& given = exploration.plan.settings;
    return saved.manager == exploration.manager && !saved.sweep && !saved.random &&
           saved.expect.violates.empty() && saved.contract_terms == exploration.contract_terms &&
           saved.equivalent_to == exploration.equivalent_to && saved.invariants == exploration.invariants &&
           same_network(saved, exploration) &&
           std::all_of(given.begin(), given.end(), [&](const auto& setting) {
               const auto found = saved.plan.settings.find(setting.first);
               return found != saved.plan.settings.end() && found->second == setting.second;
           });
}

/// While it lives, what is run is in no file of results: each machine has saved cases of its own.
class unrecorded
{
public:
    unrecorded() : told_(std::exchange(on_counterexample(), nullptr))
    {
        if (conductor* const led = conducted()) {
            journal_ = std::exchange(led->journal, nullptr);
            campaigns_ = led->campaigns;
        }
    }
    ~unrecorded()
    {
        on_counterexample() = std::move(told_);
        if (conductor* const led = conducted()) {
            led->journal = journal_;
            led->campaigns = campaigns_;
        }
    }
    unrecorded(const unrecorded&) = delete;
    unrecorded& operator=(const unrecorded&) = delete;

private:
    std::function<void(const std::string&)> told_;
    part_journal* journal_ = nullptr;
    std::uint64_t campaigns_ = 0;
};

saved_case try_one(const std::string& file, const scenario& saved, const std::string& replay_command)
{
    const unrecorded nothing;
    const scenario_result done = run_scenario(saved, {.replay_command = replay_command, .save_to = {}});
    saved_case one{.file = file, .line = {}};
    switch (done.status) {
    case scenario_status::held:
        one.line = fmt::format("mended    {} holds now: move it to a folder regressions, or delete it", file);
        break;
    case scenario_status::invalid:
        one.line = fmt::format("stale     {}: {}", file, done.summary);
        break;
    case scenario_status::failed:
        one.is_broken = true;
        one.line = fmt::format("again     {} breaks {} still", file, fmt::join(done.broken, ", "));
        one.failure = done.failure;
        break;
    }
    return one;
}

} // namespace

std::vector<saved_case> try_saved(
    const std::string& folder, const scenario& exploration, const std::string& replay_command)
{
    std::vector<saved_case> tried;
    if (folder.empty())
        return tried;
    const std::string prefix = saved_prefix(exploration.manager);
    std::vector<std::string> files;
    std::error_code error;
    for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator();
         it.increment(error))
        if (const std::string name = it->path().filename().string();
            name.starts_with(prefix) && name.ends_with(".yaml"))
            files.push_back(it->path().string());
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) {
        try {
            const scenario saved = load_scenario(file);
            if (belongs_to(saved, exploration))
                tried.push_back(try_one(file, saved, replay_command));
        } catch (const std::exception& e) {
            tried.push_back({.file = file, .line = fmt::format("stale     {}", e.what())});
        }
    }
    return tried;
}

std::string lines_of(const std::vector<saved_case>& tried)
{
    std::string text;
    for (const saved_case& one : tried)
        text += one.line + '\n';
    return text;
}

std::string reports_of(const std::vector<saved_case>& tried, const std::vector<std::string>& told)
{
    std::string text;
    for (const saved_case& one : tried)
        if (one.is_broken && std::find(told.begin(), told.end(), one.file) == told.end())
            text += one.failure + '\n';
    return text;
}

} // namespace mishap::detail
