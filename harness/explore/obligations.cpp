// SPDX-License-Identifier: MIT
#include "obligations.hpp"

#include <mishap/fault.hpp>
#include <mishap/input_error.hpp>
#include <mishap/operation.hpp>
#include <mishap/reached.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace mishap {

bool campaign_result::meets_obligations() const noexcept
{
    return replayed || std::all_of(required.begin(), required.end(),
                           [](const times_reached& one) { return one.runs != 0; });
}

namespace detail {

namespace {

/// `session.close: hang`, or `session.close=hang`: where the fault begins, or the end.
std::size_t colon_of(std::string_view text) { return std::min(text.find_first_of(":="), text.size()); }

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(' ');
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

} // namespace

std::vector<std::string> known_places()
{
    std::vector<std::string> texts;
    for (const reached_site* one = reached_sites.load(std::memory_order_acquire); one; one = one->next)
        texts.emplace_back(one->what);
    std::sort(texts.begin(), texts.end());
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    return texts;
}

obligations::obligation obligations::parse(const std::string& text)
{
    const auto places = known_places();
    if (std::binary_search(places.begin(), places.end(), text))
        return {.text = text, .is_place = true};
    const std::size_t colon = colon_of(text);
    const std::string target(trimmed(std::string_view(text).substr(0, colon)));
    const bool has_fault = colon != text.size();
    if (target.find_first_of("#/*") != std::string::npos)
        throw input_error(fmt::format(
            "'{}' is required of every client and every number: write {}", target, "session.close: hang"));
    obligation wanted{.text = text};
    try {
        const operation_id id = parse_operation(target);
        wanted.kind = id.kind;
        wanted.name = id.name;
    } catch (const input_error&) {
        if (has_fault)
            throw;
        throw input_error(places.empty()
                              ? fmt::format("'{}' is no operation, and this program has no MISHAP_REACHED: "
                                            "write session.close: hang",
                                    text)
                              : unknown_word("text of a MISHAP_REACHED, nor an operation,", text, places));
    }
    if (!has_fault)
        return wanted;
    const std::string what(trimmed(std::string_view(text).substr(colon + 1)));
    const auto table = fault_table();
    const auto row = std::find_if(
        table.begin(), table.end(), [&](const fault_description& one) { return one.word == what; });
    if (row != table.end()) {
        wanted.what = row->kind;
    } else {
        const fault given = parse_kind(what);
        wanted.what = given.kind;
        wanted.error = given.error;
    }
    if (wanted.what == fault_kind::ok)
        throw input_error(fmt::format("'{}': that it succeeds is no fault; write {} alone", text, target));
    return wanted;
}

void obligations::require(std::span<const std::string> wanted)
{
    const auto add = [&](obligation one) {
        if (one.is_place)
            runs_that_reached(one.text);
        if (std::none_of(wanted_.begin(), wanted_.end(), [&](const auto& w) { return w.text == one.text; }))
            wanted_.push_back(std::move(one));
    };
    for (const std::string& text : wanted) {
        if (text != "*") {
            add(parse(text));
            continue;
        }
        const auto places = known_places();
        if (places.empty())
            throw input_error("'*' stands for every MISHAP_REACHED, but this program has none");
        for (const std::string& place : places)
            add({.text = place, .is_place = true});
    }
}

std::uint64_t& obligations::runs_that_reached(std::string_view place)
{
    const auto known = std::find_if(
        reached_.begin(), reached_.end(), [&](const times_reached& one) { return one.what == place; });
    return known != reached_.end() ? known->runs : reached_.emplace_back(std::string(place), 0).runs;
}

bool obligations::happens_in(const obligation& wanted, const run_result& done)
{
    const auto& reached = done.trace.reached;
    if (wanted.is_place)
        return std::any_of(reached.begin(), reached.end(),
            [&](const reached_record& one) { return one.what == wanted.text; });
    return std::any_of(
        done.trace.operations.begin(), done.trace.operations.end(), [&](const operation_record& op) {
            if (op.id.kind != wanted.kind || op.id.name != wanted.name)
                return false;
            return wanted.what ? op.perturbed && op.fault.kind == *wanted.what &&
                                     (wanted.error.empty() || op.fault.error == wanted.error)
                               : op.started != none;
        });
}

void obligations::see(const run_result& done)
{
    for (const reached_record& one : done.trace.reached)
        ++runs_that_reached(one.what);
    for (obligation& one : wanted_)
        one.runs += happens_in(one, done);
}

std::vector<std::uint64_t> obligations::met() const
{
    std::vector<std::uint64_t> counts;
    for (const obligation& one : wanted_)
        counts.push_back(one.runs);
    return counts;
}

void obligations::join(const std::vector<times_reached>& reached, const std::vector<std::uint64_t>& met)
{
    for (const times_reached& one : reached)
        runs_that_reached(one.what) += one.runs;
    for (std::size_t i = 0; i < std::min(met.size(), wanted_.size()); ++i)
        wanted_[i].runs += met[i];
}

void obligations::clear()
{
    for (times_reached& one : reached_)
        one.runs = 0;
    for (obligation& one : wanted_)
        one.runs = 0;
}

void obligations::tell(campaign_result& into) const
{
    into.reached = reached_;
    std::sort(into.reached.begin(), into.reached.end(),
        [](const times_reached& a, const times_reached& b) { return a.what < b.what; });
    for (const obligation& one : wanted_)
        into.required.push_back({one.text, one.runs});
}

std::string unmet(const campaign_result& result)
{
    std::vector<std::string_view> never;
    for (const times_reached& one : result.required)
        if (one.runs == 0 && !result.replayed)
            never.push_back(one.what);
    return never.empty() ? std::string()
                         : fmt::format("required, and never reached: {}", fmt::join(never, "; "));
}

} // namespace detail
} // namespace mishap
