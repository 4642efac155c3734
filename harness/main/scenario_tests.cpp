// SPDX-License-Identifier: MIT
#include "scenario_tests.hpp"

#include "output.hpp"

#include "report/json_lines.hpp"

#include <mishap/scenario.hpp>

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>

namespace mishap::detail {

namespace {

int bad_scenarios = 0;

class scenario_test : public testing::Test
{
public:
    scenario_test(scenario what, std::string replay_command)
        : scenario_(std::move(what)), replay_command_(std::move(replay_command))
    {}

    void TestBody() override
    {
        try {
            int found = 0;
            on_counterexample() = [&](const std::string& line) {
                RecordProperty(fmt::format("mishap_counterexample_{}", ++found), line);
            };
            const scenario_result result = run_scenario(scenario_, {.replay_command = replay_command_});
            say(result.saved_before);
            on_counterexample() = nullptr;
            RecordProperty("mishap_manager", scenario_.manager);
            RecordProperty("mishap_runs", std::to_string(result.runs));
            RecordProperty("mishap_broken", fmt::format("{}", fmt::join(result.broken, " ")));
            RecordProperty("mishap_summary", result.summary);
            if (result.status != scenario_status::held)
                ADD_FAILURE_AT(scenario_.where.file.c_str(), result.line) << result.failure;
        } catch (const scenario_error& e) {
            on_counterexample() = nullptr;
            ++bad_scenarios;
            ADD_FAILURE_AT(e.where().file.c_str(), e.where().line) << e.what();
        }
    }

private:
    scenario scenario_;
    std::string replay_command_;
};

} // namespace

std::string suite_of(const std::string& folder, const std::string& file)
{
    namespace fs = std::filesystem;
    const fs::path root = fs::path(folder).lexically_normal();
    std::string suite = fs::path(file).parent_path().lexically_relative(root).generic_string();
    if (suite.empty() || suite == ".")
        suite = (root.has_filename() ? root : root.parent_path()).filename().string();
    std::replace(suite.begin(), suite.end(), '/', '_');
    return suite;
}

int unusable_scenarios() noexcept { return bad_scenarios; }

int register_scenario_tests(const std::string& replay_command)
{
    std::map<std::string, std::string> names;
    for (const std::string& folder : scenario_folders()) {
        std::vector<std::string> files;
        try {
            files = find_scenarios(folder);
        } catch (const input_error& e) {
            complain(e.what());
            ++bad_scenarios;
        }
        for (const std::string& file : files) {
            try {
                scenario loaded = load_scenario(file);
                const std::string suite = suite_of(folder, file);
                const std::string name = std::filesystem::path(file).stem().string();
                const auto [known, added] = names.emplace(suite + "." + name, file);
                if (!added)
                    throw scenario_error(
                        {file, 1, 1}, fmt::format("its test would be named {}, as that of {}: rename one",
                                          known->first, known->second));
                const int line = loaded.where.line;
                testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, file.c_str(), line,
                    [loaded = std::move(loaded), replay_command]() -> testing::Test* {
                        return new scenario_test(loaded, replay_command);
                    });
            } catch (const std::exception& e) {
                complain(e.what());
                ++bad_scenarios;
            }
        }
    }
    return bad_scenarios;
}

} // namespace mishap::detail
