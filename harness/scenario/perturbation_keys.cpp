// SPDX-License-Identifier: MIT
#include "perturbation_keys.hpp"

#include "fault/plan_words.hpp"

#include <mishap/duration.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace mishap::detail {

namespace {

void add(const reader& at, scenario& into, perturbation p)
{
    into.plan.perturbations.push_back(std::move(p));
    into.written_at.push_back(at.place());
}

/// A cancellation or an abandonment, while it is read.
struct interruption_draft
{
    interruption::action what;
    operation_id at = {};
    interruption i = {};
    bool during = false;
    bool anchored = false;
    bool counts_steps = false;
    std::optional<lane> client = {};
};

void read_anchor(const reader& at, interruption_draft& d)
{
    d.at = at.parse("an operation", [](const std::string& text) { return parse_operation(text); });
    d.anchored = true;
}

void read_client(const value& v, interruption_draft& d)
{
    d.client = static_cast<lane>(v.number<std::uint32_t>());
}

void read_steps(const value& v, interruption_draft& d)
{
    d.i.steps = v.number<std::uint32_t>();
    d.counts_steps = true;
}

constexpr key_row<interruption_draft> keys_of_cancel[] = {
    {"at", "OPERATION", "", "the operation that the moment is relative to",
        [](const value& v, interruption_draft& d) { read_anchor(v, d); }},
    {"when", "before|during|queued|after|steps", "during",
        "before it starts, during it, queued (it has completed, its handler has not run), after its handler "
        "ran, or steps (of the run)",
        [](const value& v, interruption_draft& d) {
            constexpr moment moments[] = {
                moment::before, moment::queued, moment::queued, moment::after, moment::steps};
            const std::size_t word = v.word("moment");
            d.i.when = moments[word];
            d.during = word == 1;
        }},
    {"client", "0..99", "the client of `at`", "who is cancelled", &read_client},
    {"type", "terminal|partial|total", "terminal", "how much may have been done, as Asio has it",
        [](const value& v, interruption_draft& d) {
            d.i.type = static_cast<cancellation>(v.word("type of cancellation"));
        }},
    {"steps", "0..1000000", "0",
        "the number of steps after the moment; with `when: steps`, the number of the step", &read_steps},
};

constexpr key_row<interruption_draft> keys_of_abandon[] = {
    {"at", "OPERATION", "", "as in `cancel`",
        [](const value& v, interruption_draft& d) { read_anchor(v, d); }},
    {"when", "queued|after|steps", "queued", "as in `cancel`",
        [](const value& v, interruption_draft& d) {
            constexpr moment moments[] = {moment::queued, moment::after, moment::steps};
            d.i.when = moments[v.word("moment")];
        }},
    {"client", "world|0..99", "the client of `at`",
        "whose suspended coroutines are destroyed; the whole world is what a shut-down destroys",
        [](const value& v, interruption_draft& d) {
            if (v.node().IsScalar() && v.node().Scalar() == "world")
                d.client = whole_world;
            else
                read_client(v, d);
        }},
    {"steps", "0..1000000", "0", "as in `cancel`", &read_steps},
};

/// `cancel: session.query`, or `cancel: {at: session.query, when: queued, type: partial, client: 1}`;
/// `abandon` likewise, without a type, and with `client: world`.
void read_interruption(const reader& at, interruption::action what, scenario& into)
{
    const bool cancels = what == interruption::action::cancel;
    const std::string_view key = cancels ? "cancel" : "abandon";
    interruption_draft d{.what = what};
    d.i.what = what;
    d.during = cancels;
    if (at.node().IsScalar())
        read_anchor(at, d);
    else if (cancels)
        read_keys(at, key, keys_of_cancel, d);
    else
        read_keys(at, key, keys_of_abandon, d);
    if (d.i.when == moment::steps && d.anchored)
        at.refuse("'when: steps' counts from the start of the run: leave 'at' out, or name another moment");
    if (d.i.when == moment::steps && !d.counts_steps)
        at.refuse("'when: steps' needs 'steps', the number of the step, such as steps: 7");
    if (d.i.when != moment::steps && !d.anchored)
        at.refuse(fmt::format(
            "{} needs 'at', the operation that it is relative to (or when: steps, and steps: 7)", key));
    if (d.during && d.counts_steps)
        at.refuse("'during' is no single moment to count 'steps' from: write 'queued' or 'after' as 'when'");
    if (d.during && d.client && *d.client != d.at.lane)
        at.refuse("'during' is for the client's own operation: write 'queued' or 'after'");
    if (!d.during)
        d.i.client = d.client.value_or(std::max<lane>(d.at.lane, 0));
    add(at, into,
        d.during ? perturbation{.at = d.at, .what = operation_fault{fault::cancel(d.i.type)}}
                 : perturbation{.at = d.at, .what = d.i});
}

/// `schedule: run c1 before c0/session.close`
void read_deviation(const reader& at, scenario& into)
{
    add(at, into, at.parse("a deviation of the schedule", [](const std::string& text) {
        constexpr std::string_view first = "run ";
        if (!text.starts_with(first))
            throw input_error(
                fmt::format("'{}' is no deviation: write run c1 before c0/session.close", text));
        return parse_deviation(
            {std::string_view(text).substr(first.size()), first.size()}, notation::scenario);
    }));
}

/// Reads one, or a list of them.
template <class Read>
void read_some(const reader& at, std::string_view key, Read read)
{
    if (!at.node().IsSequence())
        return read(at);
    if (at.node().size() == 0)
        at.refuse(fmt::format("{} is empty: leave it out", key));
    at.for_items(key, read);
}

} // namespace

key_section cancel_section() { return section_of("cancel", keys_of_cancel); }
key_section abandon_section() { return section_of("abandon", keys_of_abandon); }

void read_faults(const reader& at, scenario& into)
{
    at.for_entries("faults", [&](const reader& key, const std::string& name, const reader& given) {
        const operation_pattern pattern =
            key.parse("an operation", [](const std::string& text) { return parse_pattern(text); });
        const operation_id& id = pattern.first;
        const perturbation p = given.parse("a fault", [&](const std::string& text) {
            const auto failure = parse_body_failure(text, id.lane);
            if (failure && (pattern.repeats || id != body_operation(id.lane)))
                throw input_error(fmt::format("'{}': only a body fails before or after an operation", text));
            return failure
                       ? *failure
                       : perturbation{.at = id, .what = operation_fault{parse_fault(text), pattern.repeats}};
        });
        // The first that fits an operation strikes: a single operation may stand before a pattern.
        if (!pattern.repeats && into.plan.find(p.at))
            key.refuse(fmt::format("'{}' names {}, which has a fault already", name, to_string(p.at)));
        add(key, into, p);
    });
}

void read_cancellations(const reader& at, scenario& into)
{
    read_some(
        at, "cancel", [&](const reader& one) { read_interruption(one, interruption::action::cancel, into); });
}

void read_abandonments(const reader& at, scenario& into)
{
    read_some(at, "abandon",
        [&](const reader& one) { read_interruption(one, interruption::action::abandon, into); });
}

void read_schedule(const reader& at, scenario& into)
{
    read_some(at, "schedule", [&](const reader& one) {
        constexpr std::string_view drawn = "drawn ";
        if (!one.node().IsScalar() || !one.node().Scalar().starts_with(drawn))
            return read_deviation(one, into);
        if (into.plan.schedule)
            one.refuse("a run has one schedule that was drawn: remove one");
        into.plan.schedule = one.parse("a schedule", [&](const std::string& text) {
            return parse_drawn({std::string_view(text).substr(drawn.size()), drawn.size()});
        });
    });
}

void read_arrivals(const value& at, scenario& into)
{
    fault_plan& plan = into.plan;
    const std::uint32_t clients = plan.clients != 0 ? plan.clients : into.contract.default_clients();
    if (!at.node().IsMap()) {
        const std::size_t way = at.word("way to arrive");
        plan.sequential = way == 1;
        plan.relay = way == 2;
        if (way != 0 && clients == 1)
            at.refuse("there is one client only, which comes at once: leave 'arrivals' out");
        return;
    }
    if (at.node().size() == 0)
        at.refuse("arrivals is empty: leave it out");
    at.for_entries("arrivals", [&](const reader& key, const std::string&, const reader& given) {
        const lane who = key.parse("a client", [](const std::string& name) { return parse_client(name, 0); });
        const duration when = value(given, {.key = "the time at which a client arrives"}).time();
        if (clients == 1 || static_cast<std::uint32_t>(who) >= clients)
            key.refuse(clients == 1 ? fmt::format("there is one client only, which comes at once")
                                    : fmt::format("{} never comes: there are {} clients, c0 to c{}",
                                          lane_name(who), clients, clients - 1));
        if (!plan.arrivals.emplace(who, when).second)
            key.refuse(fmt::format("{} arrives twice: remove one", lane_name(who)));
    });
}

} // namespace mishap::detail
