// SPDX-License-Identifier: MIT
#include "campaign.hpp"

#include "default_name.hpp"

#include "simulation/misuse.hpp"

#include <mishap/duration.hpp>
#include <mishap/replay.hpp>
#include <mishap/report.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace mishap {

bool campaign_result::violates(std::string_view invariant) const noexcept
{
    return std::any_of(counterexamples.begin(), counterexamples.end(),
        [&](const counterexample& c) { return c.invariant == invariant; });
}

namespace detail {

std::string (*default_campaign_name)() = nullptr;

namespace {

constexpr std::string_view nondeterministic_name = "nondeterministic";

/// Runs that one counterexample may cost on its way to being small.
constexpr std::uint64_t shrink_runs_max = 2'000;

symbol kind_of(const violation& v, const trace& happened)
{
    return v.resource == none ? symbol() : happened.resources[v.resource].kind;
}

/// The same rule broken on the same kind of thing: what shrinking must keep.
bool is_same(const violation& v, const trace& happened, const violation& wanted, symbol wanted_kind)
{
    return v.invariant == wanted.invariant && v.role == wanted.role && kind_of(v, happened) == wanted_kind;
}

} // namespace

campaign::campaign(const manager& under_test, const std::optional<contract>& promises, const limits& bounds,
    std::string name, std::span<const std::string> only)
    : under_test_(under_test), promises_(promises.value_or(under_test.promises)),
      runner_(under_test, promises_, bounds, nullptr, only)
{
    result_.manager = !name.empty() ? std::move(name) : under_test.name;
    if (result_.manager.empty())
        result_.manager = default_campaign_name ? default_campaign_name() : "manager";
}

run_result& campaign::judged(const fault_plan& plan)
{
    run_result& done = runner_.run(plan);
    if (judge_also_)
        judge_also_(done);
    return done;
}

run_result& campaign::accounted(const fault_plan& plan)
{
    run_result& done = judged(plan);
    if (result_.runs == 0)
        settings_.settings = plan.settings;
    ++result_.runs;
    count(done);
    if (!done.holds()) {
        ++result_.violating_runs;
        for (const violation& v : done.verdict.violations) {
            const bool known = std::any_of(broken_.begin(), broken_.end(),
                [&](const broken& b) { return b.example.invariant == v.invariant; });
            if (!known)
                broken_.push_back({v, kind_of(v, done.trace), done.fired});
        }
    }
    return done;
}

void campaign::count(const run_result& done)
{
    const auto cell_of = [&](const operation_id& id, const fault& what) -> coverage_cell& {
        auto found = std::find_if(cells_.begin(), cells_.end(),
            [&](const cell& c) { return c.kind == id.kind && c.name == id.name; });
        if (found == cells_.end())
            found = cells_.insert(cells_.end(), cell{id.kind, id.name, {}});
        return found->by_fault[static_cast<std::size_t>(what.kind)];
    };
    entered_ = entered_ || !done.trace.bodies.empty();
    result_.fired += done.trace.strikes.size();
    for (const perturbation& p : done.plan.perturbations)
        if (p.is_fault())
            ++cell_of(p.at, p.fault()).planned;
    std::vector<index> sources; // of the clients' errors
    for (const outcome& client : done.trace.outcomes)
        sources.push_back(client.error ? find_source(done.trace, client.error) : none);
    for (const operation_record& op : done.trace.operations) {
        if (!op.perturbed)
            continue;
        ++result_.fired;
        coverage_cell& at = cell_of(op.id, op.fault);
        ++at.fired;
        at.planned += done.plan.find(op.id) == nullptr; // drawn when it was asked for
        if (op.result == result::failed)
            at.seen += static_cast<std::uint64_t>(std::count(
                sources.begin(), sources.end(), static_cast<index>(&op - done.trace.operations.data())));
    }
}

bool campaign::replayed()
{
    const auto& requested = requested_replay();
    if (!requested || requested->manager != result_.manager)
        return false;
    take_replay();
    result_.replayed = true;
    result_.covered = "the one run that MISHAP_REPLAY asks for";
    accounted(requested->plan);
    if (!runner_.inert().empty()) {
        const perturbation& p = requested->plan.perturbations[runner_.inert().front()];
        result_.invalid =
            fmt::format("the replayed plan is stale: {} never came up in this run", to_string(p.at));
    }
    return true;
}

bool campaign::repeats(const fault_plan& plan, const trace& before)
{
    const run_result& again = accounted(plan);
    if (again.trace.hash == before.hash)
        return true;
    const auto describe_event = [](const trace& happened, std::size_t i) -> std::string {
        if (i >= happened.events.size())
            return "nothing";
        run_result one;
        one.trace = happened;
        one.trace.events.assign(happened.events.begin() + static_cast<std::ptrdiff_t>(i),
            happened.events.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        const event& e = happened.events[i];
        const std::string text = timeline(one);
        return text.empty() ? fmt::format("event {} of lane {} at {}", static_cast<int>(e.kind),
                                  lane_name(e.lane), to_string(e.at))
                            : text.substr(0, text.find('\n'));
    };
    const auto equal = [](const event& a, const event& b) {
        return a.at == b.at && a.kind == b.kind && a.lane == b.lane && a.subject == b.subject;
    };
    const auto& now = again.trace.events;
    const std::size_t first = static_cast<std::size_t>(
        std::mismatch(before.events.begin(), before.events.end(), now.begin(), now.end(), equal).first -
        before.events.begin());
    found_nondeterminism(plan, fmt::format("they differ from event {} on: '{}' against '{}'", first + 1,
                                   describe_event(before, first), describe_event(again.trace, first)));
    return false;
}

void campaign::found_nondeterminism(const fault_plan& plan, const std::string& difference)
{
    nondeterministic_ = true;
    violation v{.invariant = nondeterministic_name,
        .sentence =
            "the same plan gave two different runs: something in the manager or the adapter is not decided "
            "by the simulation (a random number, an address, a thread, a static variable)",
        .expected = "equal plans give equal traces",
        .actual = difference};
    broken_.clear();
    broken_.push_back({v, {}, plan});
}

void campaign::check_settings(const fault_plan& all) const
{
    fault_plan unread = all;
    for (;;) {
        const std::string name = runner_.unread_setting(unread);
        if (name.empty())
            return;
        fault_plan only;
        only.settings[name];
        if (!also_reads_ || !also_reads_->unread_setting(only).empty())
            throw misuse_error(runner_.about_unread(name), name);
        unread.settings.erase(name);
    }
}

campaign_result campaign::finish()
{
    if (!result_.replayed)
        check_settings(settings_);
    for (const broken& b : broken_) {
        counterexample c;
        c.invariant = std::string(b.example.invariant);
        c.found = b.plan;
        fault_plan smallest = b.plan;
        const auto violates = [&](const run_result& done) {
            return std::any_of(done.verdict.violations.begin(), done.verdict.violations.end(),
                [&](const violation& v) { return is_same(v, done.trace, b.example, b.kind); });
        };
        const bool shrinks = !nondeterministic_ && !result_.replayed;
        for (bool smaller = shrinks; smaller && c.shrink_runs < shrink_runs_max;) {
            smaller = false;
            for (const fault_plan& candidate : simpler_plans(smallest, promises_)) {
                ++c.shrink_runs;
                const run_result& done = judged(candidate);
                if (violates(done)) {
                    // What did not fire is no part of the counterexample.
                    smallest = done.fired;
                    smaller = true;
                    break;
                }
                if (c.shrink_runs >= shrink_runs_max)
                    break;
            }
        }
        const std::uint64_t first_hash = runner_.run(smallest).trace.hash;
        c.minimal = judged(smallest);
        c.minimal.manager = result_.manager;
        c.nondeterministic = nondeterministic_ || c.minimal.trace.hash != first_hash || !violates(c.minimal);
        if (nondeterministic_)
            c.minimal.verdict.violations.insert(c.minimal.verdict.violations.begin(), b.example);
        result_.counterexamples.push_back(std::move(c));
    }
    const auto rank = [](const counterexample& c) {
        const auto all = invariants();
        return std::find_if(all.begin(), all.end(), [&](const invariant& i) {
            return i.name == c.invariant;
        }) - all.begin();
    };
    std::stable_sort(result_.counterexamples.begin(), result_.counterexamples.end(),
        [&](const counterexample& a, const counterexample& b) { return rank(a) < rank(b); });
    for (const cell& c : cells_) {
        operation_id id{.kind = c.kind, .name = c.name};
        std::string name = to_string(id);
        name.resize(name.size() - 2); // without "#1"
        result_.coverage[name] = c.by_fault;
    }
    if (result_.invalid.empty() && !result_.replayed && wants_faults_ && result_.fired == 0)
        result_.invalid =
            "no fault ever fired, so nothing was tested: the adapter starts no operation on a mock resource, "
            "or the kinds that were asked for fit none";
    if (result_.invalid.empty() && !result_.replayed && promises_.serves_clients() && !entered_)
        result_.invalid = "no client's body was ever entered, so nobody was served: the adapter awaits no "
                          "body (env.body(), or client.body()), or its clients wait for something that never "
                          "comes";
    return std::move(result_);
}

std::vector<fault_plan> simpler_plans(const fault_plan& plan, const contract& promises)
{
    std::vector<fault_plan> simpler;
    for (std::size_t i = 0; i < plan.perturbations.size(); ++i) {
        fault_plan without = plan;
        without.perturbations.erase(without.perturbations.begin() + static_cast<std::ptrdiff_t>(i));
        simpler.push_back(std::move(without));
    }
    const auto replace = [&](std::size_t i, fault by) {
        if (plan.perturbations[i].fault() == by)
            return;
        fault_plan changed = plan;
        if (auto* of_body = std::get_if<body_failure>(&changed.perturbations[i].what))
            of_body->error = by.error;
        else
            std::get<operation_fault>(changed.perturbations[i].what).fault = by;
        simpler.push_back(std::move(changed));
    };
    static const symbol plainest("io_error");
    // Fewer of what a pattern strikes.
    for (std::size_t i = 0; i < plan.perturbations.size(); ++i) {
        const perturbation& p = plan.perturbations[i];
        if (!p.is_fault() || !p.repeats())
            continue;
        for (const std::uint32_t last : {p.at.occurrence, p.at.occurrence + 1, p.at.occurrence + 3})
            if (last < p.repeats()->last) {
                fault_plan fewer = plan;
                std::get<operation_fault>(fewer.perturbations[i].what).repeats->last = last;
                simpler.push_back(std::move(fewer));
            }
    }
    if (plan.clients > 1) {
        fault_plan fewer = plan;
        --fewer.clients;
        simpler.push_back(std::move(fewer));
    }
    if (plan.sequential || plan.relay) {
        fault_plan together = plan;
        together.sequential = together.relay = false;
        simpler.push_back(std::move(together));
    }
    for (const auto& [client, when] : plan.arrivals) {
        fault_plan sooner = plan;
        sooner.arrivals.erase(client);
        simpler.push_back(std::move(sooner));
    }
    for (std::size_t i = 0; i < plan.perturbations.size(); ++i) {
        if (!plan.perturbations[i].is_fault())
            continue;
        const fault now = plan.perturbations[i].fault();
        switch (now.kind) {
        case fault_kind::ok:
        case fault_kind::ok_now:
        case fault_kind::cancel:
            break;
        case fault_kind::fail:
        case fault_kind::fail_after_effect:
            replace(i, fault::fail(plainest));
            replace(i, {.kind = now.kind, .error = now.error});
            replace(i, {.kind = now.kind, .error = plainest, .after = now.after});
            break;
        case fault_kind::hang:
        case fault_kind::empty:
        case fault_kind::bad_alloc:
            replace(i, fault::fail(plainest));
            break;
        case fault_kind::deaf:
            replace(i, fault::fail(plainest));
            replace(i, fault::hang());
            break;
        case fault_kind::late:
            replace(i, fault::fail(plainest));
            replace(i, fault::delay(now.after));
            break;
        case fault_kind::delay: {
            replace(i, fault::fail(plainest));
            // Towards the contract's own durations, which need no explanation.
            std::vector<duration> plain{std::chrono::seconds(1)};
            for (const auto& timeout : {promises.time.create, promises.time.close})
                if (timeout)
                    plain.insert(plain.begin(), *timeout);
            if (std::find(plain.begin(), plain.end(), now.after) == plain.end())
                for (const duration d : plain)
                    replace(i, fault::delay(d));
            break;
        }
        }
    }
    return simpler;
}

} // namespace detail
} // namespace mishap
