// SPDX-License-Identifier: MIT
#include "page_data.hpp"

#include "events.hpp"

#include "vocabulary/causes.hpp"
#include "what_matters.hpp"

#include <mishap/account.hpp>
#include <mishap/duration.hpp>
#include <mishap/invariant.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace mishap::detail {

namespace {

/// The number of events that are shown of the beginning and of the end of a run.
constexpr index head = 3'000, tail = 1'500;

std::string_view word_for(event_kind kind)
{
    switch (kind) {
    case event_kind::client_started:
        return "client_started";
    case event_kind::client_ended:
        return "client_ended";
    case event_kind::client_cancelled:
        return "client_cancelled";
    case event_kind::client_abandoned:
        return "client_abandoned";
    case event_kind::started:
        return "started";
    case event_kind::cancel_requested:
        return "cancel_requested";
    case event_kind::completed:
        return "completed";
    case event_kind::delivered:
        return "delivered";
    case event_kind::body_entered:
        return "body_entered";
    case event_kind::body_left:
        return "body_left";
    case event_kind::stage:
        return "stage";
    case event_kind::note:
        return "note";
    default:
        return "other";
    }
}

std::string_view word_for(result what)
{
    switch (what) {
    case result::pending:
        return "pending";
    case result::ok:
        return "ok";
    case result::failed:
        return "failed";
    case result::aborted:
        return "aborted";
    case result::peer_gone:
        return "peer_gone";
    case result::abandoned:
        return "abandoned";
    }
    return "pending";
}

/// Which events are shown, and by which number.
class selection
{
public:
    selection(const trace& happened, const violation* v) : at_(happened.events.size(), none)
    {
        const auto count = static_cast<index>(happened.events.size());
        std::set<index> kept;
        constexpr int causes = 100; // of each proof
        if (v)
            for (const auto& proof : v->proof) {
                index i = proof.event;
                for (int left = causes; left > 0 && i < count && kept.insert(i).second; --left)
                    i = happened.events[i].cause;
            }
        for (index i = 0; i < count; ++i)
            if (i < head || i + tail >= count || kept.contains(i)) {
                at_[i] = static_cast<index>(shown_.size());
                shown_.push_back(i);
            }
        index number = 0;
        for (const operation_record& op : happened.operations) {
            const bool any =
                std::max({number_of(op.started), number_of(op.completed), number_of(op.delivered)}) >= 0;
            operations_.push_back(any ? number++ : none);
        }
    }

    /// Operations of which anything is shown, by the number they have there.
    std::int64_t number_of_operation(index operation) const
    {
        return operation < operations_.size() && operations_[operation] != none
                   ? static_cast<std::int64_t>(operations_[operation])
                   : -1;
    }
    const std::vector<index>& shown() const noexcept { return shown_; }
    std::size_t left_out() const noexcept { return at_.size() - shown_.size(); }
    std::int64_t number_of(index event) const
    {
        return event == none || event >= at_.size() || at_[event] == none
                   ? -1
                   : static_cast<std::int64_t>(at_[event]);
    }

private:
    std::vector<index> at_;
    std::vector<index> shown_;
    std::vector<index> operations_;
};

/// The operation that an event is about, or `none`.
index operation_of(const event& e)
{
    switch (e.kind) {
    case event_kind::started:
    case event_kind::cancel_requested:
    case event_kind::completed:
    case event_kind::delivered:
        return e.subject;
    default:
        return none;
    }
}

json_builder lanes_of(const run_result& run)
{
    std::set<lane> used;
    for (const event& e : run.trace.events)
        if (e.kind != event_kind::stage)
            used.insert(e.lane);
    json_builder lanes = json_builder::array();
    const auto add = [&](lane in) {
        json_builder one = json_builder::object();
        one.add("lane", std::int64_t(in));
        const auto client = static_cast<std::size_t>(in);
        if (in >= 0 && client < run.trace.outcomes.size()) {
            one.add("name", fmt::format("client {}", in));
            const auto ended = run.trace.outcomes[client].ended;
            one.add("end", ended == none ? std::string("never ends") : describe_event(run, ended)->what);
            one.add("probe", run.trace.outcomes[client].probe);
        } else {
            one.add("name", in == background_lane ? std::string("background") : lane_name(in));
        }
        lanes.push(one);
    };
    // Clients first.
    for (const lane in : used)
        if (in >= 0)
            add(in);
    for (const lane in : used)
        if (in < 0)
            add(in);
    return lanes;
}

json_builder deadlines_of(const run_result& run, const selection& chosen)
{
    json_builder all = json_builder::array();
    const auto add = [&](lane in, duration due, std::int64_t operation, const std::string& what) {
        all.push(json_builder::object()
                     .add("lane", std::int64_t(in))
                     .add("at", std::int64_t(due.count()))
                     .add("op", operation)
                     .add("what", what));
    };
    account told;
    told.build(run.contract, run.fired, run.trace);
    for (index i = 0; i < run.trace.operations.size(); ++i)
        if (const auto& due = told.operations()[i].due; due && chosen.number_of_operation(i) >= 0)
            add(run.trace.operations[i].id.lane, *due, chosen.number_of_operation(i),
                fmt::format("{} is due", to_string(run.trace, run.trace.operations[i])));
    for (lane in = 0; in < static_cast<lane>(run.trace.outcomes.size()); ++in) {
        const outcome& client = run.trace.outcomes[static_cast<std::size_t>(in)];
        if (client.started == none)
            continue;
        const duration came = run.trace.time_of(client.started);
        if (run.contract.time.acquire)
            add(in, came + *run.contract.time.acquire, -1, fmt::format("client {} must be served", in));
        if (run.contract.time.whole)
            add(in, came + *run.contract.time.whole, -1, fmt::format("client {} must be done", in));
    }
    return all;
}

json_builder plan_data(const fault_plan& plan)
{
    json_builder parts = json_builder::array();
    for (const std::string& part : parts_of(plan))
        parts.push(part);
    return parts;
}

json_builder coverage_data(const coverage& all)
{
    json_builder kinds = json_builder::array(), rows = json_builder::array();
    std::vector<std::size_t> columns;
    for (const auto& kind : fault_table()) {
        const auto at = static_cast<std::size_t>(kind.kind);
        if (kind.kind == fault_kind::ok ||
            std::none_of(all.begin(), all.end(), [&](const auto& row) { return row.second[at].planned; }))
            continue;
        columns.push_back(at);
        kinds.push(json_builder::object().add("word", kind.word).add("about", kind.about));
    }
    for (const auto& [name, cells] : all) {
        json_builder row = json_builder::array();
        for (const std::size_t at : columns)
            row.push(json_builder::array()
                         .push(std::int64_t(cells[at].planned))
                         .push(std::int64_t(cells[at].fired))
                         .push(std::int64_t(cells[at].seen)));
        rows.push(json_builder::object().add("operation", name).add("cells", row));
    }
    return json_builder::object().add("kinds", kinds).add("rows", rows);
}

} // namespace

json_builder page_data(const run_result& run, const violation* v, const run_result* other)
{
    const trace& happened = run.trace;
    const selection chosen(happened, v);
    json_builder events = json_builder::array();
    for (const index i : chosen.shown()) {
        const event& e = happened.events[i];
        const event_words words = name_event(run, i);
        json_builder one = json_builder::object();
        one.add("at", std::int64_t(e.at.count())).add("kind", word_for(e.kind));
        one.add("lane", std::int64_t(e.lane)).add("step", std::int64_t(e.step));
        one.add("who", words.who).add("what", words.what).add("told", describe_event(run, i).has_value());
        if (const auto op = chosen.number_of_operation(operation_of(e)); op >= 0)
            one.add("op", op);
        if (const auto cause = chosen.number_of(e.cause); cause >= 0)
            one.add("cause", cause);
        one.add("why", to_string(e.why));
        if (v)
            for (const auto& proof : v->proof)
                if (proof.event == i)
                    one.add("remark", proof.remark);
        events.push(one);
    }
    json_builder operations = json_builder::array();
    for (index i = 0; i < happened.operations.size(); ++i) {
        if (chosen.number_of_operation(i) < 0)
            continue;
        const operation_record& op = happened.operations[i];
        json_builder one = json_builder::object();
        one.add("name", op.role == role::body ? "body" : to_string(happened, op));
        one.add("role", to_string(op.role)).add("lane", std::int64_t(op.id.lane));
        one.add("result", word_for(op.result));
        if (op.perturbed)
            one.add("fault", to_string(op.fault));
        if (op.in_body)
            one.add("in_body", true);
        if (op.resource != none)
            one.add("resource", resource_name(happened, op.resource));
        one.add("started", chosen.number_of(op.started)).add("asked", chosen.number_of(op.cancel_requested));
        one.add("completed", chosen.number_of(op.completed));
        one.add("delivered", chosen.number_of(op.delivered));
        operations.push(one);
    }
    json_builder bodies = json_builder::array();
    for (const body_record& body : happened.bodies) {
        json_builder one = json_builder::object();
        one.add("lane", std::int64_t(body.lane)).add("entered", chosen.number_of(body.entered));
        one.add("left", chosen.number_of(body.left));
        if (body.resource != none)
            one.add("resource", resource_name(happened, body.resource));
        bodies.push(one);
    }
    return json_builder::object()
        .add("plan", plan_data(run.fired))
        .add("lanes", lanes_of(run))
        .add("events", events)
        .add("operations", operations)
        .add("bodies", bodies)
        .add("deadlines", deadlines_of(run, chosen))
        .add("left_out", std::int64_t(chosen.left_out()))
        .add("differs", chosen.number_of(other ? first_difference(run, *other) : none));
}

json_builder page_data(const counterexample& c, const report_options& options)
{
    const violation* const v = c.broken();
    json_builder one = json_builder::object();
    one.add("invariant", c.invariant);
    const auto all = invariants();
    const auto rule =
        std::find_if(all.begin(), all.end(), [&](const invariant& i) { return i.name == c.invariant; });
    one.add("rule", rule == all.end() ? std::string_view() : rule->rule);
    one.add("sentence", v ? std::string_view(v->sentence)
                          : "the violation was seen once, and not again when the same plan was run again");
    one.add("expected", v ? v->expected : "").add("actual", v ? v->actual : "");
    one.add("nondeterministic", c.nondeterministic);
    one.add("found", plan_data(c.found));
    one.add("run", page_data(c.minimal, v, c.neighbour ? &*c.neighbour : nullptr));
    if (c.neighbour) {
        one.add("neighbour", page_data(*c.neighbour, nullptr, &c.minimal));
        one.add("neighbour_holds", c.neighbour->holds());
    }
    one.add("holds", what_holds(c)).add("alike", what_is_alike(c));
    one.add("replay", replay_command_of(c.minimal, options));
    one.add("saved", options.saved);
    return one;
}

json_builder page_data(const campaign_result& result, const report_options& options)
{
    json_builder counterexamples = json_builder::array();
    for (const counterexample& c : result.counterexamples)
        counterexamples.push(page_data(c, options));
    json_builder one = json_builder::object();
    one.add("manager", result.manager.empty() ? "this manager" : result.manager);
    one.add("holds", result.holds()).add("covered", result.covered).add("untried", result.untried);
    one.add("invalid", result.invalid).add("complete", result.complete);
    one.add("runs", std::int64_t(result.runs)).add("fired", std::int64_t(result.fired));
    one.add("violating_runs", std::int64_t(result.violating_runs));
    one.add("untold", std::int64_t(result.untold));
    if (result.seed)
        one.add("seed", std::to_string(*result.seed));
    return one.add("coverage", coverage_data(result.coverage)).add("counterexamples", counterexamples);
}

} // namespace mishap::detail
