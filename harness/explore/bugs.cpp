// SPDX-License-Identifier: MIT
#include "bugs.hpp"

#include "menu.hpp"
#include "neighbour.hpp"
#include "places.hpp"
#include "workers.hpp"

#include "invariant/invariants.hpp"

#include <mishap/duration.hpp>
#include <mishap/report.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>

namespace mishap::detail {

namespace {

/// Runs that all counterexamples of a campaign, one of them, and the single perturbations of one run may cost
/// on their way to being small.
constexpr std::uint64_t all_runs_max = 20'000;
constexpr std::uint64_t runs_max = 2'000;
constexpr std::uint64_t singles_max = 2'000;

/// So many are kept while a campaign runs, and told in the end.
constexpr std::size_t met_max = 100;
constexpr std::size_t told_max = 10;

/// The order in which rules are told that one plan breaks: as they are listed, but for those that are told
/// last.
std::size_t rank_of(std::string_view name)
{
    const auto all = invariants();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const invariant& i) { return i.name == name; });
    const auto place = static_cast<std::size_t>(found - all.begin());
    return traits_of(name).told_last ? all.size() : place;
}

/// The operation at which the last thing of the plan went wrong; null where nothing did, or at none.
const operation_id* last_wrong(const trace& happened)
{
    const operation_id* last = nullptr;
    index when = 0;
    for (const operation_record& op : happened.operations)
        if (op.perturbed && (!last || op.position >= when)) {
            last = &op.id;
            when = op.position;
        }
    for (const strike_record& strike : happened.strikes)
        if (!last || strike.event >= when) {
            last = &strike.what.at;
            when = strike.event;
        }
    return last;
}

/// What a timeline leaves out.
std::string name_silent(const trace& happened, const event& e)
{
    switch (e.kind) {
    case event_kind::client_started:
        return fmt::format("{} comes", lane_name(e.lane));
    case event_kind::started:
        return fmt::format("{} is started", to_string(happened, happened.operations[e.subject]));
    case event_kind::cancel_requested:
        return fmt::format("{} is asked to stop", to_string(happened, happened.operations[e.subject]));
    case event_kind::completed:
        return fmt::format("{} ends", to_string(happened, happened.operations[e.subject]));
    case event_kind::delivered:
        return fmt::format("{} is delivered", to_string(happened, happened.operations[e.subject]));
    case event_kind::body_entered:
        return fmt::format("the body of {} begins", lane_name(e.lane));
    case event_kind::body_left:
        return fmt::format("the body of {} ends", lane_name(e.lane));
    case event_kind::stage:
        return std::string(to_string(static_cast<stage>(e.subject)));
    default:
        return fmt::format("something of {}", lane_name(e.lane));
    }
}

std::string describe_event(const trace& happened, std::size_t i)
{
    if (i >= happened.events.size())
        return "nothing";
    const event& e = happened.events[i];
    run_result one;
    one.trace = happened;
    one.trace.events = {e};
    // Where several clients ran, the first line names their columns.
    std::string text = timeline(one);
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.pop_back();
    const std::size_t line = text.rfind('\n');
    text.erase(0, line == std::string::npos ? 0 : line + 1);
    text.erase(0, text.find_first_not_of(' '));
    const bool told = happened.outcomes.size() > 1 ? line != std::string::npos : !text.empty();
    return told ? text : fmt::format("{}  {}", to_string(e.at), name_silent(happened, e));
}

} // namespace

bugs::bugs(contract promises, judge run)
    : promises_(std::move(promises)), run_(std::move(run)), runs_left_(all_runs_max)
{}

bugs::identity bugs::identity_of(const violation& v, const run_result& done)
{
    const trace& happened = done.trace;
    identity what{.invariant = v.invariant, .role = v.role};
    // The trace went with the process: all that is known is what the plan did last.
    if (is_death(v.invariant) && !done.fired.perturbations.empty()) {
        what.kind = done.fired.perturbations.back().at.kind;
        what.name = done.fired.perturbations.back().at.name;
    }
    if (v.resource != none)
        what.resource = happened.resources[v.resource].kind;
    if (const operation_id* last = last_wrong(happened)) {
        what.kind = last->kind;
        what.name = last->name;
    }
    return what;
}

void bugs::keep(std::vector<met>& in, const run_result& done) const
{
    std::optional<burden> weight;
    for (const violation& v : done.verdict.violations) {
        const identity what = identity_of(v, done);
        const auto known = std::find_if(in.begin(), in.end(), [&](const met& m) { return m.what == what; });
        if (known == in.end() && in.size() >= met_max)
            continue;
        if (!weight)
            weight = burden_of(done.fired, promises_);
        if (known == in.end()) {
            in.push_back({what, v, done.fired, done.fired, *weight});
        } else if (*weight < known->weight) {
            known->plainest = done.fired;
            known->weight = *weight;
        }
    }
}

void bugs::see(const run_result& done)
{
    if (!done.holds())
        keep(met_, done);
}

void bugs::see_nondeterminism(const fault_plan& plan, std::string difference)
{
    violation v{.invariant = nondeterministic_name,
        .sentence =
            "the same plan gave two different runs: something in the manager or the adapter is not decided "
            "by the simulation (an address, a processor's clock, a thread, a static variable)",
        .expected = "equal plans give equal traces",
        .actual = std::move(difference)};
    met_.push_back({{.invariant = nondeterministic_name}, std::move(v), plan, plan, {}, false});
}

void bugs::join(std::vector<met> others)
{
    for (met& other : others) {
        const auto known =
            std::find_if(met_.begin(), met_.end(), [&](const met& m) { return m.what == other.what; });
        if (known == met_.end() && met_.size() >= met_max && other.shrinks)
            continue;
        other.weight = burden_of(other.plainest, promises_);
        if (known == met_.end() || !other.shrinks) {
            met_.push_back(std::move(other));
        } else if (other.weight < known->weight) {
            known->plainest = std::move(other.plainest);
            known->weight = other.weight;
        }
    }
}

void bugs::hurry() noexcept
{
    constexpr std::uint64_t few = 1'000;
    runs_left_ = std::min(runs_left_, few);
}

run_result& bugs::spend(const fault_plan& plan, std::uint64_t& runs)
{
    ++runs;
    --runs_left_;
    return run_(plan);
}

const violation* bugs::find(const run_result& done, const identity& what) const
{
    for (const violation& v : done.verdict.violations)
        if (identity_of(v, done).breaks_as(what))
            return &v;
    return nullptr;
}

/// Takes the first of the simpler plans that breaks the same. Returns whether there was one.
bool bugs::make_simpler(fault_plan& smallest, const identity& what, std::uint64_t& runs)
{
    const burden weight = burden_of(smallest, promises_);
    for (const fault_plan& candidate : simpler_plans(smallest, promises_)) {
        if (runs >= runs_max || runs_left_ == 0)
            return false;
        if (!(burden_of(candidate, promises_) < weight))
            continue;
        const run_result& done = spend(candidate, runs);
        // What did not fire is no part of the counterexample.
        if (find(done, what) && burden_of(done.fired, promises_) < weight) {
            smallest = done.fired;
            return true;
        }
    }
    return false;
}

/// What every single perturbation of a run breaks in which all clients come at once.
const bugs::singles& bugs::singles_of(const fault_plan& like, std::uint64_t& runs)
{
    fault_plan base = like;
    base.perturbations.clear();
    base.arrivals.clear();
    base.sequential = base.relay = false;
    const bool abandons =
        std::any_of(like.perturbations.begin(), like.perturbations.end(), [](const perturbation& p) {
            return p.interrupts() && p.interrupts()->what == interruption::action::abandon;
        });
    for (const singles& known : singles_)
        if (known.base == base && known.abandons == abandons)
            return known;
    singles& mine = singles_.emplace_back(singles{base, abandons, {}});
    const menu all({.abandon = abandons}, promises_);
    constexpr std::uint32_t occurrences_max = 4;
    const run_result& clean = spend(base, runs);
    keep(mine.broken, clean);
    const places where = list_places(clean.trace, base, promises_, 0, occurrences_max, all.interrupts());
    std::uint64_t left = singles_max;
    for (const place& here : where.all)
        for (const perturbation& one : all.choices(here, where.clients, base)) {
            if (left-- == 0 || runs_left_ == 0)
                return mine;
            fault_plan plan = base;
            plan.perturbations.push_back(one);
            keep(mine.broken, spend(plan, runs));
        }
    return mine;
}

/// Of what is told already in another way, only what goes wrong at the same operation is the same bug.
bool bugs::try_singles(fault_plan& smallest, const identity& what, std::uint64_t& runs)
{
    const burden weight = burden_of(smallest, promises_);
    if ((weight.perturbations < 2 && weight.comings == 0) || runs_left_ == 0)
        return false;
    const bool is_first = std::none_of(
        told_.begin(), told_.end(), [&](const auto& told) { return told.first.breaks_as(what); });
    const met* best = nullptr;
    for (const met& one : singles_of(smallest, runs).broken)
        if (one.what.breaks_as(what) && (is_first || one.what == what) && one.weight < weight &&
            (!best || one.weight < best->weight))
            best = &one;
    if (best)
        smallest = best->plainest;
    return best != nullptr;
}

fault_plan bugs::shrunk(const met& one, std::uint64_t& runs)
{
    fault_plan smallest = one.plainest;
    for (int round = 0; round < 2; ++round) {
        while (make_simpler(smallest, one.what, runs)) {
        }
        std::uint64_t of_singles = 0;
        const bool found = round == 0 && try_singles(smallest, one.what, of_singles);
        runs += of_singles;
        if (!found)
            break;
    }
    return smallest;
}

void bugs::tell(const met& one, campaign_result& into, bool as_it_is)
{
    // A plan that holds all of a smaller one shows nothing new.
    const auto covers = [&](const auto& told) {
        const auto& wanted = told.second.perturbations;
        const auto& all = one.plainest.perturbations;
        return one.shrinks && told.first.breaks_as(one.what) &&
               std::all_of(wanted.begin(), wanted.end(),
                   [&](const perturbation& p) { return std::find(all.begin(), all.end(), p) != all.end(); });
    };
    if (!as_it_is && std::any_of(told_.begin(), told_.end(), covers))
        return;
    counterexample c;
    c.invariant = std::string(one.what.invariant);
    c.found = one.found;
    const fault_plan smallest =
        one.shrinks && !as_it_is && runs_left_ != 0 ? shrunk(one, c.shrink_runs) : one.plainest;
    const std::uint64_t first_hash = run_(smallest).trace.hash;
    c.minimal = run_(smallest);
    c.minimal.manager = into.manager;
    auto& broken = c.minimal.verdict.violations;
    if (!one.shrinks)
        broken.insert(broken.begin(), one.example);
    const violation* about = one.shrinks ? find(c.minimal, one.what) : &broken.front();
    c.which = about ? static_cast<std::size_t>(about - broken.data()) : broken.size();
    c.nondeterministic = !one.shrinks || c.minimal.trace.hash != first_hash || !about;
    const identity what = about && one.shrinks ? identity_of(*about, c.minimal) : one.what;
    // Where several things must go wrong, the last one shows the bug: whichever error came first, the same
    // close hides it.
    const bool several = c.minimal.fired.perturbations.size() > 1;
    const auto is_this = [&](const auto& told) {
        const bool same_end = told.first.invariant == what.invariant && told.first.kind == what.kind &&
                              told.first.name == what.name;
        return told.first == what || (several && same_end && told.second.perturbations.size() > 1);
    };
    if (!as_it_is && std::any_of(told_.begin(), told_.end(), is_this))
        return;
    told_.emplace_back(what, c.minimal.fired);
    if (into.counterexamples.size() >= told_max) {
        ++into.untold;
        return;
    }
    std::uint64_t of_neighbours = 0;
    find_neighbours(c, [&](const fault_plan& plan) -> const run_result* {
        return runs_left_ == 0 ? nullptr : &spend(plan, of_neighbours);
    });
    into.counterexamples.push_back(std::move(c));
}

void bugs::tell(campaign_result& into, bool as_they_are)
{
    const auto order = [](const burden& weight, std::string_view name, bool last) {
        return std::tuple(last, weight, rank_of(name));
    };
    // What makes all other verdicts doubtful comes first.
    std::stable_sort(met_.begin(), met_.end(), [&](const met& a, const met& b) {
        return order(a.weight, a.what.invariant, a.shrinks) < order(b.weight, b.what.invariant, b.shrinks);
    });
    for (const met& one : met_)
        tell(one, into, as_they_are);
    const auto order_of = [&](const counterexample& c) {
        return order(
            burden_of(c.minimal.fired, promises_), c.invariant, c.invariant != nondeterministic_name);
    };
    std::stable_sort(into.counterexamples.begin(), into.counterexamples.end(),
        [&](const counterexample& a, const counterexample& b) { return order_of(a) < order_of(b); });
}

std::string first_difference(const trace& before, const trace& now)
{
    const auto equal = [](const event& a, const event& b) {
        return a.at == b.at && a.kind == b.kind && a.lane == b.lane && a.subject == b.subject;
    };
    const auto of_operation = [](const event& e) {
        return e.kind == event_kind::started || e.kind == event_kind::completed;
    };
    const std::size_t shorter = std::min(before.events.size(), now.events.size());
    const auto told = [&](std::size_t i, const std::string& was, const std::string& is) {
        return fmt::format("they differ from event {} on: '{}' against '{}'", i + 1, was, is);
    };
    for (std::size_t i = 0; i < shorter; ++i) {
        const event& e = before.events[i];
        if (!equal(e, now.events[i]))
            return told(i, describe_event(before, i), describe_event(now, i));
        if (!of_operation(e))
            continue;
        const operation_record& was = before.operations[e.subject];
        const operation_record& is = now.operations[e.subject];
        if (!(was.id == is.id) || (e.kind == event_kind::completed &&
                                      (was.result != is.result || was.failed_with() != is.failed_with())))
            return told(i, describe_event(before, i), describe_event(now, i));
    }
    if (before.events.size() != now.events.size())
        return told(shorter, describe_event(before, shorter), describe_event(now, shorter));
    for (std::size_t i = 0; i < std::min(before.samples.size(), now.samples.size()); ++i)
        if (const sample_record& was = before.samples[i], &is = now.samples[i]; was.value != is.value)
            return fmt::format("the counter {} showed {} in one and {} in the other, after event {}",
                before.statistics[was.statistic].name, was.value, is.value, was.position);
    return "they have the same events, but operations were begun, or counters read, in another order";
}

} // namespace mishap::detail
