// SPDX-License-Identifier: MIT
#include "verdicts.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

namespace mishap::detail {

namespace {

/// The element of that name, added at the end where there is none.
template <class Named>
Named& named(std::vector<Named>& among, const std::string& name)
{
    const auto found =
        std::find_if(among.begin(), among.end(), [&](const Named& one) { return one.name == name; });
    return found != among.end() ? *found : among.emplace_back(Named{.name = name});
}

std::string pattern_of(const std::string& file)
{
    return std::filesystem::absolute(file).lexically_normal().parent_path().filename().string();
}

} // namespace

void verdicts::add(const std::string& file, const scenario& what, const scenario_result& result)
{
    manager_verdict& of = named(named(patterns_, pattern_of(file)).managers, what.manager);
    of.runs += result.runs;
    if (result.status != scenario_status::held)
        of.failed = true;
    else if (what.equivalent_to.empty() && !what.expect.violates.empty())
        for (const std::string& invariant : result.broken) {
            if (std::find(of.broken.begin(), of.broken.end(), invariant) == of.broken.end())
                of.broken.push_back(invariant);
        }
    else
        of.held = true;
}

std::string verdicts::table() const
{
    if (patterns_.size() < 2)
        return {};
    struct row
    {
        std::string pattern, breaks, holds;
    };
    std::vector<row> rows{{"pattern", "breaks", "holds (runs)"}};
    for (const pattern& p : patterns_) {
        row r{.pattern = p.name};
        const auto add = [](std::string& cell, std::string text) {
            cell += (cell.empty() ? "" : "; ") + std::move(text);
        };
        for (const manager_verdict& m : p.managers) {
            if (m.failed)
                add(r.breaks, fmt::format("{} is NOT as expected", m.name));
            else if (!m.broken.empty())
                add(r.breaks, fmt::format("{} breaks {}", m.name, fmt::join(m.broken, ", ")));
            // What breaks a rule holds nothing, although it may under some plans.
            else if (m.held)
                add(r.holds, fmt::format("{} holds ({})", m.name, m.runs));
        }
        rows.push_back(std::move(r));
    }
    std::size_t first = 0, second = 0;
    for (const row& r : rows) {
        first = std::max(first, r.pattern.size());
        second = std::max(second, r.breaks.size());
    }
    std::string text;
    for (const row& r : rows) {
        std::string line = fmt::format("{:<{}}  {:<{}}  {}", r.pattern, first, r.breaks, second, r.holds);
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + '\n';
    }
    return text;
}

} // namespace mishap::detail
