// SPDX-License-Identifier: MIT
#include "file.hpp"
#include "saved.hpp"

#include "fault/plan_words.hpp"

#include <mishap/report.hpp>

#include <mishap/duration.hpp>
#include <mishap/operation.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/crc.hpp>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <stdexcept>

namespace mishap {

namespace {

/// In YAML's double quotes, which hold any text but bytes that are no UTF-8.
std::string in_quotes(std::string_view text)
{
    std::string quoted = "\"";
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            quoted += '\\';
        if (u < 0x20 || u == 0x7f)
            quoted += fmt::format("\\x{:02x}", u);
        else
            quoted += c;
    }
    return quoted + '"';
}

/// As it stands, where YAML takes it for a text.
std::string scalar(std::string_view text)
{
    const bool is_null = text == "null" || text == "Null" || text == "NULL";
    return is_word(text) && !is_null ? std::string(text) : in_quotes(text);
}

bool is_utf8(std::string_view text)
{
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t more = lead < 0x80   ? 0
                                 : lead < 0xc2 ? 4
                                 : lead < 0xe0 ? 1
                                 : lead < 0xf0 ? 2
                                 : lead < 0xf5 ? 3
                                               : 4;
        if (more == 4 || i + more >= text.size())
            return false;
        for (std::size_t k = 1; k <= more; ++k)
            if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80)
                return false;
        i += 1 + more;
    }
    return true;
}

/// The entries of the key `cancel` or `abandon`.
std::string interruptions(std::string_view key, const fault_plan& plan, interruption::action what)
{
    std::string text;
    for (const perturbation& p : plan.perturbations) {
        if (!p.interrupts() || p.interrupts()->what != what)
            continue;
        text += "  - {";
        if (p.interrupts()->when != moment::steps)
            text += fmt::format("at: {}, ", to_string(p.at, true));
        text += fmt::format("when: {}, client: {}", to_string(p.interrupts()->when),
            p.interrupts()->client == whole_world ? "world" : std::to_string(p.interrupts()->client));
        if (p.interrupts()->steps != 0)
            text += fmt::format(", steps: {}", p.interrupts()->steps);
        if (p.interrupts()->type != cancellation::terminal)
            text += fmt::format(", type: {}", to_string(p.interrupts()->type));
        text += "}\n";
    }
    return text.empty() ? text : fmt::format("{}:\n{}", key, text);
}

} // namespace

std::string to_scenario(const counterexample& c)
{
    std::string text = fmt::format("mishap: 1\nmanager: {}\nabout: {}\n", scalar(c.minimal.manager),
        in_quotes(fmt::format("breaks {}: {}", c.invariant, c.broken() ? c.broken()->sentence : "")));
    if (!c.equivalent_to.empty())
        text += fmt::format("equivalent_to: {}\n", scalar(c.equivalent_to));
    if (!c.contract_terms.empty()) {
        text += "contract:\n";
        std::istringstream lines(c.contract_terms);
        for (std::string line; std::getline(lines, line);)
            text += "  " + line + '\n';
    }
    text += c.network;
    if (!c.invariants.empty())
        text += fmt::format("invariants: [{}]\n", fmt::join(c.invariants, ", "));
    if (const limits& bounds = c.minimal.limits; bounds != limits()) {
        text += "limits:\n";
        if (bounds.horizon)
            text += fmt::format("  horizon: {}\n", to_string(*bounds.horizon));
        if (bounds.steps_max != limits().steps_max)
            text += fmt::format("  steps_max: {}\n", bounds.steps_max);
    }
    if (!c.minimal.fired.settings.empty()) {
        text += "with:\n";
        for (const auto& [name, value] : c.minimal.fired.settings)
            text += fmt::format("  {}: {}\n", scalar(name), in_quotes(value));
    }
    if (!c.minimal.fired.invalid_settings.empty()) {
        text += "invalid:\n";
        for (const std::string& name : c.minimal.fired.invalid_settings)
            text += fmt::format("  - {}\n", in_quotes(name));
    }
    if (c.minimal.fired.step_cost != duration(0))
        text += fmt::format("step_cost: {}\n", to_string(c.minimal.fired.step_cost));
    const fault_plan& fired = c.minimal.fired;
    if (fired.clients != 0)
        text += fmt::format("clients: {}\n", fired.clients);
    if (fired.sequential)
        text += "arrivals: sequential\n";
    else if (fired.relay)
        text += "arrivals: relay\n";
    else if (!fired.arrivals.empty()) {
        text += "arrivals:\n";
        for (const auto& [client, at] : fired.arrivals)
            text += fmt::format("  {}: {}\n", lane_name(client), to_string(at));
    }
    text += interruptions("cancel", fired, interruption::action::cancel);
    text += interruptions("abandon", fired, interruption::action::abandon);
    std::string schedule, faults;
    if (fired.schedule)
        schedule = fmt::format("  - drawn {}\n", detail::text_of_drawn(*fired.schedule));
    for (const perturbation& p : fired.perturbations) {
        if (p.yields())
            schedule += fmt::format("  - run {} before {}{}\n", lane_name(p.yields()->first),
                to_string(p.at, true), p.yields()->steps == 1 ? "" : fmt::format(" +{}", p.yields()->steps));
        else if (p.fails_body())
            faults += fmt::format("  {}: {} {} {}\n", to_string(body_operation(p.at.lane)),
                to_string(p.fault()), p.fails_body()->before ? "before" : "after", to_string(p.at));
        else if (p.is_fault())
            faults += fmt::format("  {}: {}\n", to_string(p.at), to_string(p.fault()));
    }
    if (!schedule.empty())
        text += "schedule:\n" + schedule;
    text += faults.empty() ? "faults: {}\n" : "faults:\n" + faults;
    return text;
}

std::string detail::saved_prefix(const std::string& manager)
{
    // A file's name has at most 255 bytes.
    return word_for_file(manager) + '_';
}

std::string save_counterexample(const counterexample& c, const std::string& folder)
{
    namespace fs = std::filesystem;
    if (folder.empty())
        throw std::runtime_error("the counterexample cannot be saved: the folder has no name");
    const std::string text = to_scenario(c);
    if (!is_utf8(text))
        throw std::runtime_error(
            "the counterexample cannot be saved: a name or a setting is no UTF-8, which YAML cannot hold; "
            "repeat it by its replay line");
    boost::crc_ccitt_type crc;
    crc.process_bytes(text.data(), text.size());
    const fs::path path =
        fs::path(folder) / fmt::format("{}{}_{:04x}.yaml", detail::saved_prefix(c.minimal.manager),
                               detail::word_for_file(c.invariant), crc.checksum());
    detail::write_whole_file(path, text, "the counterexample");
    return path.string();
}

} // namespace mishap
