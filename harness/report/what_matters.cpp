// SPDX-License-Identifier: MIT
#include "what_matters.hpp"

#include "fault/plan_words.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace mishap::detail {

namespace {

std::string_view verb_of(fault_kind kind)
{
    return kind == fault_kind::hang ? "hang" : kind == fault_kind::cancel ? "be cancelled" : "fail";
}

/// `./session_test run FILE`, from `./session_test replay`.
std::string file_line(const std::string& file, const std::string& replay_command)
{
    const std::string_view program =
        std::string_view(replay_command)
            .substr(0, std::min(replay_command.rfind(' '), replay_command.size()));
    return fmt::format("{}{}run {}", program, program.empty() ? "" : " ", file);
}

/// The operation of a perturbation, as plans write it.
std::string place_of(const perturbation& p, bool shows_lane)
{
    std::string place = to_string(p.at, shows_lane);
    if (place.ends_with("#1"))
        place.resize(place.size() - 2);
    return place;
}

} // namespace

std::vector<std::string> parts_of(const fault_plan& plan)
{
    const std::string text = to_string(plan);
    std::vector<std::string> parts;
    for (const word& w : split_words(text))
        parts.emplace_back(w.text);
    return parts;
}

std::string what_holds(const counterexample& c)
{
    if (!c.neighbour)
        return {};
    fault_plan left;
    left.perturbations = c.neighbour->fired.perturbations;
    std::string text = c.minimal.fired.perturbations.empty() ? "with all clients at once"
                       : left.perturbations.empty()          ? "with no fault"
                                                             : fmt::format("with {} only", to_string(left));
    if (!c.neighbour->holds())
        text += fmt::format(", where {} breaks", c.neighbour->verdict.violations.front().invariant);
    return text;
}

std::string what_is_alike(const counterexample& c)
{
    const bool shows_lane = c.minimal.trace.outcomes.size() > 1;
    std::string text;
    for (std::size_t i = 0; i < c.alike.size();) {
        std::vector<std::string_view> verbs;
        const operation_id at = c.alike[i].at;
        const std::string place = place_of(c.alike[i], shows_lane);
        for (; i < c.alike.size() && c.alike[i].at == at; ++i)
            verbs.push_back(verb_of(c.alike[i].fault().kind));
        text += fmt::format(
            "{}{} may just as well {}", text.empty() ? "" : ", ", place, fmt::join(verbs, " or "));
    }
    return text;
}

std::string about_neighbours(const counterexample& c)
{
    const std::string holds = what_holds(c), alike = what_is_alike(c);
    return holds + (holds.empty() || alike.empty() ? "" : "; ") + alike;
}

std::string replay_command_of(const run_result& run, const report_options& options)
{
    return options.replay_file.empty() ? replay_line(run, options.replay_command)
                                       : file_line(options.replay_file, options.replay_command);
}

} // namespace mishap::detail
